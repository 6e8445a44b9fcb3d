/** What the nodes of a cluster say of themselves, and who leads. */
import * as Effect from "effect/Effect"
import { type Client, make } from "../../../core/client/Client.ts"
import { calling } from "../remote/calling.ts"
import type { Key } from "../serve/keyStore.ts"
import { type Told, leaderAmong } from "./ClusterStatus.ts"

const answerTimeoutMillis = 2_000
const lookMillis = 10

/** Of the node that answers first, as all are asked at once: one that is silent holds nobody up. Nothing when none does in time. */
export const askNodes = (addresses: ReadonlyArray<string>, key: Key | undefined): Promise<Told> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const clients = yield* Effect.forEach(addresses, make)
      return yield* Effect.raceAll(clients.map(told))
    }).pipe(
      Effect.timeoutOption(`${answerTimeoutMillis} millis`),
      Effect.map((answer) => (answer._tag === "Some" ? answer.value : nothing)),
      Effect.catch(() => Effect.succeed(nothing)),
      Effect.provide(calling(key))
    )
  )

const nothing: Told = { members: null, leases: null, agents: null }

const told = ({ inspection }: Client) =>
  Effect.all([inspection.members({ query: {} }), inspection.leases({ query: {} }), inspection.agents({ query: {} })], {
    concurrency: "unbounded"
  }).pipe(
    Effect.map(([members, leases, agents]): Told => ({
      members: members.items,
      leases: leases.items,
      agents: agents.items
    }))
  )

export interface Taken {
  /** "n2/1". */
  readonly holder: string
  readonly epoch: number
  /** By the database's clock. */
  readonly acquiredAtMicros: number
}

/**
 * Waits until somebody holds the leader's lease in a later epoch, as one node after the other tells it, each asked every 10 ms; undefined
 * when nobody does in time.
 */
export const untilTaken = (
  addresses: ReadonlyArray<string>,
  options: { readonly key: Key | undefined; readonly epoch: number; readonly withinMillis: number }
): Promise<Taken | undefined> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const clients = yield* Effect.forEach(addresses, make)
      const watch = (client: (typeof clients)[number]) =>
        client.inspection.leases({ query: {} }).pipe(
          Effect.timeoutOption(`${answerTimeoutMillis} millis`),
          Effect.map((answer) => (answer._tag === "Some" ? takenSince(options.epoch, answer.value.items) : undefined)),
          Effect.catch(() => Effect.succeed(undefined)),
          Effect.tap((taken) => (taken === undefined ? Effect.sleep(`${lookMillis} millis`) : Effect.void)),
          Effect.repeat({ until: (taken) => taken !== undefined })
        )
      return yield* Effect.raceAllFirst(clients.map(watch))
    }).pipe(
      Effect.timeoutOption(`${options.withinMillis} millis`),
      Effect.map((taken) => (taken._tag === "Some" ? taken.value : undefined)),
      Effect.provide(calling(options.key))
    )
  )

function takenSince(epoch: number, leases: NonNullable<Told["leases"]>): Taken | undefined {
  const leader = leaderAmong({ leases, members: [] })
  if (leader === undefined || leader.epoch <= epoch) return undefined
  return { holder: leader.holder, epoch: leader.epoch, acquiredAtMicros: leader.acquiredAt }
}
