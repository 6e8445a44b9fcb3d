/**
 * The simulated disk and the host's behave alike: the same calls, in the same order, have the same results.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { World } from "../run/World.ts"
import { SimDisks } from "./SimDisk.ts"

type Program<A> = Effect.Effect<A, never, FileSystem.FileSystem>

/** Runs a program on a simulated disk, with a fresh directory to work in. */
const simulated = <A>(program: (root: string) => Program<A>): A => {
  const world = new World({ seed: "1" })
  const answers: Array<A> = []
  const disks = new SimDisks(world)
  const node = world.addNode(
    "n1",
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      yield* Effect.orDie(fs.makeDirectory("/work"))
      answers.push(yield* program("/work"))
    }).pipe(Effect.provide(disks.layer))
  )
  node.start()
  world.run("10m")
  assert.lengthOf(answers, 1)
  return answers[0] as A
}

/** The same on the disk of the host. */
const real = async <A>(program: (root: string) => Program<A>): Promise<A> => {
  const directory = mkdtempSync(join(tmpdir(), "stormglass-"))
  try {
    return await Effect.runPromise(Effect.provide(program(directory), NodeFileSystem.layer))
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** A result as text that is the same wherever the directory lies. */
const outcome = <A>(root: string, call: Effect.Effect<A, PlatformError>): Effect.Effect<string> =>
  Effect.map(Effect.result(call), (result) =>
    Result.isSuccess(result)
      ? `ok ${JSON.stringify(result.success, (_key, value: unknown) => (typeof value === "bigint" ? Number(value) : value))}`.replaceAll(
          root,
          "."
        )
      : `${result.failure.reason._tag} ${codeOf(result.failure)}`
  )

const codeOf = ({ reason }: PlatformError): string =>
  reason._tag === "BadArgument" ? "" : ((reason.cause as { readonly code?: string } | undefined)?.code ?? "")

const names = ["a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "a/x", "l", "m"] as const
const path = fc.constantFrom(...names)
const content = fc.string({ maxLength: 8 })
const flag = fc.constantFrom<FileSystem.OpenFlag>("r", "r+", "w", "wx", "w+", "wx+", "a", "ax", "a+", "ax+")

type Step =
  | { readonly does: "write" | "append"; readonly path: string; readonly content: string }
  | {
      readonly does: "read" | "list" | "listAll" | "entries" | "stat" | "lstat" | "exists" | "readLink" | "realPath"
      readonly path: string
    }
  | { readonly does: "make"; readonly path: string; readonly recursive: boolean }
  | { readonly does: "remove"; readonly path: string; readonly recursive: boolean; readonly force: boolean }
  | { readonly does: "rename" | "link" | "copyFile"; readonly path: string; readonly to: string }
  | { readonly does: "symlink"; readonly target: string; readonly path: string }
  | { readonly does: "truncate"; readonly path: string; readonly length: number }
  | {
      readonly does: "open"
      readonly path: string
      readonly flag: FileSystem.OpenFlag
      readonly acts: ReadonlyArray<Act>
    }

type Act =
  | { readonly act: "write" | "writeAll"; readonly content: string }
  | { readonly act: "read"; readonly size: number; readonly position: number | undefined }
  | { readonly act: "seek"; readonly offset: number; readonly from: FileSystem.SeekMode }
  | { readonly act: "truncate"; readonly length: number }
  | { readonly act: "sync" | "size" }

const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ act: fc.constantFrom("write" as const, "writeAll" as const), content }),
  fc.record({
    act: fc.constant("read" as const),
    size: fc.nat({ max: 6 }),
    position: fc.option(fc.integer({ min: -1, max: 8 }), { nil: undefined })
  }),
  fc.record({
    act: fc.constant("seek" as const),
    offset: fc.integer({ min: -3, max: 9 }),
    from: fc.constantFrom<FileSystem.SeekMode>("start", "current")
  }),
  fc.record({ act: fc.constant("truncate" as const), length: fc.nat({ max: 8 }) }),
  fc.record({ act: fc.constantFrom("sync" as const, "size" as const) })
)

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ does: fc.constantFrom("write" as const, "append" as const), path, content }) },
  {
    weight: 5,
    arbitrary: fc.record({
      does: fc.constantFrom(
        ...(["read", "list", "listAll", "entries", "stat", "lstat", "exists", "readLink", "realPath"] as const)
      ),
      path
    })
  },
  { weight: 3, arbitrary: fc.record({ does: fc.constant("make" as const), path, recursive: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constant("remove" as const), path, recursive: fc.boolean(), force: fc.boolean() })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constantFrom("rename" as const, "link" as const, "copyFile" as const),
      path,
      to: path
    })
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("symlink" as const), target: path, path }) },
  {
    weight: 1,
    arbitrary: fc.record({ does: fc.constant("truncate" as const), path, length: fc.nat({ max: 12 }) })
  },
  {
    weight: 4,
    arbitrary: fc.record({ does: fc.constant("open" as const), path, flag, acts: fc.array(act, { maxLength: 6 }) })
  }
)

const perform = (fs: FileSystem.FileSystem, root: string, it: Step): Effect.Effect<string> => {
  const at = (name: string) => `${root}/${name}`
  const said = <A>(call: Effect.Effect<A, PlatformError>) => outcome(root, call)
  switch (it.does) {
    case "write":
      return said(fs.writeFileString(at(it.path), it.content))
    case "append":
      return said(fs.writeFileString(at(it.path), it.content, { flag: "a" }))
    case "read":
      return said(fs.readFileString(at(it.path)))
    case "list":
      return said(Effect.map(fs.readDirectory(at(it.path)), (found) => found.toSorted()))
    case "listAll":
      return said(Effect.map(fs.readDirectory(at(it.path), { recursive: true }), (found) => found.toSorted()))
    case "entries":
      return said(
        Effect.map(fs.readDirectoryEntries(at(it.path)), (found) =>
          found.map(({ name, type }) => `${name} ${type}`).toSorted()
        )
      )
    case "stat":
    case "lstat":
      // How large a directory is, and how many links lead to it, is the host's affair.
      return said(
        Effect.map(fs[it.does](at(it.path)), ({ mode, nlink, size, type }) =>
          type === "File" ? { type, mode, nlink: Option.getOrUndefined(nlink), size } : { type, mode }
        )
      )
    case "exists":
      return said(fs.exists(at(it.path)))
    case "readLink":
      return said(fs.readLink(at(it.path)))
    case "realPath":
      return said(fs.realPath(at(it.path)))
    case "make":
      // Node returns the first directory made, where the interface promises nothing.
      return said(Effect.asVoid(fs.makeDirectory(at(it.path), { recursive: it.recursive })))
    case "remove":
      return said(fs.remove(at(it.path), it))
    case "rename":
    case "link":
    case "copyFile":
      return said(fs[it.does](at(it.path), at(it.to)))
    case "symlink":
      return said(fs.symlink(at(it.target), at(it.path)))
    case "truncate":
      return said(fs.truncate(at(it.path), it.length))
    case "open":
      return Effect.gen(function* () {
        const opened = yield* Effect.result(fs.open(at(it.path), { flag: it.flag }))
        if (Result.isFailure(opened)) return yield* said(Effect.fail(opened.failure))
        const results: Array<string> = []
        for (const one of it.acts) results.push(yield* said(performAct(opened.success, one)))
        return results.join("; ")
      }).pipe(Effect.scoped)
  }
}

const performAct = (file: FileSystem.File, it: Act): Effect.Effect<unknown, PlatformError> => {
  switch (it.act) {
    case "write":
    case "writeAll":
      return file[it.act](new TextEncoder().encode(it.content))
    case "read": {
      const options = it.position === undefined ? {} : { position: BigInt(it.position) }
      return Effect.map(file.readAlloc(it.size, options), (read) =>
        Option.getOrUndefined(Option.map(read, (bytes) => new TextDecoder().decode(bytes)))
      )
    }
    case "seek":
      return file.seek(BigInt(it.offset), it.from)
    case "truncate":
      return file.truncate(it.length)
    case "sync":
      return file.sync
    case "size":
      return Effect.map(file.stat, ({ size }) => size)
  }
}

const script =
  (steps: ReadonlyArray<Step>) =>
  (root: string): Program<ReadonlyArray<string>> =>
    Effect.flatMap(FileSystem.FileSystem, (fs) => Effect.forEach(steps, (one) => perform(fs, root, one)))

describe("a simulated disk and the host's", { timeout: 120_000 }, () => {
  it("answer every call alike, errors included (500 scripts of up to 40 calls over ten paths)", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
        assert.deepStrictEqual(simulated(script(steps)), await real(script(steps)))
      }),
      { numRuns: 500 }
    )
  })

  it("keep what was written and not synced when the process is killed in the next moment", () => {
    const directory = mkdtempSync(join(tmpdir(), "stormglass-"))
    try {
      const file = join(directory, "file")
      const program = `
        import { openSync, renameSync, writeSync } from "node:fs"
        writeSync(openSync(${JSON.stringify(`${file}.new`)}, "w"), "not synced")
        renameSync(${JSON.stringify(`${file}.new`)}, ${JSON.stringify(file)})
        process.kill(process.pid, "SIGKILL")`
      const { signal } = spawnSync(process.execPath, ["--input-type=module", "--eval", program])
      assert.strictEqual(signal, "SIGKILL")

      const world = new World({ seed: "1" })
      const disks = new SimDisks(world)
      const read: Array<string> = []
      const node = world.addNode(
        "n1",
        Effect.gen(function* () {
          const fs = yield* FileSystem.FileSystem
          if (yield* fs.exists("/tmp/file")) read.push(yield* fs.readFileString("/tmp/file"))
          yield* fs.writeFileString("/tmp/file.new", "not synced")
          yield* fs.rename("/tmp/file.new", "/tmp/file")
          return yield* Effect.never
        }).pipe(Effect.provide(disks.layer))
      )
      node.start()
      world.run("1s")
      node.crash("killed")
      node.start()
      world.run("1s")
      assert.deepStrictEqual(read, [readFileSync(file, "utf8")])
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})
