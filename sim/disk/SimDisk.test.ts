import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { World } from "../run/World.ts"
import { SimDisks } from "./SimDisk.ts"

type Calls = Effect.Effect<unknown, unknown, FileSystem.FileSystem>

const use = <A, E, R>(act: (fs: FileSystem.FileSystem) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(FileSystem.FileSystem, act)

/** A node that does one thing in each of its lives, and what each said. */
const lives = (...acts: ReadonlyArray<Calls>) => {
  const world = new World({ seed: "1" })
  const disks = new SimDisks(world)
  const said: Array<string> = []
  let life = 0
  const node = world.addNode(
    "n1",
    Effect.suspend(() => acts[life++] ?? Effect.void).pipe(
      Effect.result,
      Effect.flatMap((result) => {
        said.push(result._tag === "Success" ? String(result.success) : String(result.failure))
        return Effect.never
      }),
      Effect.provide(disks.layer)
    )
  )
  const hazard = (kind: string) =>
    world.hazards.add(kind, { entry: 0, covers: () => true, rate: 1, struck: undefined, parameters: {} })
  const live = () => {
    node.start()
    world.run("1m")
    node.crash("killed")
  }
  return { world, node, said, hazard, live }
}

const text = "synced, "
const written = use((fs) =>
  Effect.gen(function* () {
    const file = yield* fs.open("/tmp/file", { flag: "w" })
    yield* file.writeAll(new TextEncoder().encode(text))
    yield* file.sync
    yield* Effect.scoped(Effect.flatMap(fs.open("/tmp", { flag: "r" }), (opened) => opened.sync))
    yield* file.writeAll(new TextEncoder().encode("not synced"))
  }).pipe(Effect.scoped)
)
const readBack = use((fs) => fs.readFileString("/tmp/file"))

describe("a simulated disk", () => {
  it("has everything that was written when only the process dies, synced or not, as with kill -9", () => {
    const { live, said } = lives(written, readBack)
    live()
    live()
    assert.deepStrictEqual(said, ["undefined", "synced, not synced"])
  })

  it("has what was synced, and perhaps more, when the power fails too; the fault tells that it struck", () => {
    const { hazard, live, said, world } = lives(written, readBack)
    hazard("disk/lost-unsynced")
    live()
    live()
    assert.match(said[1] as string, /^synced, (not synced)?$/)
    const told = world.kernel.facts.effects.get("disk/lost-unsynced") ?? 0
    assert.strictEqual(told, said[1] === text ? 1 : 0)
  })

  it("has half of a write of many sectors when that is torn", () => {
    const { hazard, live, said } = lives(
      use((fs) => fs.writeFile("/tmp/file", new Uint8Array(4_096).fill(120))),
      Effect.map(readBack, (read) => read.length)
    )
    hazard("disk/torn-write")
    live()
    live()
    assert.deepStrictEqual(said, ["undefined", "2048"])
  })

  it("loses at the next loss of power what a sync failed to save, although a later sync succeeded", () => {
    const { hazard, live, said } = lives(
      use((fs) =>
        Effect.gen(function* () {
          const file = yield* fs.open("/tmp/file", { flag: "w" })
          yield* file.writeAll(new TextEncoder().encode("lost"))
          const heal = hazard("disk/sync-failure")
          const failed = yield* Effect.flip(file.sync)
          heal()
          yield* file.sync
          yield* Effect.scoped(Effect.flatMap(fs.open("/tmp", { flag: "r" }), (opened) => opened.sync))
          return `${failed.reason._tag} ${yield* fs.readFileString("/tmp/file")}`
        }).pipe(Effect.scoped)
      ),
      readBack,
      readBack
    )
    live()
    assert.deepStrictEqual(said, ["Unknown lost"], "until then it is read as if nothing were wrong")
    hazard("disk/lost-unsynced")
    live()
    assert.strictEqual(said[1], "lost", "the crash before was of the process alone")
    live()
    assert.strictEqual(said[2], "")
  })

  it("refuses a write that it has no room for, and stays as it was", () => {
    const { hazard, live, said, world } = lives(
      Effect.andThen(
        written,
        use((fs) => {
          const heal = hazard("disk/full")
          return Effect.flip(fs.writeFileString("/tmp/file", "more", { flag: "r+" })).pipe(
            Effect.tap(() => Effect.sync(heal)),
            Effect.map(({ reason }) => (reason._tag === "BadArgument" ? "" : String(reason.cause)))
          )
        })
      ),
      readBack
    )
    live()
    live()
    assert.deepStrictEqual(said, ["Errno: ENOSPC", "synced, not synced"])
    assert.strictEqual(world.kernel.facts.effects.get("disk/full"), 1)
  })

  it("flips one bit of what is read, for good", () => {
    const { hazard, live, said } = lives(
      Effect.andThen(
        written,
        Effect.suspend(() => {
          const heal = hazard("disk/corruption")
          return Effect.tap(readBack, () => Effect.sync(heal))
        })
      ),
      readBack
    )
    live()
    live()
    const [corrupt = "", later] = said
    assert.strictEqual(later, corrupt)
    const bytes = (of: string) => [...new TextEncoder().encode(of)]
    const flipped = bytes(corrupt).map((value, index) => value ^ (bytes("synced, not synced")[index] as number))
    assert.lengthOf(
      flipped.filter((bits) => bits !== 0),
      1
    )
  })

  it("is slow under its fault, and gives the same answer", () => {
    const { hazard, live, said, world } = lives(Effect.andThen(written, readBack))
    hazard("disk/slow")
    live()
    assert.deepStrictEqual(said, ["synced, not synced"])
    assert.isAbove(world.kernel.facts.effects.get("disk/slow") ?? 0, 5)
  })

  it("goes on with a call that was interrupted", () => {
    const { live, said } = lives(
      Effect.andThen(
        Effect.timeoutOption(
          use((fs) => fs.makeDirectory("/tmp/made")),
          "1 micros"
        ),
        Effect.andThen(
          Effect.sleep("1 second"),
          use((fs) => fs.exists("/tmp/made"))
        )
      )
    )
    live()
    assert.deepStrictEqual(said, ["true"])
  })
})
