/** The launcher, in directories shaped like a checkout and like an installed package. */
import { spawn } from "node:child_process"
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"

const launcher = path.join(import.meta.dirname, "stormglass.js")

/** Makes a host's Node say that it is an old one. */
const old = `data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.20.2"}})`

interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: string
}

describe("the launcher", () => {
  let root: string

  beforeEach(() => {
    root = mkdtempSync(path.join(tmpdir(), "stormglass-launcher-"))
    write("package.json", `{ "type": "module" }`)
    mkdirSync(path.join(root, "adapters/cli"), { recursive: true })
    copyFileSync(launcher, path.join(root, "adapters/cli/stormglass.js"))
  })

  afterEach(() => rmSync(root, { recursive: true }))

  const write = (file: string, text: string): void => {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
    writeFileSync(path.join(root, file), text)
  }

  /** A checkout, with a pinned Node that is not the host's. */
  const checkout = (main: string): void => {
    write("adapters/cli/main.ts", main)
    const pinned = "node_modules/node/bin/node"
    write(pinned, `#!/bin/sh\nPINNED=yes exec "${process.execPath}" "$@"\n`)
    chmodSync(path.join(root, pinned), 0o755)
  }

  /** Runs the launcher to its end; a signal is sent once the program says that it is ready. */
  const launch = (
    args: ReadonlyArray<string>,
    options: { readonly nodeArgs?: ReadonlyArray<string>; readonly signal?: NodeJS.Signals } = {}
  ): Promise<End> => {
    const file = path.join(root, "adapters/cli/stormglass.js")
    const child = spawn(process.execPath, [...(options.nodeArgs ?? []), file, ...args], { stdio: "pipe" })
    let output = ""
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text
        if (options.signal !== undefined && output.includes("ready")) child.kill(options.signal)
      })
    }
    return new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal, output })))
  }

  it("runs the sources of a checkout on the pinned Node, with the arguments, and ends with its code", async () => {
    checkout(
      "const said: Array<string> = process.argv.slice(2); console.log(process.env.PINNED, said); process.exit(3)"
    )
    const { code, output } = await launch(["run", "--seed", "7"])
    assert.strictEqual(output, "yes [ 'run', '--seed', '7' ]\n")
    assert.strictEqual(code, 3)
  })

  it("passes a signal on, and the answer back", async () => {
    checkout(`process.on("SIGTERM", () => process.exit(7)); setInterval(() => {}, 1000); console.log("ready")`)
    assert.strictEqual((await launch([], { signal: "SIGTERM" })).code, 7)
  })

  it("ends by the signal that ended the program", async () => {
    checkout(`setInterval(() => {}, 1000); console.log("ready")`)
    assert.strictEqual((await launch([], { signal: "SIGTERM" })).signal, "SIGTERM")
  })

  it("takes the program with it when it is killed, which may end in order, and keeps none that has nothing to do", async () => {
    const module = new URL("./endWithLauncher.ts", import.meta.url).href
    const program = `import { endWithLauncher } from "${module}"; endWithLauncher();`
    checkout(
      `${program} process.on("SIGTERM", () => { console.log("in order"); process.exit() }); setInterval(() => {}, 1000); console.log("ready")`
    )
    const { output, signal } = await launch([], { signal: "SIGKILL" })
    assert.deepStrictEqual([output, signal], ["ready\nin order\n", "SIGKILL"])
    checkout(`${program} console.log("done")`)
    assert.deepStrictEqual(await launch([]), { code: 0, signal: null, output: "done\n" })
  })

  it("runs what was built of an installed package on the host's Node", async () => {
    write("dist/adapters/cli/main.js", "console.log(process.argv[2]); process.exitCode = 1")
    assert.deepEqual(await launch(["list"]), { code: 1, signal: null, output: "list\n" })
  })

  it("says in one line that the host's Node is too old for an installed package", async () => {
    write("dist/adapters/cli/main.js", "")
    const { code, output } = await launch([], { nodeArgs: ["--import", old] })
    assert.strictEqual(
      output,
      "stormglass: needs Node 24 or newer, and this is Node 20.20.2: install Node 24 or newer\n"
    )
    assert.strictEqual(code, 2)
  })

  it("says in one line how a checkout gets the pinned Node", async () => {
    write("adapters/cli/main.ts", "")
    const { code, output } = await launch([], { nodeArgs: ["--import", old] })
    assert.match(output, /^stormglass: needs Node 24 .*: run `npm ci` first, which installs the pinned one\n$/)
    assert.strictEqual(code, 2)
  })
})
