import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { type DomainFact, emit } from "../../core/facts/Facts.ts"
import * as FaultPoint from "../../core/facts/FaultPoint.ts"
import * as Mark from "../../core/facts/Mark.ts"
import { fnv1a32 } from "../../core/hash/fnv1a32.ts"
import { type Invariant, Violation } from "../../core/invariants/Invariant.ts"
import { SimDisks } from "../../sim/disk/SimDisk.ts"
import { kindsOf } from "../../sim/nemesis/faultKinds.ts"
import { victimTag } from "../../sim/nemesis/kinds/process.ts"
import * as Swarm from "../../sim/nemesis/Swarm.ts"
import * as Scenario from "../../sim/run/Scenario.ts"
import type { World } from "../../sim/run/World.ts"

interface RecordKept extends DomainFact {
  readonly _tag: "RecordKept"
  readonly record: number
}

interface JournalRead extends DomainFact {
  readonly _tag: "JournalRead"
  readonly records: ReadonlyArray<number>
}

const directory = "/journal"
const path = `${directory}/records`
const recordsWanted = 40

const tornTail = Mark.sometimes("journal: a torn tail is dropped")

/** A line that is worth nothing unless it is whole. */
const lineOf = (record: number): string => {
  const text = `${record} ${"x".repeat((record * 971) % 4_000)}`
  return `${fnv1a32(text).toString(16)} ${text}\n`
}

/** The records of the lines that are whole, and how long they are together. */
const parse = (text: string): { readonly records: ReadonlyArray<number>; readonly length: number } => {
  const records: Array<number> = []
  let length = 0
  for (const line of text.split("\n").slice(0, -1)) {
    const record = Number(line.split(" ")[1])
    if (`${line}\n` !== lineOf(record)) break
    records.push(record)
    length += line.length + 1
  }
  return { records, length }
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

/** `isSynced`: whether a record is on the disk before it is called kept. */
const keeper = (options: { readonly isSynced: boolean }) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const syncDirectory = (name: string) =>
      Effect.scoped(Effect.flatMap(fs.open(name, { flag: "r" }), (opened) => opened.sync))
    yield* fs.makeDirectory(directory, { recursive: true })
    yield* syncDirectory("/")

    const text = (yield* fs.exists(path)) ? yield* fs.readFileString(path) : ""
    const { length: lengthRead, records } = parse(text)
    yield* emit<JournalRead>({ _tag: "JournalRead", records })
    yield* Mark.hit(tornTail, lengthRead < text.length)
    // What was read may stand in memory only. Written anew beside it, synced and put in its place it is on the disk, or the old one is.
    const file = yield* fs.open(`${path}.new`, { flag: "w" })
    yield* file.writeAll(encode(text.slice(0, lengthRead)))
    yield* FaultPoint.here("journal/copied")
    yield* file.sync
    yield* fs.rename(`${path}.new`, path)
    yield* FaultPoint.here("journal/renamed")
    yield* syncDirectory(directory)

    let length = lengthRead
    for (let record = records.length + 1; record <= recordsWanted; record++) {
      const line = lineOf(record)
      const append = Effect.gen(function* () {
        // What a failed attempt left behind is written anew: a sync that failed saves nothing the next time either.
        yield* file.truncate(length)
        yield* file.seek(BigInt(length), "start")
        yield* file.writeAll(encode(line))
        yield* FaultPoint.here("journal/written")
        if (options.isSynced) yield* file.sync
      })
      yield* Effect.retry(append, { while: () => true })
      length += line.length
      yield* emit<RecordKept>({ _tag: "RecordKept", record })
      yield* Effect.sleep("500 millis")
    }
  }).pipe(Effect.scoped)

const keptIsRead: Invariant<number> = {
  name: "kept-is-read",
  states: "a record that was called kept is read again at every start",
  initial: () => 0,
  step: (kept, { fact }) => {
    if (isFact<RecordKept>(fact, "RecordKept")) return fact.record
    if (!isFact<JournalRead>(fact, "JournalRead")) return kept
    const { length } = fact.records
    return length < kept
      ? new Violation(`${kept} records were kept, ${length} are read`, { kept, read: length })
      : length
  }
}

export const build = (world: World, options: { readonly isSynced: boolean }) => {
  const disks = new SimDisks(world)
  world
    .addNode("keeper", Effect.provide(keeper(options), disks.layer), {
      tags: [victimTag],
      onExit: { _tag: "Restart", afterMicros: 100_000 },
      mustEnd: true
    })
    .start()
  return { converged: () => world.unended.length === 0 || "records are missing" }
}

/** One copy cannot outlive corruption, it can only be seen. */
const struck = kindsOf("disk").filter(({ name }) => name !== "disk/corruption")

export const journal = Scenario.make({
  name: "example/journal",
  story:
    "A node keeps a journal on its disk while it is killed, loses its power with what it had not synced, tears its writes, runs full and fails to sync. What it called kept is there at every start.",
  safetyMillis: 30_000,
  build: (world) => build(world, { isSynced: true }),
  faults: (draw, world) => {
    const swarm = Swarm.draw(draw, world, {
      kinds: [...kindsOf("process/kill", "process/restart", "process/pause"), ...struck],
      safetyMicros: 30_000_000
    })
    const inTheMiddle = {
      when: { from: "0s", until: "30s", rate: draw.pick("kill", [0.01, 0.05, 0.1]) },
      target: `all(${victimTag})`,
      fault: "process/kill-at-point"
    }
    const torn = {
      when: { from: "0s", until: "30s", rate: draw.pick("tear", [0, 0.5, 1]) },
      target: `all(${victimTag})`,
      fault: "disk/torn-write"
    }
    return { ...swarm, faults: [inTheMiddle, torn, ...swarm.faults] }
  },
  invariants: [keptIsRead],
  marks: [tornTail],
  liveness: { withinMillis: 120_000, quietMillis: 0, noise: () => false }
})

function isFact<F extends DomainFact>(fact: DomainFact, tag: F["_tag"]): fact is F {
  return fact._tag === tag
}
