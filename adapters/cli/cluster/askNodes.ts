/** What the nodes of a cluster say of themselves, and who leads. */
import * as Effect from "effect/Effect"
import { failover, make } from "../../../core/client/Client.ts"
import { calling } from "../remote/calling.ts"
import type { Key } from "../serve/keyStore.ts"
import { type Told, leaderAmong } from "./ClusterStatus.ts"

const answerTimeoutMillis = 2_000
const lookMillis = 10

/** Of the first node that answers; nothing when none does. */
export const askNodes = (addresses: ReadonlyArray<string>, key: Key | undefined): Promise<Told> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const { ask } = yield* failover({ addresses, timeoutMillis: answerTimeoutMillis })
      const members = yield* ask((client) => client.inspection.members({ query: {} }))
      const leases = yield* ask((client) => client.inspection.leases({ query: {} }))
      const agents = yield* ask((client) => client.inspection.agents({ query: {} }))
      return { members: members.items, leases: leases.items, agents: agents.items }
    }).pipe(
      Effect.catch(() => Effect.succeed({ members: null, leases: null, agents: null })),
      Effect.provide(calling(key))
    )
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
          Effect.tap(() => Effect.sleep(`${lookMillis} millis`)),
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
