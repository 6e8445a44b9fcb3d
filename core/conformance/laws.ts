/**
 * What a control plane promises to whoever reaches it, as laws that are tried at its address: the same for nodes in the simulator, on the
 * embedded database, on a server, and for those that run somewhere (`stormglass conform`). Each makes what it needs under names of its own, looks
 * at what has become of that and at nothing else, and takes away what it made.
 */
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import { watch } from "../client/watch.ts"
import type { Cursor } from "../ports/Feed.ts"
import { type Asked, Broken, type Conversation, equal, make, type Target, type Told } from "./Conversation.ts"

interface Law {
  /** Of one word. */
  readonly name: string
  readonly states: string
  /** `own` is the name of the fleet or the instance that it may make. */
  readonly story: (conversation: Conversation, own: string) => Asked<void>
}

export interface Judged {
  readonly law: string
  readonly states: string
  /** What does not hold; null: it holds. */
  readonly broken: string | null
}

/** All of them beside each other; tells of each as soon as it is known. */
export const judge = (
  target: Target,
  onJudged: (judged: Judged) => void
): Effect.Effect<ReadonlyArray<Judged>, never, HttpClient.HttpClient> =>
  Effect.forEach(
    laws,
    ({ name, states, story }) => {
      const conversation = make(target, name)
      const own = `${target.prefix}-${name}`
      return story(conversation, own).pipe(
        // Whatever became of it: of most there is nothing left.
        Effect.ensuring(Effect.ignore(conversation.send("DELETE", fleetPath(conversation, own)))),
        Effect.as(null),
        Effect.catchTag("Broken", ({ message }) => Effect.succeed(message)),
        Effect.map((broken): Judged => ({ law: name, states, broken })),
        Effect.tap((judged) => Effect.sync(() => onJudged(judged)))
      )
    },
    { concurrency: "unbounded" }
  )

const fleetPath = ({ project }: Target, name: string): string => `projects/${project}/fleets/${name}`
const specOf = ({ image }: Target) => ({ image, size: "small" })

const laws: ReadonlyArray<Law> = [
  {
    name: "scale",
    states:
      "A fleet becomes what is wanted of it, and keeps what it can: exactly the surplus is taken, and events tell of it",
    story: Effect.fnUntraced(function* (conversation, own) {
      const { told } = conversation
      const spec = specOf(conversation)
      const path = fleetPath(conversation, own)
      const becomes = Effect.fnUntraced(function* (status: number, desired: number, generation: number) {
        yield* told(status, "PUT", path, { body: { desired, spec } })
        const { document } = yield* untilStable(conversation, path)
        const { observedGeneration, running } = document["status"] as Readonly<Record<string, unknown>>
        yield* equal(
          "of the fleet",
          [document["generation"], observedGeneration, running],
          [generation, generation, desired]
        )
        const members = yield* membersOf(conversation, own)
        yield* equal("states", [...new Set(members.map(({ state }) => state))], desired === 0 ? [] : ["RUNNING"])
        return members.map(({ uid }) => uid)
      })
      const three = yield* becomes(201, 3, 1)
      const four = yield* becomes(200, 4, 2)
      const one = yield* becomes(200, 1, 3)
      yield* equal(
        "how many there were",
        [three, four, one].map((uids) => new Set(uids).size),
        [3, 4, 1]
      )
      yield* equal(
        "kept",
        [three.every((uid) => four.includes(uid)), one.every((uid) => four.includes(uid))],
        [true, true]
      )
      const scaled = (yield* eventsOf(conversation, own)).filter(({ kind }) => kind === "Scaled")
      const details = scaled.map(({ detail }) => detail)
      yield* equal("how it was scaled", details, ["from 4 to 1", "from 3 to 4", "from 0 to 3"])
    })
  },
  {
    name: "key",
    states: "An idempotency key, in either spelling and at each address, has one effect and one answer, byte for byte",
    story: Effect.fnUntraced(function* (conversation, own) {
      const { addresses, send, told } = conversation
      const path = fleetPath(conversation, own)
      const key = `${own}-once`
      const body = { desired: 0, spec: specOf(conversation) }
      const first = yield* told(201, "PUT", path, { body, headers: { "idempotency-key": key } })
      const isReplay = ({ headers }: Told) => headers["idempotency-replayed"] === "true"
      for (const [at] of addresses.entries()) {
        for (const spelling of ["idempotency-key", "x-idempotency-key"]) {
          const again = yield* told(201, "PUT", path, { body, headers: { [spelling]: key }, at })
          yield* equal(`what ${spelling} is told again`, [isReplay(again), again.text], [true, first.text])
        }
      }
      yield* equal("the first answer is a replay", isReplay(first), false)
      const other = { ...body, desired: 1 }
      yield* told(422, "PUT", path, { body: other, headers: { "idempotency-key": key } })
      yield* told(400, "PUT", path, { body, isKeyless: true })
      yield* told(400, "PUT", path, { body, headers: { "idempotency-key": "k".repeat(256) } })
      const { document } = yield* told(200, "GET", path)
      yield* equal("what has become of it", [document["desired"], document["generation"]], [0, 1])
      const raced = yield* Effect.all(
        Array.from({ length: 8 }, (_, at) =>
          send("PUT", path, { body: { ...body, paused: true }, headers: { "idempotency-key": `${key}-raced` }, at })
        ),
        { concurrency: "unbounded" }
      )
      const answered = raced.filter(({ status }) => status !== 409)
      yield* equal("of those who race", answered.filter((each) => !isReplay(each)).length, 1)
      yield* equal("answers to those who race", new Set(answered.map(({ text }) => text)).size, 1)
    })
  },
  {
    name: "version",
    states: "A change may depend on the version that its author saw",
    story: Effect.fnUntraced(function* (conversation, own) {
      const { told } = conversation
      const path = fleetPath(conversation, own)
      const body = { desired: 0, spec: specOf(conversation) }
      const made = yield* told(201, "PUT", path, { body, headers: { "if-none-match": "*" } })
      yield* told(412, "PUT", path, { body, headers: { "if-none-match": "*" } })
      const { headers } = yield* untilStable(conversation, path)
      yield* told(304, "GET", path, { headers: { "if-none-match": headers["etag"] ?? "" } })
      const first = made.headers["etag"] ?? ""
      yield* told(200, "PUT", path, { body: { ...body, paused: true }, headers: { "if-match": first } })
      yield* told(412, "PUT", path, { body: { ...body, paused: false }, headers: { "if-match": first } })
      yield* told(412, "DELETE", path, { headers: { "if-match": first } })
    })
  },
  {
    name: "dry",
    states: "A dry run is answered as the change would be, and keeps nothing",
    story: Effect.fnUntraced(function* (conversation, own) {
      const { told } = conversation
      const path = fleetPath(conversation, own)
      const body = { desired: 2, spec: specOf(conversation) }
      const headers = { "idempotency-key": `${own}-tried` }
      const tried = yield* told(201, "PUT", `${path}?dryRun=true`, { body, headers })
      yield* equal("the marker", tried.headers["stormglass-dry-run"], "true")
      yield* told(404, "GET", path)
      yield* told(201, "PUT", path, { body: { ...body, desired: 0 }, headers })
      yield* told(202, "DELETE", `${path}?dryRun=true`)
      const { document } = yield* told(200, "GET", path)
      yield* equal("what has become of it", [document["desired"], document["deletionRequestedAt"]], [0, null])
    })
  },
  {
    name: "wrong",
    states: "What is wrong is refused with all that is wrong with it, and what is not there is not found",
    story: Effect.fnUntraced(function* (conversation, own) {
      const { told } = conversation
      const path = fleetPath(conversation, own)
      const body = { desired: -1, spec: { image: "", size: "huge" }, extra: true }
      const refused = yield* told(400, "PUT", path, { body })
      const errors = (refused.document["errors"] ?? []) as ReadonlyArray<{ readonly path: string }>
      const paths = [...new Set(errors.map(({ path }) => path))].toSorted()
      yield* equal("where", paths, ["payload.desired", "payload.extra", "payload.spec.image", "payload.spec.size"])
      yield* equal("kind of answer", refused.headers["content-type"]?.split(";")[0], "application/problem+json")
      yield* told(400, "PUT", path, { text: "{" })
      yield* told(400, "PUT", fleetPath(conversation, "Not-A-Name"), {
        body: { desired: 0, spec: specOf(conversation) }
      })
      yield* told(404, "GET", path)
      yield* told(404, "DELETE", path)
      yield* told(404, "GET", `instances/${own}-0-none`)
    })
  },
  {
    name: "pages",
    states: "The pages of a list, by whichever address, are together what was there when it began",
    story: Effect.fnUntraced(function* (conversation, own) {
      const { project, told, until } = conversation
      const path = fleetPath(conversation, own)
      yield* told(201, "PUT", path, { body: { desired: 3, spec: specOf(conversation) } })
      const list = `projects/${project}/instances?fleet=${own}`
      const whole = yield* until("three are there", list, (answer) => itemsOf(answer).length === 3)
      const first = yield* told(200, "GET", `${list}&limit=2`)
      yield* told(202, "DELETE", path)
      const deleting = (answer: Told) =>
        itemsOf(answer).every(({ deletionRequestedAt }) => deletionRequestedAt !== null)
      yield* until("their end is asked for", list, deleting)
      const next = encodeURIComponent(String(first.document["next"]))
      const second = yield* told(200, "GET", `${list}&limit=2&after=${next}`, { at: 1 })
      const all = [...itemsOf(first), ...itemsOf(second)]
      yield* equal(
        "who is shown",
        all.map(({ uid }) => uid),
        itemsOf(whole).map(({ uid }) => uid)
      )
      yield* equal(
        "whose end is shown",
        all.filter(({ deletionRequestedAt }) => deletionRequestedAt !== null),
        []
      )
      yield* equal("what follows the last page", second.document["next"], null)
    })
  },
  {
    name: "watch",
    states: "A watch tells each change once and in order, and goes on from its token at any address",
    story: Effect.fnUntraced(function* (conversation, own) {
      const { addresses, told } = conversation
      const path = fleetPath(conversation, own)
      const body = { desired: 0, spec: specOf(conversation) }
      let after = (yield* follow(conversation, { addresses, until: undefined })).token
      const generations: Array<unknown> = []
      for (const [nth, paused] of [false, true, false].entries()) {
        yield* told(nth === 0 ? 201 : 200, "PUT", path, { body: { ...body, paused } })
        const at = nth % addresses.length
        const others = [...addresses.slice(at), ...addresses.slice(0, at)]
        const heard = yield* follow(conversation, { addresses: others, after, until: [own, nth + 1] })
        generations.push(...heard.generations)
        after = heard.token
        yield* equal("listings", heard.resets, 0)
      }
      yield* equal("generations that were told", generations, [1, 2, 3])
    })
  },
  {
    name: "delete",
    states: "A fleet that is deleted leaves after the last of its instances, and its name is free",
    story: Effect.fnUntraced(function* (conversation, own) {
      const { told, until } = conversation
      const path = fleetPath(conversation, own)
      const body = { desired: 1, spec: specOf(conversation) }
      const made = yield* told(201, "PUT", path, { body })
      yield* untilStable(conversation, path)
      yield* told(202, "DELETE", path)
      yield* until("it is gone", path, ({ status }) => status === 404)
      yield* equal("instances that are left", yield* membersOf(conversation, own), [])
      const anew = yield* told(201, "PUT", path, { body: { ...body, desired: 0 } })
      yield* equal("that it is another", anew.document["createdAt"] === made.document["createdAt"], false)
    })
  },
  {
    name: "alone",
    states: "An instance by itself is made once, is deleted by its uid, and is gone when it was seen to be",
    story: Effect.fnUntraced(function* (conversation, own) {
      const { project, told, until } = conversation
      const path = `projects/${project}/instances`
      const body = { name: own, spec: specOf(conversation) }
      const made = yield* told(202, "POST", path, { body })
      const one = `instances/${String(made.document["uid"])}`
      const runs = Effect.gen(function* () {
        yield* until("it runs", one, ({ document }) => document["state"] === "RUNNING")
        const same = yield* told(200, "POST", path, { body })
        yield* equal("its uid", same.document["uid"], made.document["uid"])
        yield* told(409, "POST", path, { body: { ...body, spec: { ...body.spec, size: "large" } } })
      })
      yield* Effect.ensuring(runs, Effect.ignore(told(202, "DELETE", one)))
      yield* until("it is gone", one, ({ status }) => status === 404)
    })
  },
  {
    name: "pause",
    states: "A fleet that is paused is left as it is until its pause ends",
    story: Effect.fnUntraced(function* (conversation, own) {
      const { told } = conversation
      const path = fleetPath(conversation, own)
      const spec = specOf(conversation)
      yield* told(201, "PUT", path, { body: { desired: 1, spec } })
      yield* untilStable(conversation, path)
      yield* told(200, "PUT", path, { body: { desired: 1, spec, paused: true } })
      yield* told(200, "PUT", path, { body: { desired: 2, spec } })
      // Longer than a look at what is due takes.
      yield* Effect.sleep(2_500)
      yield* equal("how many there are", (yield* membersOf(conversation, own)).length, 1)
      yield* told(200, "PUT", path, { body: { desired: 2, spec, paused: false } })
      yield* untilStable(conversation, path)
      yield* equal("how many there are after it", (yield* membersOf(conversation, own)).length, 2)
      const kinds = (yield* eventsOf(conversation, own)).map(({ kind }) => kind)
      yield* equal(
        "what is told of pauses",
        kinds.filter((kind) => kind === "Paused" || kind === "Resumed"),
        ["Resumed", "Paused"]
      )
    })
  }
]

function untilStable({ until }: Conversation, path: string): Asked<Told> {
  return until("it is stable", `${path}?wait=stable&waitSeconds=5`, ({ status }) => status === 200)
}

type Item = Readonly<Record<"uid" | "state" | "deletionRequestedAt", unknown>>

function itemsOf({ document }: Told): ReadonlyArray<Item> {
  return (document["items"] ?? []) as ReadonlyArray<Item>
}

function membersOf({ project, told }: Conversation, fleet: string): Asked<ReadonlyArray<Item>> {
  return Effect.map(told(200, "GET", `projects/${project}/instances?fleet=${fleet}`), itemsOf)
}

/** The newest first. */
function eventsOf({ project, told }: Conversation, fleet: string): Asked<ReadonlyArray<Told["document"]>> {
  return Effect.map(
    told(200, "GET", `projects/${project}/events?fleet=${fleet}`),
    ({ document }) => (document["items"] ?? []) as ReadonlyArray<Told["document"]>
  )
}

/** What a watch of fleets tells until that generation of that fleet, or, without one, to the end of what is there. */
function follow(
  { patienceMillis, project }: Target,
  options: {
    readonly addresses: ReadonlyArray<string>
    readonly after?: Cursor | undefined
    readonly until: readonly [fleet: string, generation: number] | undefined
  }
): Asked<{ readonly generations: ReadonlyArray<unknown>; readonly resets: number; readonly token: Cursor }> {
  const { addresses, after, until } = options
  const generations: Array<unknown> = []
  let resets = 0
  const id = until === undefined ? undefined : `${project}/${until[0]}`
  const told = watch({
    addresses,
    path: `/v1/projects/${project}/watch?kinds=fleets`,
    ...(after === undefined ? {} : { after }),
    onFrame: (frame) => {
      if (frame._tag === "Reset") resets++
      if (frame._tag === "Changes") {
        const own = frame.changes.events.filter((event) => event.kind === "fleet" && event.id === id)
        generations.push(...own.map(({ document }) => document["generation"]))
      }
      const isEnough = until === undefined ? frame._tag !== "Reset" : generations.includes(until[1])
      const token = frame._tag === "Reset" ? undefined : frame.token
      return isEnough && token !== undefined ? Effect.fail({ _tag: "Enough" as const, token }) : Effect.void
    }
  })
  return told.pipe(
    Effect.timeoutOrElse({
      duration: patienceMillis,
      orElse: () =>
        Effect.fail(
          new Broken(`a watch of fleets did not tell of ${id ?? "what is there"} within ${patienceMillis / 1_000} s`)
        )
    }),
    Effect.catchTags({
      Enough: ({ token }) => Effect.succeed({ generations, resets, token }),
      WatchRefused: ({ message, status }) =>
        Effect.fail(new Broken(`a watch of fleets is refused: ${status} ${message}`))
    })
  )
}
