/** The fast twin of the storages of `effect/cluster`, and those on Postgres, which is PGlite here: whatever is asked of them, both say the same. */
import { assert, describe, it } from "@effect/vitest"
import * as EntityAddress from "effect/cluster/EntityAddress"
import * as EntityId from "effect/cluster/EntityId"
import * as EntityType from "effect/cluster/EntityType"
import type * as Envelope from "effect/cluster/Envelope"
import type { Encoded } from "effect/cluster/MessageStorage"
import type * as Reply from "effect/cluster/Reply"
import * as Runner from "effect/cluster/Runner"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as ShardId from "effect/cluster/ShardId"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as Snowflake from "effect/cluster/Snowflake"
import * as SqlMessageStorage from "effect/cluster/SqlMessageStorage"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fc from "fast-check"
import { emit } from "../../core/facts/Facts.ts"
import * as SimDigest from "../node/SimDigest.ts"
import { requireSql } from "../run/requireSql.ts"
import { World } from "../run/World.ts"
import { type Databases, model } from "../storage/Databases.ts"
import * as ClusterStore from "./ClusterStore.ts"
import { MessageTable, UniqueViolation } from "./MessageTable.ts"

const worldOf = (databases: Databases) => {
  const world = new World({ seed: "1", databases, isCalm: true })
  ClusterStore.start(world)
  return world
}

/** What a program on a node of the world says, in order. */
const saidBy = (world: World, program: (say: (what: unknown) => void) => Parameters<World["addNode"]>[1]) => {
  const said: Array<unknown> = []
  const ending = Effect.andThen(
    program((what) => said.push(what)),
    emit({ _tag: "Ended" } as never)
  )
  world.addNode("r", ending).start()
  world.runUntil(({ fact }) => (fact._tag as string) === "Ended", { within: "24h" })
  return said
}

export const sameLocks = (pglite: () => Databases) =>
  describe("locks of shards and runners", () => {
    const shards = [1, 2, 3].map((id) => ShardId.make("default", id))
    const addresses = ["r1", "r2", "r3"].map((name) => RunnerAddress.make(name, 1))
    const runners = addresses.map((address) => Runner.make({ address, groups: ["default"], weight: 1 }))

    const runner = fc.nat({ max: 2 })
    const some = fc.subarray([0, 1, 2], { minLength: 1 })
    // Locks last for 35 s: never nearly so long.
    const seconds = fc.constantFrom(8, 16, 20, 36)
    const operation = fc.oneof(
      { weight: 4, arbitrary: fc.tuple(fc.constant("acquire"), runner, some) },
      { weight: 3, arbitrary: fc.tuple(fc.constant("refresh"), runner, fc.subarray([0, 1, 2])) },
      { weight: 2, arbitrary: fc.tuple(fc.constant("pass"), seconds) },
      fc.tuple(fc.constant("release"), runner, fc.nat({ max: 2 })),
      fc.tuple(fc.constantFrom("releaseAll", "unregister"), runner),
      fc.tuple(fc.constantFrom("register", "setRunnerHealth"), runner, fc.boolean()),
      { weight: 3, arbitrary: fc.tuple(fc.constant("getRunners")) }
    ) as fc.Arbitrary<readonly [string, ...ReadonlyArray<never>]>

    const inWords = (answer: unknown): unknown => {
      if (!Array.isArray(answer)) return answer
      return answer
        .map((each) => (Array.isArray(each) ? `${each[0].address.host} ${each[1]}` : String(each)))
        .toSorted()
    }

    const play = (databases: Databases, operations: ReadonlyArray<readonly [string, ...ReadonlyArray<never>]>) => {
      const world = worldOf(databases)
      return saidBy(world, (say) =>
        Effect.gen(function* () {
          const storage = yield* RunnerStorage.RunnerStorage
          const does: Readonly<Record<string, (runner: number, of: never) => Effect.Effect<unknown, unknown>>> = {
            acquire: (nth, of: ReadonlyArray<number>) =>
              storage.acquire(
                addresses[nth]!,
                of.map((shard) => shards[shard]!)
              ),
            refresh: (nth, of: ReadonlyArray<number>) =>
              storage.refresh(
                addresses[nth]!,
                of.map((shard) => shards[shard]!)
              ),
            release: (nth, of: number) => storage.release(addresses[nth]!, shards[of]!),
            releaseAll: (nth) => storage.releaseAll(addresses[nth]!),
            register: (nth, of: boolean) => storage.register(runners[nth]!, of),
            unregister: (nth) => storage.unregister(addresses[nth]!),
            setRunnerHealth: (nth, of: boolean) => storage.setRunnerHealth(addresses[nth]!, of),
            getRunners: () => storage.getRunners,
            pass: (seconds) => Effect.sleep(`${seconds} seconds`)
          }
          for (const [name, ...of] of operations) say([name, ...of, inWords(yield* does[name]!(of[0]!, of[1]!))])
        }).pipe(
          Effect.provide(
            Layer.provide(ClusterStore.layer(world), ShardingConfig.layer({ shardLockDisableAdvisory: true }))
          )
        )
      )
    }

    it("are on the twin what they are in SqlRunnerStorage", () => {
      fc.assert(
        fc.property(fc.array(operation, { minLength: 30, maxLength: 60, size: "max" }), (operations) => {
          assert.deepStrictEqual(play(model, operations), play(pglite(), operations))
        }),
        { numRuns: 6 }
      )
    })
  })

export const sameMessages = (pglite: () => Databases) =>
  describe("messages and replies", () => {
    const places = ["a", "b", "a"].map((id, nth) =>
      EntityAddress.make({
        shardId: ShardId.make("default", nth === 2 ? 2 : 1),
        entityType: EntityType.make("Counter"),
        entityId: EntityId.make(id)
      })
    )
    const addressOf = (place: number): Envelope.Encoded["address"] => {
      const { entityId, entityType, shardId } = places[place]!
      return { entityId, entityType, shardId: { group: shardId.group, id: shardId.id } }
    }
    const flake = (id: number) => Snowflake.Snowflake(String(id))
    const beginMillis = Date.UTC(2030, 0, 1)

    const place = fc.nat({ max: 2 })
    const request = fc.integer({ min: 1, max: 3 })
    const requests = fc.subarray([1, 2, 3], { minLength: 1 })
    const chunk = fc.nat({ max: 2 })
    const idOf = (request: number, nth: number) => String(request * 100 + nth)

    const saveRequest = fc.tuple(
      request,
      place,
      fc.option(fc.constantFrom("k1", "k2", `k${"3".repeat(300)}`)),
      fc.option(fc.constantFrom(0, 11 * 60_000 + 1)),
      fc.option(fc.constantFrom("yes", "no"))
    )
    const requestMade = saveRequest.map(([id, of, primaryKey, laterMillis, traced]): Operation => {
      const span = traced === null ? {} : { traceId: "t", spanId: "s", sampled: traced === "yes" }
      const envelope = {
        _tag: "Request",
        requestId: String(id),
        address: addressOf(of),
        tag: "Increment",
        payload: { by: id },
        headers: { of: "test" },
        ...span
      } as const
      const deliverAt = laterMillis === null ? null : beginMillis + laterMillis
      return ["saveEnvelope", { envelope, primaryKey, deliverAt }]
    })
    const signalMade = fc
      .tuple(request, fc.constantFrom("AckChunk", "Interrupt"), chunk, place)
      .map(([of, _tag, nth, at]): Operation => {
        const requestId = String(of)
        const id = idOf(of, (_tag === "AckChunk" ? 10 : 20) + nth)
        const replyId = _tag === "AckChunk" ? { replyId: idOf(of, nth) } : {}
        const envelope = { _tag, id, requestId, address: addressOf(at), ...replyId } as Envelope.Encoded
        return ["saveEnvelope", { envelope, primaryKey: null, deliverAt: null }]
      })
    const replyMade = fc
      .tuple(request, fc.option(chunk), fc.nat({ max: 1 }))
      .map(([of, sequence, again]): Operation => {
        const requestId = String(of)
        const reply: Reply.Encoded =
          sequence === null
            ? { _tag: "WithExit", id: idOf(of, 5 + again), requestId, exit: { _tag: "Success", value: of } }
            : { _tag: "Chunk", id: idOf(of, sequence + again * 30), requestId, sequence, values: [sequence] }
        return ["saveReply", reply]
      })

    type Operation = readonly [keyof Encoded | "pass", ...ReadonlyArray<unknown>]
    const now = "now"

    const operation: fc.Arbitrary<Operation> = fc.oneof(
      { weight: 4, arbitrary: requestMade },
      { weight: 3, arbitrary: signalMade },
      { weight: 4, arbitrary: replyMade },
      {
        weight: 5,
        arbitrary: fc.tuple(
          fc.constant("unprocessedMessages" as const),
          fc.subarray(["default:1", "default:2"], { minLength: 1 }),
          fc.constant(now),
          fc.option(
            fc.record(
              { limit: fc.nat({ max: 2 }), addresses: fc.subarray([0, 1, 2]).map((of) => of.map((at) => places[at]!)) },
              { requiredKeys: [] }
            ),
            { nil: undefined, freq: 1 }
          )
        )
      },
      fc.tuple(
        fc.constant("unprocessedMessagesById" as const),
        fc.subarray([1, 2, 3, 110, 220], { minLength: 1 }).map((ids) => ids.map(flake)),
        fc.constant(now)
      ),
      fc.tuple(
        fc.constantFrom("repliesFor" as const, "repliesForUnfiltered" as const),
        requests.map((ids) => ids.map(String))
      ),
      fc.tuple(
        fc.constant("clearReplies" as const),
        request.map(flake),
        fc.option(
          fc
            .tuple(request, fc.constantFrom(0, 5, 6))
            .map(([of, nth]) => ({ expectedReplyId: flake(Number(idOf(of, nth))) })),
          { nil: undefined }
        )
      ),
      fc.tuple(fc.constant("requestIdForPrimaryKey" as const), fc.constantFrom("k1", "k2", `k${"3".repeat(300)}`)),
      fc.tuple(
        fc.constant("resetRequests" as const),
        requests.map((ids) => ids.map(flake))
      ),
      fc.tuple(
        fc.constant("resetAddresses" as const),
        fc.subarray([0, 1, 2]).map((of) => of.map((at) => places[at]!))
      ),
      fc.tuple(fc.constant("resetShards" as const), fc.subarray(["default:1", "default:2"], { minLength: 1 })),
      fc.tuple(
        fc.constant("clearAddress" as const),
        place.map((at) => places[at]!)
      ),
      // Who has read a message keeps it for 10 minutes: never nearly so long.
      { weight: 3, arbitrary: fc.tuple(fc.constant("pass" as const), fc.constantFrom(4, 8)) }
    )

    /** As text: ids are numbers here and there. */
    const inWords = (answer: unknown): unknown =>
      answer === undefined
        ? undefined
        : (JSON.parse(
            JSON.stringify(answer, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value))
          ) as unknown)

    const withNow = (operands: ReadonlyArray<unknown>, millis: number) =>
      operands.map((operand) => (operand === now ? millis : operand))

    const onSql = (operations: ReadonlyArray<Operation>) => {
      const world = worldOf(pglite())
      return saidBy(world, (say) =>
        Effect.gen(function* () {
          const encoded = yield* SqlMessageStorage.makeEncoded()
          let passedMillis = 0
          for (const [name, ...operands] of operations) {
            if (name === "pass") {
              passedMillis += Number(operands[0]) * 60_000
              yield* Effect.sleep(`${Number(operands[0])} minutes`)
              continue
            }
            const method = encoded[name] as (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>
            const answer = Effect.map(method(...withNow(operands, beginMillis + passedMillis)), inWords)
            say([name, yield* Effect.orElseSucceed(answer, () => "refused")])
          }
        }).pipe(Effect.provide([requireSql(world).client({ database: "store" }), SimDigest.layer]))
      )
    }

    const onTwin = (operations: ReadonlyArray<Operation>) => {
      const table = new MessageTable()
      const said: Array<unknown> = []
      let nowMillis = beginMillis
      for (const [name, ...operands] of operations) {
        if (name === "pass") {
          nowMillis += Number(operands[0]) * 60_000
          continue
        }
        const method = table[name as keyof MessageTable] as (...args: ReadonlyArray<unknown>) => unknown
        try {
          said.push([name, inWords(method.call(table, nowMillis, ...withNow(operands, nowMillis)))])
        } catch (error) {
          if (!(error instanceof UniqueViolation)) throw error
          said.push([name, "refused"])
        }
      }
      return said
    }

    it("are on the twin what they are in SqlMessageStorage", () => {
      fc.assert(
        fc.property(fc.array(operation, { minLength: 40, maxLength: 100, size: "max" }), (operations) => {
          assert.deepStrictEqual(onTwin(operations), onSql(operations))
        }),
        { numRuns: 8 }
      )
    })
  })
