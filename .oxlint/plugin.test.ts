/**
 * Every rule fires: each line of the tables below is written to a file of its own in a copy of the repository's shape,
 * linted with the repository's configuration, and must be reported by the named rule, or by none.
 */
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

const repository = path.dirname(import.meta.dirname)

const [ambient, moduleState, folders, names] = [
  "stormglass(ambient)",
  "stormglass(module-state)",
  "stormglass(folders)",
  "stormglass(names)"
]
const [globals, imports, properties, cycle] = [
  "eslint(no-restricted-globals)",
  "eslint(no-restricted-imports)",
  "eslint(no-restricted-properties)",
  "import(no-cycle)"
]

/** What must be reported, and by which rule, in `core` and in `sim`. */
const bannedInside: ReadonlyArray<readonly [rule: string, source: string]> = [
  [ambient, "export const now = () => Date.now()"],
  [ambient, "export const now = Date['now']"],
  [ambient, "export const read = () => { const { now } = Date; return now }"],
  [ambient, "export const now = () => new Date()"],
  [ambient, "export const now = () => Date()"],
  [ambient, "export const roll = () => Math.random()"],
  [ambient, "export const wait = () => new Promise(() => {})"],
  [ambient, "export const wait = async (it: PromiseLike<unknown>) => { await it }"],
  [ambient, "export const wait = async (it: AsyncIterable<unknown>) => { for await (const _ of it) return }"],
  [ambient, "export const wait = () => Promise.resolve(1)"],
  [ambient, "export const signal = () => AbortSignal.timeout(5)"],
  [
    ambient,
    'import * as Effect from "effect/Effect"\nexport const wait = Effect.promise(() => fail())\ndeclare const fail: any'
  ],
  [ambient, 'import * as Fx from "effect/Effect"\nexport const wait = (it: never) => Fx.tryPromise(it)'],
  [ambient, 'import { promise } from "effect/Effect"\nexport const wait = promise'],
  [ambient, 'import * as DateTime from "effect/DateTime"\nexport const now = () => DateTime.nowUnsafe()'],
  [ambient, 'import { nowUnsafe as now } from "effect/DateTime"\nexport { now }'],
  [
    ambient,
    'import * as DateTime from "effect/DateTime"\nexport const past = (it: never) => DateTime.isPastUnsafe(it)'
  ],
  [ambient, 'import * as Cron from "effect/Cron"\nexport const next = (cron: Cron.Cron) => Cron.next(cron)'],
  [ambient, 'import { prev } from "effect/Cron"\nexport const before = (cron: never) => prev(cron)'],
  [ambient, 'import * as Hash from "effect/Hash"\nexport const hash = (it: object) => Hash.random(it)'],
  [ambient, 'import * as Equal from "effect/Equal"\nexport const key = (it: object) => Equal.byReference(it)'],
  [
    ambient,
    'import * as SecureRandom from "effect/crypto/SecureRandom"\nexport const id = () => SecureRandom.ulidUnsafe()'
  ],
  [ambient, 'import * as SecureRandom from "effect/crypto/SecureRandom"\nexport const id = SecureRandom.uuidV7Unsafe'],
  [ambient, 'import type { EntryId } from "effect/eventlog/EventJournal"\nexport type Id = EntryId'],
  [ambient, 'export * from "effect/reactivity/Atom"'],
  [globals, "export const later = (it: () => void) => setTimeout(it, 5)"],
  [globals, "export const later = (it: () => void) => globalThis.setTimeout(it, 5)"],
  [globals, "export const later = (it: () => void) => global.setInterval(it, 5)"],
  [globals, "export const later = (it: () => void) => setInterval(it, 5)"],
  [globals, "export const later = (it: () => void) => setImmediate(it)"],
  [globals, "export const later = (it: () => void) => queueMicrotask(it)"],
  [globals, "export const now = () => performance.now()"],
  [globals, "export const id = () => crypto.randomUUID()"],
  [globals, "export const id = () => crypto.getRandomValues(new Uint8Array(4))"],
  [globals, "export const home = () => process.env.HOME"],
  [globals, "export const clock = () => process.hrtime.bigint()"],
  [globals, 'export const get = () => fetch("http://localhost")'],
  [globals, 'export const say = () => console.log("hello")'],
  [globals, "export const link = () => new WebSocket('ws://localhost')"],
  [globals, "export const weak = (it: object) => new WeakRef(it)"],
  [globals, "export const registry = () => new FinalizationRegistry(() => {})"],
  [globals, "export const name = () => Intl.DateTimeFormat().format(0)"],
  ["eslint(no-eval)", 'export const run = () => eval("1")'],
  [ambient, 'export { Atom } from "effect/reactivity/Atom"'],
  [moduleState, "export let count = 0"],
  [moduleState, "let count = 0\nexport const next = () => (count = count + 1)"],
  [moduleState, "export const nodes = new Map<string, number>()"],
  [moduleState, "const nodes = new Map<string, number>()\nexport const add = () => nodes.set('a', 1)"],
  [moduleState, "export const seen = new Set()"],
  [moduleState, "export const cache = new WeakMap()"],
  [moduleState, "export const scratch = new Uint8Array(8)"],
  [moduleState, "export const queue: Array<number> = []"],
  [moduleState, "export const names = ['a', 'b']"],
  [moduleState, "export const names = Array.from('ab')"],
  [moduleState, "export const byName = {}"],
  [moduleState, "export const byName: Record<string, number> = Object.create(null)"],
  [moduleState, "const counter = { value: 0 }\nexport const next = () => counter.value++"],
  [moduleState, "const counter = { value: 0 }\nexport const next = () => (counter.value += 1)"],
  [moduleState, "const table = { a: 1 } as Partial<Record<string, number>>\nexport const drop = () => delete table.a"],
  [moduleState, "export class Ids { static readonly seen = new Set<string>() }"],
  [moduleState, "export class Ids { static next = 0 }"],
  [moduleState, 'import * as MutableRef from "effect/MutableRef"\nexport const cell = MutableRef.make(0)'],
  [moduleState, 'import * as Ref from "effect/Ref"\nexport const cell = Ref.makeUnsafe(0)'],
  [moduleState, 'import * as Semaphore from "effect/Semaphore"\nexport const gate = Semaphore.makeUnsafe(1)'],
  [imports, 'import { Effect } from "effect"\nexport const it = Effect.void'],
  [imports, 'import type { HttpClient } from "effect/http"\nexport type It = HttpClient.HttpClient'],
  [folders, 'import { readFileSync } from "node:fs"\nexport const read = readFileSync'],
  [folders, 'import * as Http from "@effect/platform-node/NodeHttpServer"\nexport const layer = Http.layer'],
  [folders, 'import * as fc from "fast-check"\nexport const any = fc.anything()'],
  [folders, 'import { it } from "vitest"\nexport const test = it']
]

/** What must not be reported there. */
const allowedInside: ReadonlyArray<string> = [
  'import * as Clock from "effect/Clock"\nexport const now = Clock.currentTimeMillis',
  "export const at = (millis: number) => new Date(millis)",
  'import * as Cron from "effect/Cron"\nexport const next = (cron: Cron.Cron, start: Date) => Cron.next(cron, start)',
  "export const run = (process: { readonly env: object }, fetch: () => void) => { fetch(); return process.env }",
  "export type Later = Promise<void>",
  'import assert from "node:assert/strict"\nexport const check = (it: boolean) => assert(it)',
  'import * as Reactivity from "effect/reactivity/Reactivity"\nexport const layer = Reactivity.layer',
  "export const table: ReadonlyMap<string, number> = new Map([['a', 1]])",
  "export const names: ReadonlyArray<string> = ['a', 'b']",
  "export const names: readonly string[] = []",
  "export const names = ['a', 'b'] as const",
  "export const names = Object.freeze(['a', 'b'])",
  "export const Link = { latencyMillis: 5 }",
  "export const make = () => { const nodes = new Map<string, number>(); let count = 0; count++; return [nodes, count] }",
  "export class Node { readonly tasks = new Array<number>(); static readonly limit = 5 }",
  "export const rename = (it: { name: string }) => { it.name = 'b' }"
]

/** Who may import whom: the table of ARCHITECTURE.md, both sides of it. */
const importTable: ReadonlyArray<readonly [importer: string, imported: string, verdict: "allowed" | "refused"]> = [
  ["core/lease/A.ts", "core/ports/B.ts", "allowed"],
  ["core/sim/A.ts", "core/ports/B.ts", "allowed"],
  ["core/A.ts", "sim/B.ts", "refused"],
  ["core/A.ts", "reports/B.ts", "refused"],
  ["core/A.ts", "scenarios/B.ts", "refused"],
  ["core/A.ts", "adapters/postgres/B.ts", "refused"],
  ["sim/kernel/A.ts", "core/B.ts", "allowed"],
  ["sim/A.ts", "reports/B.ts", "refused"],
  ["sim/A.ts", "scenarios/B.ts", "refused"],
  ["sim/A.ts", "adapters/node/B.ts", "refused"],
  ["sim/host/A.ts", "adapters/node/B.ts", "refused"],
  ["sim/pglite/A.ts", "adapters/postgres/B.ts", "allowed"],
  ["sim/pglite/A.ts", "adapters/pglite/B.ts", "allowed"],
  ["sim/pglite/A.ts", "adapters/http/B.ts", "refused"],
  ["reports/A.ts", "core/B.ts", "allowed"],
  ["reports/A.ts", "sim/B.ts", "allowed"],
  ["reports/A.ts", "scenarios/B.ts", "refused"],
  ["reports/A.ts", "adapters/cli/B.ts", "refused"],
  ["scenarios/A.ts", "core/B.ts", "allowed"],
  ["scenarios/A.ts", "sim/B.ts", "allowed"],
  ["scenarios/A.ts", "reports/B.ts", "refused"],
  ["scenarios/A.ts", "adapters/node/B.ts", "refused"],
  ["adapters/postgres/A.ts", "core/B.ts", "allowed"],
  ["adapters/postgres/A.ts", "adapters/pglite/B.ts", "allowed"],
  ["adapters/postgres/A.ts", "sim/B.ts", "refused"],
  ["adapters/postgres/A.ts", "reports/B.ts", "refused"],
  ["adapters/postgres/A.ts", "scenarios/B.ts", "refused"],
  ["adapters/postgres/A.ts", "adapters/cli/B.ts", "refused"],
  ["adapters/cli/A.ts", "core/B.ts", "allowed"],
  ["adapters/cli/A.ts", "sim/B.ts", "allowed"],
  ["adapters/cli/A.ts", "reports/B.ts", "allowed"],
  ["adapters/cli/A.ts", "scenarios/B.ts", "allowed"],
  ["adapters/cli/A.ts", "adapters/node/B.ts", "allowed"],
  ["adapters/vitest/A.ts", "reports/B.ts", "allowed"],
  ["adapters/vitest/A.ts", "scenarios/B.ts", "allowed"],
  ["adapters/vitest/A.ts", "adapters/postgres/B.ts", "refused"],
  ["adapters/node/A.ts", "adapters/vitest/B.ts", "refused"],
  ["core/A.test.ts", "adapters/cli/B.ts", "allowed"]
]

/** Every way to name another file. */
const waysToImport: ReadonlyArray<(specifier: string) => string> = [
  (specifier) => `import * as It from "${specifier}"\nexport const it = It`,
  (specifier) => `import type { It } from "${specifier}"\nexport type Same = It`,
  (specifier) => `export { it } from "${specifier}"`,
  (specifier) => `export * from "${specifier}"`,
  (specifier) => `export const it = () => import("${specifier}")`,
  (specifier) => `export type It = import("${specifier}").It`,
  (specifier) => `export const it = new URL("${specifier}", import.meta.url)`
]

interface Case {
  readonly title: string
  readonly files: ReadonlyArray<string>
  readonly rule: string
  readonly reported: boolean
}

const files = new Map<string, string>()
const cases: Array<Case> = []

/** One test: the rule reports each of these files, or none of them. */
function add(title: string, sources: Readonly<Record<string, string>>, rule: string, reported: boolean): void {
  for (const [file, source] of Object.entries(sources)) files.set(file, `${source}\n`)
  cases.push({ title, files: Object.keys(sources), rule, reported })
}

/** All that concerns us; a clean file may still offend the linter's own taste. */
const ours = [ambient, moduleState, folders, names, globals, imports, properties, cycle].join(" ")

bannedInside.forEach(([rule, source], index) => {
  const sources = { [`core/banned/Case${index}.ts`]: source, [`sim/banned/Case${index}.ts`]: source }
  add(`${rule} refuses in core and sim: ${shown(source)}`, sources, rule, true)
})
allowedInside.forEach((source, index) => {
  const sources = { [`core/allowed/Case${index}.ts`]: source, [`sim/allowed/Case${index}.ts`]: source }
  add(`nothing refuses in core and sim: ${shown(source)}`, sources, ours, false)
})

const hosts = ["sim/host/Trap.ts", "sim/Speed.bench.ts", "core/Lease.test.ts", "adapters/node/Clock.ts"]
const naming = "export const now = () => Date.now()\nexport const later = setTimeout\nexport const seen = new Set()"
add(
  "the host may be named in its traps, in benchmarks, tests and adapters",
  Object.fromEntries(hosts.map((host) => [host, naming])),
  ours,
  false
)

importTable.forEach(([importer, imported, verdict], row) => {
  const sources = waysToImport.map((write, way) => {
    const file = importer.replace("A.", `Row${row}Way${way}.`)
    const specifier = path.relative(path.dirname(file), imported)
    return [file, write(specifier.startsWith(".") ? specifier : `./${specifier}`)]
  })
  files.set(imported, "export const it = 1\nexport type It = number\n")
  add(`${imported} is ${verdict} in ${importer}`, Object.fromEntries(sources), folders, verdict === "refused")
})

const named = 'export * from "stormglass/sim/kernel/Kernel"'
add("a folder named by the package's own name is refused too", { "core/SelfReference.ts": named }, folders, true)

const seeds = 'import seedrandom from "seedrandom"\nexport const prng = seedrandom'
add("core draws no chance of its own", { "core/Seeds.ts": seeds }, folders, true)
add("sim derives its keys from seedrandom", { "sim/Seeds.ts": seeds }, folders, false)

const run = 'import * as Effect from "effect/Effect"\nexport const run = () => Effect.runSync(Effect.void)'
add("core runs no effects", { "core/Run.ts": run }, properties, true)
add("sim runs effects", { "sim/Run.ts": run }, properties, false)

const nothing = "export const it = 1"
for (const file of ["core/index.ts", "sim/utils.ts", "reports/types.ts", "scenarios/helpers/Plan.ts"]) {
  add(`the name of ${file} says nothing`, { [file]: nothing }, names, true)
}

add(
  "a cycle is refused",
  {
    "core/ring/Head.ts": 'import { tail } from "./Tail.ts"\nexport const head = () => tail',
    "core/ring/Tail.ts": 'import { head } from "./Head.ts"\nexport const tail = () => head'
  },
  cycle,
  true
)
add(
  "a cycle of types is refused",
  {
    "sim/ring/Head.ts": 'import type { Tail } from "./Tail.ts"\nexport type Head = Tail | 1',
    "sim/ring/Tail.ts": 'import type { Head } from "./Head.ts"\nexport type Tail = Head | 2'
  },
  cycle,
  true
)

describe("the lint rules", () => {
  const root = mkdtempSync(path.join(tmpdir(), "stormglass-lint-"))
  let reports: ReadonlyMap<string, ReadonlyArray<string>> = new Map()

  beforeAll(() => {
    cpSync(path.join(repository, ".oxlintrc.json"), path.join(root, ".oxlintrc.json"))
    cpSync(import.meta.dirname, path.join(root, ".oxlint"), { recursive: true })
    for (const [file, source] of files) {
      mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
      writeFileSync(path.join(root, file), source)
    }
    reports = lint(root)
  })

  afterAll(() => rmSync(root, { recursive: true }))

  for (const { title, files, rule, reported } of cases) {
    it(title, () => {
      for (const file of files) {
        const found = (reports.get(file) ?? []).filter((it) => rule.includes(it))
        if (reported) assert.include(found, rule, file)
        else assert.deepEqual(found, [], file)
      }
    })
  }
})

/** The line that matters, for a title. */
function shown(source: string): string {
  return source.split("\n").at(-1)!
}

/** The rules that reported each file. */
function lint(root: string): ReadonlyMap<string, ReadonlyArray<string>> {
  const oxlint = path.join(repository, "node_modules/oxlint/bin/oxlint")
  const { stdout, stderr } = spawnSync(process.execPath, [oxlint, "--format", "json"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024
  })
  assert(stdout.startsWith("{"), `oxlint did not answer with JSON: ${stdout}${stderr}`)
  const { diagnostics } = JSON.parse(stdout) as {
    readonly diagnostics: ReadonlyArray<{ readonly code?: string; readonly filename: string }>
  }
  const reports = new Map<string, Array<string>>()
  for (const { code, filename } of diagnostics) {
    const rules = reports.get(filename) ?? []
    reports.set(filename, rules)
    rules.push(code ?? "")
  }
  return reports
}
