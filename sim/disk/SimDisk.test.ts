import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { World } from "../run/World.ts"
import { SimDisks } from "./SimDisk.ts"

type Calls = Effect.Effect<unknown, unknown, FileSystem.FileSystem>

const use = <A, E, R>(act: (fs: FileSystem.FileSystem) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(FileSystem.FileSystem, act)

/** A node that does one thing in each of its lives, and what each said. */
const lives = (...acts: ReadonlyArray<Calls>) => livesOf("1", acts)

const livesOf = (seed: string, acts: ReadonlyArray<Calls>) => {
  const world = new World({ seed })
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
const unsynced = "not synced"
const newNames = ["a", "b", "c", "d", "e", "f"]
const written = use((fs) =>
  Effect.gen(function* () {
    const open = (name: string, flag: "w" | "r" = "w") => fs.open(`/tmp/${name}`, { flag })
    const file = yield* open("file")
    yield* file.writeAll(new TextEncoder().encode(text))
    yield* file.sync
    for (const name of ["kept-1", "kept-2"]) yield* open(name)
    yield* Effect.flatMap(open("", "r"), (directory) => directory.sync)
    for (const mark of unsynced) yield* file.writeAll(new TextEncoder().encode(mark))
    for (const name of newNames) yield* open(name)
  }).pipe(Effect.scoped)
)
const readBack = use((fs) => fs.readFileString("/tmp/file"))
const readAll = Effect.map(
  Effect.zip(
    readBack,
    use((fs) => fs.readDirectory("/tmp"))
  ),
  ([read, names]) => JSON.stringify({ read, names })
)

interface PowerLost {
  readonly _tag: "PowerLost"
  readonly writesLost: number
  readonly namesLost: number
}

describe("a simulated disk", () => {
  it("has everything that was written when only the process dies, synced or not, as with kill -9", () => {
    const { live, said } = lives(written, readBack)
    live()
    live()
    assert.deepStrictEqual(said, ["undefined", "synced, not synced"])
  })

  it("has what was synced when the power fails too, and of the rest some: of writes any, of names those made first", () => {
    const seen = { writes: 0, writesLost: 0, names: 0, namesLost: 0, lostBeforeKept: 0 }
    for (let seed = 1; seed <= 20; seed++) {
      const { hazard, live, said, world } = livesOf(String(seed), [written, readAll])
      hazard("disk/lost-unsynced")
      const told: Array<PowerLost> = []
      world.kernel.facts.subscribeDetailed(({ fact }) => {
        if (fact._tag === "PowerLost") told.push(fact as unknown as PowerLost)
      })
      live()
      live()
      const { names, read } = JSON.parse(said[1] as string) as { readonly names: Array<string>; readonly read: string }
      assert.strictEqual(read.slice(0, text.length), text)
      const marks = Array.from(unsynced, (mark, nth) => {
        const found = read[text.length + nth] ?? "\u0000"
        assert.include([mark, "\u0000"], found, "what was not written is not there")
        return found === mark
      })
      assert.sameMembers(
        names.filter((name) => name.startsWith("kept")),
        ["kept-1", "kept-2"]
      )
      const made = newNames.filter((name) => names.includes(name))
      assert.deepStrictEqual(made, newNames.slice(0, made.length))
      const writesLost = marks.filter((isThere) => !isThere).length
      const namesLost = newNames.length - made.length
      assert.deepStrictEqual(
        told,
        writesLost + namesLost === 0 ? [] : [{ _tag: "PowerLost", writesLost, namesLost }],
        "the fault tells what it took"
      )
      assert.strictEqual(world.kernel.facts.effects.get("disk/lost-unsynced") ?? 0, told.length)
      seen.writes += marks.length - writesLost
      seen.writesLost += writesLost
      seen.names += made.length
      seen.namesLost += namesLost
      if (marks.indexOf(false) !== -1 && marks.lastIndexOf(true) > marks.indexOf(false)) seen.lostBeforeKept++
    }
    for (const [what, count] of Object.entries(seen)) assert.isAtLeast(count, 10, what)
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
    const timed = Effect.map(Effect.timed(Effect.andThen(written, readBack)), ([took, read]) =>
      JSON.stringify({ read, millis: Duration.toMillis(took) })
    )
    const answers = [undefined, "disk/slow"].map((fault) => {
      const { hazard, live, said, world } = lives(timed)
      if (fault !== undefined) hazard(fault)
      live()
      const told = world.kernel.facts.effects.get("disk/slow") ?? 0
      return { ...(JSON.parse(said[0] as string) as { readonly read: string; readonly millis: number }), told }
    })
    const [usual, slow] = answers as [(typeof answers)[0], (typeof answers)[0]]
    assert.deepStrictEqual([usual.read, slow.read], ["synced, not synced", "synced, not synced"])
    assert.strictEqual(usual.told, 0)
    assert.isAbove(slow.told, 5)
    assert.isAbove(slow.millis, 20 * usual.millis)
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
