/**
 * The callers of the API: each asks for something every now and then, with a key for each request, and repeats it until it is
 * answered or its patience ends; it says which. Hazards make them duplicate, reuse keys, storm and give up.
 *
 * When the faults are over each of them, and one in a scenario without any, asks once for everything that can be asked for: the API
 * must answer again.
 */
import type { Envelope } from "../core/facts/Envelope.ts"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type { Client } from "../core/client/Client.ts"
import * as Clients from "../core/client/Client.ts"
import { emit } from "../core/facts/Facts.ts"
import { labelled } from "../core/facts/Label.ts"
import { type Invariant, Violation } from "../core/invariants/Invariant.ts"
import { canonicalJson } from "../core/json/canonicalJson.ts"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import type { World } from "../sim/run/World.ts"

export interface ClientsOptions {
  /** How many ask while there are faults. */
  readonly clients: number
  readonly addresses: ReadonlyArray<string>
  /** Each client, on average. */
  readonly requestsPerSecond: number
  /** No request begins after this moment. */
  readonly untilMicros: number
  readonly fleets: number
  readonly desiredMin: number
  readonly desiredMax: number
  /** How they reach the API. Default: with no key. */
  readonly http?: typeof SimHttpClient.layer
}

/** What tells one sending of a client from every other: its process, and what that counts. */
export const sendingOf = ({ incarnation, node }: Envelope, nth: number): string => `${node}/${incarnation}/${nth}`

/** A request goes out, once: without an answer to it, it may have been done. */
export interface ClientAsked {
  readonly _tag: "ClientAsked"
  /** Counts what this process of the client sends. */
  readonly nth: number
  /** Empty when it only reads. */
  readonly key: string
  /** What is asked for: `["put", name, payload]`, `["get", what, of]`. */
  readonly body: string
}

/** What was sent with that number is refused, as its key belongs to another request: it was certainly not done. */
export interface ClientRefused {
  readonly _tag: "ClientRefused"
  readonly nth: number
}

/** What a client was told. `answer` is the canonical document, refusals included. */
export interface ClientAnswered {
  readonly _tag: "ClientAnswered"
  /** Of the `ClientAsked` that was answered. */
  readonly nth: number
  readonly key: string
  readonly body: string
  readonly answer: string
}

/** Nobody answered in time, or with anything but "not now". */
export interface ClientGaveUp {
  readonly _tag: "ClientGaveUp"
  /** "put client-1-3", "list". */
  readonly what: string
  /** The last reason. */
  readonly because: string
  /** Every fault was over when it began to ask. */
  readonly isHealed: boolean
}

/** What a client was shown. `answer` is the canonical document, refusals included. */
export interface ClientRead {
  readonly _tag: "ClientRead"
  /** Of the `ClientAsked` that was answered. */
  readonly nth: number
  readonly what: "fleet" | "instance" | "instances" | "members" | "leases"
  /** The id of a fleet, the uid of an instance; empty when it asked for all. */
  readonly of: string
  readonly answer: string
}

export const project = "shop"
/** Patience differs: some wait for longer than a claim lasts. */
const timeoutMillisMin = 2_000
const timeoutMillisMax = 9_000
const attemptsMax = 12
/** When the faults are over, a node may still have to start, and a claim to run out. */
const healedPatienceMillis = 60_000
/** How often a client looks before it asks for something. */
const lookRatio = 0.25

export const build = (world: World, options: ClientsOptions): void => {
  for (let index = 1; index <= Math.max(1, options.clients); index++) {
    const name = `client-${index}`
    const isAsking = index <= options.clients
    const program = Effect.provide(run(world, name, options, isAsking), options.http ?? SimHttpClient.layer)
    world.addNode(name, program, { tags: ["client"], mustEnd: true }).start()
  }
}

interface Asking {
  /** Empty when it only reads. */
  readonly key: string
  readonly body: string
}

/** One request as it may be sent again and again. */
interface Request extends Asking {
  readonly kind: "put" | "create" | "delete"
  /** The same route with another body: what must be refused under the same key. */
  readonly other: (() => Request) | undefined
  readonly send: (client: Client, key: string) => Effect.Effect<unknown, { readonly _tag: string }>
}

/** Whom to ask next, and the how-manieth asking of this process that is. */
export type Pick = () => Effect.Effect<{ readonly client: Client; readonly nth: number }>

const run = (
  world: World,
  name: string,
  options: ClientsOptions,
  isAsking: boolean
): Effect.Effect<void, never, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const clients = yield* Effect.forEach(options.addresses, Clients.make)
    const uids: Array<string> = []
    let asked = 0
    const pick = () =>
      Effect.map(Random.nextIntBetween(0, clients.length - 1), (index) => ({
        client: clients[index] as Client,
        nth: ++asked
      }))
    if (!isAsking) yield* Effect.sleep(options.untilMicros / 1_000)
    for (let nth = 0, dueMicros = 0; ; nth++) {
      const key = `${name}-${nth}`
      dueMicros += ((0.5 + world.draw.child(key).fraction("pause")) * 1_000_000) / options.requestsPerSecond
      if (dueMicros >= options.untilMicros) break
      // What fell due while it was busy is not asked for: who is slow to answer is asked less.
      if (dueMicros < world.nowMicros) continue
      yield* Effect.sleep((dueMicros - world.nowMicros) / 1_000)
      if (world.draw.child(key).happens("look", lookRatio)) {
        yield* operation(world, `${key}/look`, () => glance(uids, pick, options))
      }
      yield* operation(world, key, () => ask(world, name, nth, uids, pick, options))
    }
    yield* operation(world, `${name}/probe`, () => labelled("probe", probe(name, pick)))
  })

/** An operation that may be left out, and that draws from a stream of its own: leaving it out moves no other. */
const operation = (world: World, key: string, body: () => Effect.Effect<void>): Effect.Effect<void> =>
  Effect.suspend(() =>
    world.operation(key) ? Effect.provideService(body(), Random.Random, world.draw.child(key).random()) : Effect.void
  )

const glance = (uids: ReadonlyArray<string>, pick: Pick, options: ClientsOptions): Effect.Effect<void> =>
  Effect.gen(function* () {
    const read = yield* drawRead(uids, options)
    yield* labelled(`look ${read.what}`, look(read, pick, polite))
  })

const ask = (
  world: World,
  name: string,
  nth: number,
  uids: Array<string>,
  pick: Pick,
  options: ClientsOptions
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const request = yield* draw(`${name}-${nth}`, uids, options)
    yield* labelled(`request ${request.key}`, misbehave(world, name, nth, request, pick))
  })

/** Everything that can be asked for, once; what it asks for is its own, so that no wish from before is repeated by it. */
const probe = (name: string, pick: Pick): Effect.Effect<void> =>
  Effect.gen(function* () {
    const fleet = `probe-${name}`
    const uids: Array<string> = []
    yield* persist(putFleet(`${fleet}-put`, fleet, 1), pick, healed)
    yield* look(readFleet(fleet), pick, healed)
    yield* persist(create(`${fleet}-create`, fleet, uids), pick, healed)
    yield* look(readInstances, pick, healed)
    for (const uid of uids) {
      yield* look(readInstance(uid), pick, healed)
      yield* persist(remove(`${fleet}-delete`, uid), pick, healed)
      yield* look(readInstance(uid), pick, healed)
    }
    yield* look(readInstances, pick, healed)
    yield* look(readMembers, pick, healed)
    yield* look(readLeases, pick, healed)
  })

interface Read {
  readonly what: ClientRead["what"]
  readonly of: string
  readonly send: (client: Client) => Effect.Effect<unknown, { readonly _tag: string }>
}

const drawRead = (uids: ReadonlyArray<string>, options: ClientsOptions): Effect.Effect<Read> =>
  Effect.gen(function* () {
    const what = yield* Random.next
    if (what < 0.4) return readFleet(`fleet-${yield* Random.nextIntBetween(1, options.fleets)}`)
    if (what < 0.7 || uids.length === 0) return readInstances
    return readInstance(uids[yield* Random.nextIntBetween(0, uids.length - 1)] as string)
  })

const readFleet = (name: string): Read => ({
  what: "fleet",
  of: `${project}/${name}`,
  send: (client) => client.fleets.get({ params: { project, name }, query: {} })
})

const readInstance = (uid: string): Read => ({
  what: "instance",
  of: uid,
  send: (client) => client.instances.get({ params: { uid } })
})

const readInstances: Read = {
  what: "instances",
  of: "",
  send: (client) => Effect.map(client.instances.list({ params: { project }, query: {} }), ({ items }) => items)
}

const readMembers: Read = {
  what: "members",
  of: "",
  send: (client) => Effect.map(client.inspection.members({ query: {} }), ({ items }) => items)
}

const readLeases: Read = {
  what: "leases",
  of: "",
  send: (client) => Effect.map(client.inspection.leases({ query: {} }), ({ items }) => items)
}

const draw = (key: string, uids: Array<string>, options: ClientsOptions): Effect.Effect<Request> =>
  Effect.gen(function* () {
    const what = yield* Random.next
    if (what < 0.4) {
      const fleet = `fleet-${yield* Random.nextIntBetween(1, options.fleets)}`
      return putFleet(key, fleet, yield* Random.nextIntBetween(options.desiredMin, options.desiredMax))
    }
    if (what < 0.7 || uids.length === 0) {
      return create(key, `box-${yield* Random.nextIntBetween(1, 6)}`, uids)
    }
    const index = yield* Random.nextIntBetween(0, uids.length - 1)
    return remove(key, uids[index] as string)
  })

/** `isPaused` undefined: it is as it was. */
export const putFleet = (key: string, name: string, desired: number, isPaused?: boolean): Request => {
  const pause = isPaused === undefined ? {} : { paused: isPaused }
  const payload = { desired, spec: { image: name, size: "small" }, ...pause } as const
  return {
    kind: "put",
    key,
    body: canonicalJson(["put", name, payload]),
    other: () => putFleet(key, name, desired + 1, isPaused),
    send: (client, sentKey) =>
      client.fleets.put({ params: { project, name }, query: {}, headers: { "idempotency-key": sentKey }, payload })
  }
}

const create = (key: string, name: string, uids: Array<string>): Request => {
  const payload = { name, spec: { image: "box", size: "small" } } as const
  return {
    kind: "create",
    key,
    body: canonicalJson(["create", payload]),
    other: () => create(key, `other-${name}`, uids),
    send: (client, sentKey) =>
      client.instances
        .create({ params: { project }, query: {}, headers: { "idempotency-key": sentKey }, payload })
        .pipe(
          Effect.tap(({ uid }) =>
            Effect.sync(() => {
              if (!uids.includes(uid)) uids.push(uid)
            })
          )
        )
  }
}

const remove = (key: string, uid: string): Request => ({
  kind: "delete",
  key,
  body: canonicalJson(["delete", uid]),
  other: undefined,
  send: (client, sentKey) =>
    client.instances.delete({ params: { uid }, query: {}, headers: { "idempotency-key": sentKey } })
})

const patience = Effect.map(
  Random.next,
  (fraction) => timeoutMillisMin + fraction * (timeoutMillisMax - timeoutMillisMin)
)

/** Refusals that are answers: they are stored with the key, and come again. */
const isAnswer = (error: { readonly _tag: string }): boolean => error._tag === "NotFound" || error._tag === "BadRequest"

/** How a request is repeated. */
interface Manner {
  /** Between two attempts, at first; it grows. */
  readonly pauseMillis: number
  readonly onRepeat: () => void
  /** Asks for as long as an API may be without an answer when all is well, instead of so many times. */
  readonly isHealed: boolean
}

const polite: Manner = { pauseMillis: 300, onRepeat: () => undefined, isHealed: false }
const healed: Manner = { ...polite, isHealed: true }

/** Sends until answered; a refusal because the first attempt still runs is no answer. Returns whether there was one. */
export const persist = (request: Request, pick: Pick, manner: Manner = polite): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const what = `${request.kind} ${request.key}`
    const answer = yield* insist(what, request, (client) => request.send(client, request.key), pick, manner)
    if (answer === undefined) return false
    yield* answered(request, answer)
    return true
  })

const look = ({ of, send, what }: Read, pick: Pick, manner: Manner): Effect.Effect<void> =>
  Effect.gen(function* () {
    const request = { key: "", body: canonicalJson(["get", what, of]) }
    const answer = yield* insist(`get ${what} ${of}`, request, send, pick, manner)
    if (answer === undefined) return
    const { document, nth } = answer
    yield* emit<ClientRead>({ _tag: "ClientRead", nth, what, of, answer: canonicalJson(document) })
  })

/** The first answer; undefined, and said so, when patience ends before it comes. */
const insist = (
  what: string,
  request: Asking,
  send: Read["send"],
  pick: Pick,
  manner: Manner
): Effect.Effect<Answer | undefined> =>
  Effect.gen(function* () {
    let because = ""
    const attempts = Effect.gen(function* () {
      for (let attempt = 0; manner.isHealed || attempt < attemptsMax; attempt++) {
        if (attempt > 0) manner.onRepeat()
        const { client, nth } = yield* pick()
        const timeoutMillis = yield* patience
        yield* asks(nth, request)
        const result = yield* Effect.result(Effect.timeoutOption(send(client), timeoutMillis))
        if (result._tag === "Success" && result.success._tag === "Some") return { nth, document: result.success.value }
        if (result._tag === "Failure" && isAnswer(result.failure)) return { nth, document: result.failure }
        if (result._tag === "Failure") yield* refused(nth, result.failure)
        because = result._tag === "Failure" ? result.failure._tag : "no answer"
        const pause = (yield* Random.next) * manner.pauseMillis * 2 ** Math.min(attempt, 3)
        yield* Effect.sleep(pause)
      }
      return undefined
    })
    const answer = manner.isHealed
      ? Option.getOrUndefined(yield* Effect.timeoutOption(attempts, healedPatienceMillis))
      : yield* attempts
    const { isHealed } = manner
    if (answer === undefined) yield* emit<ClientGaveUp>({ _tag: "ClientGaveUp", what, because, isHealed })
    return answer
  })

interface Answer {
  readonly nth: number
  readonly document: unknown
}

const asks = (nth: number, { body, key }: Asking) => emit<ClientAsked>({ _tag: "ClientAsked", nth, key, body })

const answered = ({ body, key }: Asking, { document, nth }: Answer) =>
  emit<ClientAnswered>({ _tag: "ClientAnswered", nth, key, body, answer: canonicalJson(document) })

const refused = (nth: number, { _tag }: { readonly _tag: string }) =>
  _tag === "KeyReused" ? emit<ClientRefused>({ _tag: "ClientRefused", nth }) : Effect.void

const misbehave = (world: World, name: string, nth: number, request: Request, pick: Pick): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { hazards } = world
    const strikes = (kind: string) => hazards.strike(`clients/${kind}`, name, nth) !== undefined
    const effect = (kind: string) => world.kernel.facts.effect(`clients/${kind}`)
    if (strikes("abandoned")) {
      const after = (yield* Random.next) * 400
      const { client, nth } = yield* pick()
      yield* asks(nth, request)
      const outcome = yield* Effect.result(Effect.timeoutOption(request.send(client, request.key), after))
      if (outcome._tag === "Success" && outcome.success._tag === "None") effect("abandoned")
      return
    }
    const storm: Manner = { ...polite, pauseMillis: 0, onRepeat: () => effect("retry-storm") }
    const manner = strikes("retry-storm") ? storm : polite
    let isAnswered: boolean
    if (strikes("concurrent-duplicates")) {
      const all = yield* Effect.all(
        // Each draws from a stream of its own: what one is answered, and when, moves no other.
        [1, 2, 3].map((copy) => {
          const random = world.draw.child(request.key).child(`copy-${copy}`).random()
          return Effect.provideService(persist(request, pick, manner), Random.Random, random)
        }),
        { concurrency: "unbounded" }
      )
      const times = all.filter((each) => each).length
      if (times > 1) effect("concurrent-duplicates")
      isAnswered = times > 0
    } else isAnswered = yield* persist(request, pick, manner)
    // What follows begins with an answer.
    if (!isAnswered) return
    if (strikes("duplicate-retry") && (yield* persist(request, pick))) effect("duplicate-retry")
    if (request.other === undefined || !strikes("other-body")) return
    const other = request.other()
    const asking = yield* pick()
    yield* asks(asking.nth, other)
    const outcome = yield* Effect.result(Effect.timeoutOption(other.send(asking.client, request.key), yield* patience))
    if (outcome._tag === "Success" && outcome.success._tag === "Some") {
      yield* answered(other, { nth: asking.nth, document: outcome.success.value })
    }
    if (outcome._tag === "Failure") yield* refused(asking.nth, outcome.failure)
    if (outcome._tag === "Failure" && outcome.failure._tag === "KeyReused") effect("other-body")
  })

/**
 * What clients see of idempotency: one key has one body and one answer for ever (IETF draft-ietf-httpapi-idempotency-key,
 * sections 2.5 and 2.6).
 */
export const answersAgree: Invariant<Map<string, { readonly body: string; readonly answer: string }>> = {
  name: "answers-agree",
  states: "every answer to one idempotency key is the same, and none is for another body",
  initial: () => new Map(),
  step: (seen, { fact }) => {
    if (fact._tag !== "ClientAnswered") return seen
    const { key, body, answer } = fact as unknown as ClientAnswered
    const first = seen.get(key)
    if (first === undefined) return seen.set(key, { body, answer })
    if (first.body !== body) {
      return new Violation(`key ${key} was answered for two different requests`, {
        key,
        first: first.body,
        second: body
      })
    }
    if (first.answer === answer) return seen
    return new Violation(`key ${key} was answered in two ways`, { key, first: first.answer, second: answer })
  }
}
