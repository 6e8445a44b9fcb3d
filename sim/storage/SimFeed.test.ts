/** The change feed of simulated nodes: its laws, and across faults that a real one cannot be given at will. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { feedContract, tables } from "../../adapters/postgres/FeedContract.fixture.ts"
import { follow } from "../../core/feed/follow.ts"
import { emit } from "../../core/facts/Facts.ts"
import { Replica } from "../../core/ports/Replica.fixture.ts"
import { Storage } from "../../core/ports/Storage.ts"
import { integer, make } from "../../core/ports/Table.ts"
import * as Schedule from "../kernel/Schedule.ts"
import { World } from "../run/World.ts"
import { SimDatabase } from "./SimDatabase.ts"
import * as SimFeed from "./SimFeed.ts"
import * as SimStorage from "./SimStorage.ts"

feedContract("the model", (program) =>
  Effect.suspend(() => {
    const world = new World({ seed: "1", strategy: Schedule.random })
    world.addNode("database", new SimDatabase(world, { tables }).program).start()
    let ended: Exit.Exit<void, unknown> | undefined
    const law = Effect.map(Effect.exit(Effect.scoped(program)), (exit) => {
      ended = exit
    })
    world.addNode("law", Effect.provide(law, Layer.merge(SimStorage.layer(), SimFeed.layer()))).start()
    world.run("120s")
    return ended ?? Effect.die(new Error("the law has not ended after 120 s"))
  })
)

const counters = make("counters", { columns: { id: integer, value: integer }, primaryKey: ["id"] })

/** A writer, who inserts one row after the other, and a follower. */
class Story {
  readonly world = new World({ seed: "1" })
  readonly database = new SimDatabase(this.world, { tables: [counters] })
  readonly replica = new Replica()
  listings = 0
  written = 0
  /** When the follower was given its last change. */
  knewAtMicros = 0

  constructor() {
    this.world.addNode("database", this.database.program).start()
    const following = follow({
      tables: [counters],
      onListing: (listing) =>
        Effect.sync(() => {
          this.listings++
          this.replica.list(listing, [counters])
        }),
      onBatch: ({ changes }) =>
        Effect.sync(() => {
          this.replica.apply(changes)
          this.knewAtMicros = this.world.nowMicros
        })
    })
    this.world.addNode("follower", Effect.provide(Effect.scoped(following), SimFeed.layer())).start()
    this.world.run("1s")
  }

  /** Inserts as many rows, each as soon as it can, and lets some time pass. */
  write(rows: number, forText: string): void {
    const writing = Effect.flatMap(Storage, ({ once }) =>
      Effect.forEach(Array.from({ length: rows }), () =>
        once((t) => t.insert(counters, { id: ++this.written, value: 0 }), { label: "write" })
      )
    )
    const name = `writer-${this.written}`
    this.world
      .addNode(name, Effect.provide(Effect.andThen(writing, emit({ _tag: "Written" })), SimStorage.layer()))
      .start()
    this.world.run(forText)
  }

  get isUpToDate(): boolean {
    return this.replica.rows.size === this.written && this.database.committed("counters").length === this.written
  }
}

describe("a follower of the simulated feed", () => {
  it("is told within milliseconds by a notification, and within the poll's interval without one", () => {
    const story = new Story()
    const began = story.world.nowMicros
    story.write(1, "100ms")
    assert.isTrue(story.isUpToDate)
    assert.isBelow(story.knewAtMicros - began, 100_000)
    const covers = (subject: string) => subject.startsWith("follower")
    story.world.hazards.add("storage/lost-notification", {
      entry: 0,
      covers,
      rate: 1,
      struck: undefined,
      parameters: {}
    })
    story.write(5, "1500ms")
    assert.isTrue(story.isUpToDate)
    assert.strictEqual(story.world.kernel.facts.effects.get("storage/lost-notification"), 5)
  })

  it("goes on from its cursor when the database was down, and listens again", () => {
    const story = new Story()
    story.write(3, "1s")
    story.database.node.crash("for the test")
    story.world.run("2s")
    story.database.node.revive()
    story.world.run("3s")
    const began = story.world.nowMicros
    story.write(3, "200ms")
    assert.isTrue(story.isUpToDate)
    assert.isBelow(story.knewAtMicros - began, 200_000)
    assert.strictEqual(story.listings, 1)
  })

  it("lists again when its cursor is of another history, and when what it missed was forgotten", () => {
    const story = new Story()
    story.write(3, "1s")
    const covers = (subject: string) => subject.startsWith("database")
    const failover = { entry: 0, covers, rate: 1, struck: undefined, parameters: { millis: 0 } }
    const spare = story.world.hazards.add("storage/failover", failover)
    story.database.node.crash("for the test")
    story.world.run("1s")
    story.database.node.revive()
    story.world.run("20s")
    spare()
    assert.strictEqual(story.listings, 2)
    assert.strictEqual(story.database.committed("counters").length, 2, "the last commit is lost")
    assert.strictEqual(story.replica.rows.size, 2)
    story.written = 2
    const heal = story.world.network.partition(["follower"], ["database"])
    story.write(3, "1s")
    story.database.feed.log.compact(Infinity)
    heal()
    story.world.run("30s")
    assert.isTrue(story.isUpToDate)
    assert.strictEqual(story.listings, 3)
  })
})
