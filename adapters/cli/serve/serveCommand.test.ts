/** A node as it begins: what is refused before anything is touched, and what is said of its first key. */
import { once } from "node:events"
import fs from "node:fs"
import net from "node:net"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { afterEach, assert, describe, it, vi } from "vitest"
import { Storage } from "../../../core/ports/Storage.ts"
import { commandLine } from "../CommandLine.fixture.ts"
import { firstKey, keyFile, readKey } from "./keyStore.ts"

const { at, typed } = commandLine()

afterEach(() => vi.restoreAllMocks())

describe("a node whose port is taken", () => {
  it("is refused in one line, before there is a database", async () => {
    const taken = net.createServer().listen(0)
    await once(taken, "listening")
    const { port } = taken.address() as net.AddressInfo
    try {
      const { code, err } = await typed("serve", "--port", String(port), "--directory", at("data"))
      const said = `stormglass: --port ${port}: another process listens there; give another port (--port, PORT), or end that process\n`
      assert.deepStrictEqual([code, err], [2, said])
      assert.isFalse(fs.existsSync(at("data")))
    } finally {
      taken.close()
    }
  })
})

describe("the first key", () => {
  /** A store in which nobody has a key yet. */
  const store = { once: () => Effect.succeed([]), transaction: () => Effect.void } as unknown as Storage["Service"]

  const made = async (isShown: boolean) => {
    const logged: Array<unknown> = []
    let err = ""
    vi.spyOn(process.stderr, "write").mockImplementation((text) => (err += String(text)) !== "")
    const logger = Logger.layer([Logger.make(({ message }) => void logged.push(...[message].flat()))])
    await Effect.runPromise(
      firstKey(at("data"), isShown).pipe(Effect.provideService(Storage, store), Effect.provide(logger))
    )
    const token = Redacted.value(readKey(at("data"))!) as string
    assert.match(token, /^sg_/)
    return { err, logged: logged.join("\n"), token }
  }

  it("is shown at a terminal, which forgets it", async () => {
    const { err, logged, token } = await made(true)
    assert.include(err, `key: ${token}\n`)
    assert.strictEqual(logged, "")
  })

  it("is in its file alone where what is said is kept, and the log says in which", async () => {
    const { err, logged, token } = await made(false)
    assert.strictEqual(err, "")
    assert.include(logged, `kept in ${keyFile(at("data"))}`)
    assert.notInclude(logged, token.slice(3))
  })
})
