/**
 * The callers of the API: each asks for something every now and then, with a key for each request, and repeats it until it is
 * answered or its patience ends. Hazards make them duplicate, reuse keys, storm and give up.
 */
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
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
  readonly clients: number
  readonly addresses: ReadonlyArray<string>
  /** Each client, on average. */
  readonly requestsPerSecond: number
  /** No request begins after this moment. */
  readonly untilMicros: number
  readonly fleets: number
  readonly desiredMin: number
  readonly desiredMax: number
}

/** What a client was told. `answer` is the canonical document, refusals included. */
export interface ClientAnswered {
  readonly _tag: "ClientAnswered"
  readonly key: string
  readonly body: string
  readonly answer: string
}

const project = "shop"
/** Patience differs: some wait for longer than a claim lasts. */
const timeoutMillisMin = 2_000
const timeoutMillisMax = 9_000
const attemptsMax = 12

export const build = (world: World, options: ClientsOptions): void => {
  for (let index = 1; index <= options.clients; index++) {
    const name = `client-${index}`
    const program = Effect.provide(run(world, name, options), SimHttpClient.layer)
    world.addNode(name, program, { tags: ["client"], mustEnd: true }).start()
  }
}

/** One request as it may be sent again and again. */
interface Request {
  readonly key: string
  readonly body: string
  /** The same route with another body: what must be refused under the same key. */
  readonly other: (() => Request) | undefined
  readonly send: (client: Client, key: string) => Effect.Effect<unknown, { readonly _tag: string }>
}

const run = (world: World, name: string, options: ClientsOptions): Effect.Effect<void, never, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const clients = yield* Effect.forEach(options.addresses, Clients.make)
    const uids: Array<string> = []
    const pick = () => Effect.map(Random.nextIntBetween(0, clients.length - 1), (index) => clients[index] as Client)
    for (let nth = 0; world.nowMicros < options.untilMicros; nth++) {
      const fraction = yield* Random.next
      yield* Effect.sleep(((0.5 + fraction) * 1_000) / options.requestsPerSecond)
      const request = yield* draw(`${name}-${nth}`, uids, options)
      yield* labelled(`request ${request.key}`, misbehave(world, name, nth, request, pick))
    }
  })

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

export const putFleet = (key: string, name: string, desired: number): Request => {
  const payload = { desired, spec: { image: name, size: "small" } } as const
  return {
    key,
    body: canonicalJson(["put", name, payload]),
    other: () => putFleet(key, name, desired + 1),
    send: (client, sentKey) =>
      client.fleets.put({ params: { project, name }, headers: { "idempotency-key": sentKey }, payload })
  }
}

const create = (key: string, name: string, uids: Array<string>): Request => {
  const payload = { name, spec: { image: "box", size: "small" } } as const
  return {
    key,
    body: canonicalJson(["create", payload]),
    other: () => create(key, `other-${name}`, uids),
    send: (client, sentKey) =>
      client.instances.create({ params: { project }, headers: { "idempotency-key": sentKey }, payload }).pipe(
        Effect.tap(({ uid }) =>
          Effect.sync(() => {
            if (!uids.includes(uid)) uids.push(uid)
          })
        )
      )
  }
}

const remove = (key: string, uid: string): Request => ({
  key,
  body: canonicalJson(["delete", uid]),
  other: undefined,
  send: (client, sentKey) => client.instances.delete({ params: { uid }, headers: { "idempotency-key": sentKey } })
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
}

const polite: Manner = { pauseMillis: 300, onRepeat: () => undefined }

/** Sends until answered; a refusal because the first attempt still runs is no answer. Returns whether there was one. */
export const persist = (
  request: Request,
  pick: () => Effect.Effect<Client>,
  manner: Manner = polite
): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      if (attempt > 0) manner.onRepeat()
      const client = yield* pick()
      const timeoutMillis = yield* patience
      const result = yield* Effect.result(Effect.timeoutOption(request.send(client, request.key), timeoutMillis))
      if (result._tag === "Success" && result.success._tag === "Some") {
        yield* answered(request, result.success.value)
        return true
      }
      if (result._tag === "Failure" && isAnswer(result.failure)) {
        yield* answered(request, result.failure)
        return true
      }
      const pause = (yield* Random.next) * manner.pauseMillis * 2 ** Math.min(attempt, 3)
      yield* Effect.sleep(pause)
    }
    return false
  })

const answered = (request: Request, answer: unknown) =>
  emit<ClientAnswered>({ _tag: "ClientAnswered", key: request.key, body: request.body, answer: canonicalJson(answer) })

const misbehave = (
  world: World,
  name: string,
  nth: number,
  request: Request,
  pick: () => Effect.Effect<Client>
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { hazards } = world
    const strikes = (kind: string) => hazards.strike(`clients/${kind}`, name, nth) !== undefined
    const effect = (kind: string) => world.kernel.facts.effect(`clients/${kind}`)
    if (strikes("abandoned")) {
      const after = (yield* Random.next) * 400
      const outcome = yield* Effect.result(Effect.timeoutOption(request.send(yield* pick(), request.key), after))
      if (outcome._tag === "Success" && outcome.success._tag === "None") effect("abandoned")
      return
    }
    const storm: Manner = { pauseMillis: 0, onRepeat: () => effect("retry-storm") }
    const manner = strikes("retry-storm") ? storm : polite
    let isAnswered: boolean
    if (strikes("concurrent-duplicates")) {
      const all = yield* Effect.all(
        [1, 2, 3].map(() => persist(request, pick, manner)),
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
    const outcome = yield* Effect.result(Effect.timeoutOption(other.send(yield* pick(), request.key), yield* patience))
    if (outcome._tag === "Success" && outcome.success._tag === "Some") yield* answered(other, outcome.success.value)
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
