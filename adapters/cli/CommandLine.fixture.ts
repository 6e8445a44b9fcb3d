/** The command line as a user types it: each call is a process of its own, in a directory that is empty before each test. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { afterEach, beforeEach, vi } from "vitest"
import { state, stormglass as command } from "./commandLine.ts"
import { runCommand } from "./runCommand.ts"

export const launcher = path.join(import.meta.dirname, "stormglass.js")

/** A scenario of `fixtures/`. */
export const fixture = (name: string): string => path.join(import.meta.dirname, "fixtures", `${name}.ts`)

/** A saved failure, as far as its form goes. */
export const failureDocument = (changes: object = {}): object => ({
  version: 1,
  scenario: "calm",
  seed: "1",
  strategy: "random",
  storage: "model",
  parameters: {},
  versions: { stormglass: "0", effect: "0", node: "0", v8: "0" },
  digest: "0",
  verdict: {},
  ...changes
})

export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** What a process gets besides its arguments; seeds of the environment are not inherited. */
interface Given {
  readonly variables?: Readonly<Record<string, string>>
  readonly input?: string
}

/** Who does not come back is killed, and has no exit code. */
const millisMax = 240_000

/** Call it once in a file of tests: it makes the directory of each test, and removes it. */
export const commandLine = () => {
  let directory = ""
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), "stormglass-cli-"))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  const at = (name: string): string => path.join(directory, name)
  const stormglassIn = ({ input = "", variables = {} }: Given, ...args: ReadonlyArray<string>): Ran => {
    const { STORMGLASS_SEED: _seed, STORMGLASS_SEEDS: _seeds, ...inherited } = process.env
    const env = { ...inherited, ...variables }
    const options = { cwd: directory, env, encoding: "utf8", input, timeout: millisMax, killSignal: "SIGKILL" } as const
    const { status, stderr, stdout } = spawnSync(process.execPath, [launcher, ...args], options)
    return { code: status, out: stdout, err: stderr }
  }
  /** The same in this process: to start one takes longer than most of what is tested. */
  const typed = async (...args: ReadonlyArray<string>): Promise<Ran> => {
    const said = { err: "", out: "" }
    vi.spyOn(process.stderr, "write").mockImplementation((text) => (said.err += String(text)) !== "")
    vi.spyOn(process.stdout, "write").mockImplementation((text) => (said.out += String(text)) !== "")
    Object.assign(state, { exitCode: 0, isStopped: false, stopSignal: undefined })
    const home = process.cwd()
    process.chdir(directory)
    try {
      const code = await runCommand(command, args)
      return { ...said, code: code ?? state.exitCode }
    } finally {
      process.chdir(home)
      vi.restoreAllMocks()
    }
  }
  return {
    typed,
    /** The path of a file in the directory of the present test; of the directory itself for the empty name. */
    at,
    /** Writes a file there, and returns its path. */
    fileOf: (text: string, name = "given.json"): string => {
      writeFileSync(at(name), text)
      return at(name)
    },
    stormglass: (...args: ReadonlyArray<string>): Ran => stormglassIn({}, ...args),
    stormglassIn
  }
}
