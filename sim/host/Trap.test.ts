import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as HashMap from "effect/HashMap"
import * as fc from "fast-check"
import childProcess from "node:child_process"
import cluster from "node:cluster"
import nodeCrypto from "node:crypto"
import dgram from "node:dgram"
import dns from "node:dns"
import fs, { existsSync } from "node:fs"
import http from "node:http"
import http2 from "node:http2"
import https from "node:https"
import { createRequire } from "node:module"
import net from "node:net"
import os from "node:os"
import readline from "node:readline"
import readlinePromises from "node:readline/promises"
import sqlite from "node:sqlite"
import timers from "node:timers"
import timersPromises from "node:timers/promises"
import tls from "node:tls"
import v8 from "node:v8"
import vm from "node:vm"
import workerThreads from "node:worker_threads"
import zlib from "node:zlib"
import { assert, describe, it, vi } from "vitest"
import * as Trap from "./Trap.ts"

/** The timers of nodes that programs have set. */
const timersSet: Array<{ readonly millis: number; readonly run: () => void; isCancelled: boolean }> = []

const options: Trap.TrapOptions = {
  wallMicros: () => 1_767_225_600_250_000,
  monotonicMicros: () => 250_000,
  fraction: () => 0.25,
  fiberId: () => 7,
  timer: (millis, run) => {
    timersSet.push({ millis, run, isCancelled: false })
    const timer = timersSet.at(-1)!
    return () => {
      timer.isCancelled = true
    }
  }
}

/** What a program that does this is told, while a run is on. */
const escapeOf = (program: () => unknown, more: Partial<Trap.TrapOptions> = {}): Trap.Escaped | undefined => {
  const trap = Trap.enter({ ...options, ...more })
  try {
    program()
  } catch (error) {
    if (error !== trap.escaped) throw error
  } finally {
    trap.leave()
  }
  return trap.escaped
}

/** Code of a listed package, as far as a stack can tell. */
const inPackage = (name: string, expression: string): (() => unknown) =>
  new Function(`return ${expression}\n//# sourceURL=file:///repo/node_modules/${name}/dist/Code.js`) as () => unknown

const escapes: ReadonlyArray<readonly [api: string, program: () => unknown]> = [
  ["Date.now", () => Date.now()],
  ["new Date", () => new Date()],
  ["new Date", () => Date()],
  ["performance.now", () => performance.now()],
  ["process.hrtime", () => process.hrtime()],
  ["process.hrtime", () => process.hrtime.bigint()],
  ["Math.random", () => Math.random()],
  ["crypto.getRandomValues", () => crypto.getRandomValues(new Uint8Array(4))],
  ["crypto.getRandomValues", () => nodeCrypto.getRandomValues(new Uint8Array(4))],
  ["crypto.randomUUID", () => crypto.randomUUID()],
  ["crypto.subtle.digest", () => crypto.subtle.digest("SHA-256", new Uint8Array(1))],
  ["setTimeout", () => setTimeout(() => undefined, 1)],
  ["setInterval", () => setInterval(() => undefined, 1)],
  ["setImmediate", () => setImmediate(() => undefined)],
  ["queueMicrotask", () => queueMicrotask(() => undefined)],
  ["process.nextTick", () => process.nextTick(() => undefined)],
  ["AbortSignal.timeout", () => AbortSignal.timeout(1)],
  ["fetch", () => fetch("http://localhost")],
  ["WebSocket", () => new WebSocket("ws://localhost")],
  ["Promise.then", () => Promise.resolve(1).then(String)],
  ["Promise.then", () => Promise.resolve(1).finally(() => undefined)],
  ["fs.readFileSync", () => fs.readFileSync(import.meta.filename)],
  ["fs.existsSync", () => existsSync(import.meta.filename)],
  ["fs.promises.readFile", () => fs.promises.readFile(import.meta.filename)]
]

describe("while a run is on", () => {
  for (const [api, program] of escapes) {
    it(`${api} escapes: ${program.toString().replace("() => ", "")}`, () => {
      const escaped = escapeOf(program)
      assert.strictEqual(escaped?.api, api)
      assert.isNotEmpty(escaped?.remedy)
      assert.match(escaped?.frames[0] ?? "", /(^|[( ])sim\/host\/Trap\.test\.ts:\d+:\d+/)
    })
  }

  it("programs with promises may use them only while one of their nodes runs", () => {
    let isRunning = false
    const programs = { isRunning: () => isRunning, task: () => undefined, uncaught: () => undefined }
    const program = () => [Date.now(), Promise.resolve(1).then(String)]
    assert.strictEqual(escapeOf(program, { programs })?.api, "Date.now")
    isRunning = true
    assert.isUndefined(escapeOf(program, { programs }))
  })

  it("the program cannot hide it by catching the error", () => {
    const program = Effect.try({ try: () => Date.now(), catch: () => "hidden" }).pipe(Effect.orElseSucceed(() => 0))
    assert.strictEqual(escapeOf(() => Effect.runSync(program))?.api, "Date.now")
  })

  it("what counts is the first escape: whatever follows is its consequence", () => {
    const told: Array<string> = []
    const program = Effect.all([Effect.sync(() => Date.now()), Effect.sync(() => Math.random())], { mode: "result" })
    const escaped = escapeOf(
      () => Effect.runSyncExit(program.pipe(Effect.catchDefect(() => Effect.sync(() => Math.random())))),
      {
        onEscape: ({ api }) => told.push(api)
      }
    )
    assert.deepStrictEqual([escaped?.api, ...told], ["Date.now", "Date.now", "Math.random"])
  })

  it("a program that awaits fetch escapes there, before anything is sent", () => {
    const program = Effect.promise(() => fetch("http://localhost"))
    assert.strictEqual(escapeOf(() => Effect.runSyncExit(program))?.api, "fetch")
  })

  it("a program that awaits a promise of its own escapes where Effect would wait for it", () => {
    const program = Effect.promise(async () => 1)
    assert.strictEqual(escapeOf(() => Effect.runSyncExit(program))?.api, "Promise.then")
  })

  it("times with an argument are no reading of the clock", () => {
    assert.isUndefined(
      escapeOf(() => {
        const date = new Date(1_000)
        assert.strictEqual(date.getTime(), 1_000)
        assert.instanceOf(date, Date)
        assert.strictEqual(Date.UTC(1970, 0), 0)
      })
    )
  })

  it("loading a module is told as that, whatever file it reads", async () => {
    // As Node.js imports: what stands in a test is imported by Vite.
    const load = new vm.Script(`() => import(${JSON.stringify(import.meta.resolve("seedrandom"))})`, {
      importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER
    }).runInThisContext() as () => Promise<unknown>
    let loading: Promise<unknown> | undefined
    const imported = escapeOf(() => (loading = load()))
    assert.instanceOf(await loading?.catch((error: unknown) => error), Trap.Escaped)
    assert.deepStrictEqual([imported?.api, imported?.remedy.includes("import it at the top")], ["import", true])
    const required = escapeOf(() => createRequire(import.meta.url)("fast-check"))
    assert.deepStrictEqual([required?.api, required?.remedy.includes("import it at the top")], ["require", true])
  })

  it("signatures that draw chance escape, others do not", () => {
    const keys = {
      ec: nodeCrypto.generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
      rsa: nodeCrypto.generateKeyPairSync("rsa", { modulusLength: 1_024 }).privateKey,
      ed25519: nodeCrypto.generateKeyPairSync("ed25519").privateKey
    }
    const padding = nodeCrypto.constants.RSA_PKCS1_PSS_PADDING
    const data = Buffer.from("data")
    const pem = keys.ec.export({ format: "pem", type: "pkcs8" })
    const api = (sign: () => unknown) => escapeOf(sign)?.api
    assert.deepStrictEqual(
      [
        api(() => nodeCrypto.sign("sha256", data, keys.ec)),
        api(() => nodeCrypto.createSign("sha256").update(data).sign(pem)),
        api(() => nodeCrypto.sign("sha256", data, { key: keys.rsa, padding })),
        api(() => nodeCrypto.createSign("sha256").update(data).sign(keys.rsa, "hex")),
        api(() => nodeCrypto.sign(null, data, keys.ed25519))
      ],
      ["crypto.sign", "crypto.Sign.sign", "crypto.sign", undefined, undefined]
    )
  })

  it("what hangs on a function of the host is of the host, too", () => {
    assert.strictEqual(escapeOf(() => fs.realpathSync.native("."))?.api, "fs.realpathSync.native")
    assert.strictEqual(escapeOf(() => process.memoryUsage.rss())?.api, "process.memoryUsage.rss")
  })

  it("the class of a date is that of the run", () => {
    const date = new Date(0)
    assert.strictEqual(date.constructor, Date)
    assert.strictEqual(escapeOf(() => new (date.constructor as DateConstructor)())?.api, "new Date")
  })

  it("what runs effects by itself, and not on a node, is answered by no clock of the host", () => {
    assert.strictEqual(escapeOf(() => Effect.runSync(Clock.monotonicTimeNanos))?.api, "process.hrtime")
    assert.strictEqual(escapeOf(() => Effect.runSync(Clock.currentTimeMillis))?.api, "Date.now")
  })

  it("what was opened before the run escapes as it is used", () => {
    const { port1, port2 } = new workerThreads.MessageChannel()
    const socket = new net.Socket()
    const database = new sqlite.DatabaseSync(":memory:")
    const now = database.prepare("select strftime('%f', 'now')")
    try {
      assert.deepStrictEqual(
        [() => socket.write("charge"), () => port1.postMessage("charge"), () => now.get()].map(
          (use) => escapeOf(use)?.api
        ),
        ["net.Socket.write", "worker_threads.MessagePort.postMessage", "sqlite.StatementSync.get"]
      )
    } finally {
      port1.close()
      port2.close()
      socket.destroy()
      database.close()
    }
  })

  it("what a thread of the host would tell by a callback escapes; the same at once does not", () => {
    const { privateKey, publicKey } = nodeCrypto.generateKeyPairSync("ed25519")
    const data = Buffer.from("data")
    const signature = nodeCrypto.sign(null, data, privateKey)
    const ignore = () => undefined
    assert.strictEqual(escapeOf(() => nodeCrypto.sign(null, data, privateKey, ignore))?.api, "crypto.sign")
    assert.strictEqual(
      escapeOf(() => nodeCrypto.verify(null, data, publicKey, signature, ignore))?.api,
      "crypto.verify"
    )
    assert.isUndefined(escapeOf(() => assert.isTrue(nodeCrypto.verify(null, data, publicKey, signature))))
  })

  it("hours are those of one zone, whatever that of the host", () => {
    const { TZ } = process.env
    process.env["TZ"] = "Asia/Tokyo"
    const hours = [new Date(0).getHours()]
    assert.isUndefined(escapeOf(() => hours.push(new Date(0).getHours())))
    hours.push(new Date(0).getHours())
    process.env["TZ"] = TZ
    assert.deepStrictEqual(hours, [9, 0, 9])
  })

  it("a program that makes something else of stacks is told as any other", () => {
    const program = () => {
      Error.prepareStackTrace = (_, sites) => sites
      return Date.now()
    }
    const { prepareStackTrace } = Error
    try {
      assert.strictEqual(escapeOf(program)?.api, "Date.now")
    } finally {
      Error.prepareStackTrace = prepareStackTrace
    }
  })

  it("every process has the same number, and is heard of by nobody afterwards", () => {
    const { pid } = process
    const seen: Array<number> = []
    assert.isUndefined(escapeOf(() => seen.push(process.pid, process.ppid)))
    assert.deepStrictEqual(seen, [1, 0])
    assert.strictEqual(process.pid, pid)
    assert.strictEqual(escapeOf(() => process.on("SIGTERM", () => undefined))?.api, "process.on")
    assert.isFalse(Object.hasOwn(process, "on"))
  })

  it("what a program prints is let through", () => {
    assert.isUndefined(escapeOf(() => console.debug("")))
  })

  it("a listed package is answered by the node's clock and the run's chance, and only for what it is listed", () => {
    const virtual = {
      driver: ["Date.now", "new Date", "performance.now", "process.hrtime", "crypto.randomUUID"]
    } as const
    const answers: Array<unknown> = []
    const ask = (expression: string) => answers.push(inPackage("driver", expression)())
    const escaped = escapeOf(
      () => {
        ask("Date.now()")
        ask("new Date().getTime()")
        ask("performance.now()")
        ask("process.hrtime.bigint()")
        ask("process.hrtime([0, 50000000])")
        ask("crypto.randomUUID()")
        ask("Math.random()")
      },
      { virtual }
    )
    assert.deepStrictEqual(answers, [
      1_767_225_600_250,
      1_767_225_600_250,
      250,
      250_000_000n,
      [0, 200_000_000],
      "40404040-4040-4040-8040-404040404040"
    ])
    assert.strictEqual(escaped?.api, "Math.random")
  })

  it("the innermost package on the stack decides, not who called it", () => {
    const callBack = inPackage("driver", "[1].map(() => arguments[0]())") as (ours: () => unknown) => unknown
    const escaped = escapeOf(() => callBack(() => Date.now()), { virtual: { driver: ["Date.now"] } })
    assert.strictEqual(escaped?.api, "Date.now")
  })
})

/** What is trapped, written down once more: a trap that is taken away is missed here, one that is added is to be named. */
const prototypeOf = (value: unknown) => Object.getPrototypeOf(value) as object
const functionsOf = (owner: object) =>
  Object.getOwnPropertyNames(owner).filter((key) => /^[a-z]/.test(key) && typeof Reflect.get(owner, key) === "function")
const twins = functionsOf(zlib).filter((key) => functionsOf(zlib).includes(`${key}Sync`))

const wasm = Reflect.get(globalThis, "WebAssembly") as object

interface Place {
  /** As it begins in what an escape is called. */
  readonly name: string
  readonly owner: object
  readonly keys: ReadonlyArray<string>
}

const place = (name: string, owner: object, ...keys: ReadonlyArray<string>): Place => ({ name, owner, keys })

const timersOfHost = ["setTimeout", "setInterval", "setImmediate"]

const places: ReadonlyArray<Place> = [
  place("new", globalThis, "Date"),
  place("", globalThis, ...timersOfHost, "queueMicrotask", "MessageChannel", "BroadcastChannel"),
  place("", globalThis, "CompressionStream", "DecompressionStream"),
  place("WebAssembly", wasm, ...functionsOf(wasm).filter((key) => key !== "validate")),
  place("", globalThis, "fetch", "WebSocket", ...("EventSource" in globalThis ? ["EventSource"] : [])),
  place("Date", Date, "now"),
  place("Math", Math, "random"),
  place("performance", prototypeOf(performance), "now", "mark", "measure", "toJSON", "eventLoopUtilization"),
  place("performance", prototypeOf(performance), "timeOrigin"),
  place("Event", Event.prototype, "timeStamp"),
  place("Intl.DateTimeFormat", Intl.DateTimeFormat.prototype, "format", "formatToParts"),
  place("process", process, "hrtime", "nextTick", "uptime", "cpuUsage", "threadCpuUsage", "resourceUsage"),
  place("process", process, "memoryUsage", "availableMemory", "getActiveResourcesInfo"),
  place("process", process, "on", "once", "addListener", "prependListener", "prependOnceListener", "stdin"),
  place("process", process, "exit", "abort", "kill", "dlopen", "binding", "chdir", "loadEnvFile"),
  place("process", process, ...("execve" in process ? ["execve"] : [])),
  place("process.report", process.report, "writeReport", "getReport"),
  place("", globalThis, "PerformanceMark"),
  place("Blob", Blob.prototype, "stream", "text", "arrayBuffer", "bytes"),
  place("crypto", Crypto.prototype, "getRandomValues", "randomUUID"),
  place(
    "crypto.subtle",
    SubtleCrypto.prototype,
    ...functionsOf(SubtleCrypto.prototype).filter((key) => key !== "constructor")
  ),
  place("crypto", nodeCrypto, "randomUUID", "randomBytes", "randomInt", "randomFill", "randomFillSync"),
  place("crypto", nodeCrypto, "generateKeyPair", "generateKeyPairSync", "generateKey", "generateKeySync"),
  place(
    "crypto",
    nodeCrypto,
    "generatePrime",
    "generatePrimeSync",
    "checkPrime",
    "pbkdf2",
    "scrypt",
    "hkdf",
    "pseudoRandomBytes",
    "publicEncrypt",
    ...["encapsulate", "argon2"].filter((key) => key in nodeCrypto)
  ),
  ...[nodeCrypto.ECDH, nodeCrypto.DiffieHellman, nodeCrypto.DiffieHellmanGroup].map(({ prototype }) =>
    place("crypto", prototype, "generateKeys")
  ),
  place("", timers, ...timersOfHost),
  place("timers/promises", timersPromises, ...timersOfHost),
  place("timers/promises.scheduler", prototypeOf(timersPromises.scheduler), "wait", "yield"),
  place("AbortSignal", AbortSignal, "timeout"),
  place("Promise", Promise.prototype, "then"),
  place("Atomics", Atomics, "wait", "waitAsync"),
  place("http", http, "request", "get", "createServer"),
  place("https", https, "request", "get", "createServer"),
  place("http2", http2, "connect", "createServer", "createSecureServer"),
  place("tls", tls, "connect", "createServer"),
  place("net", net, "connect", "createConnection", "createServer"),
  place("net.Socket", net.Socket.prototype, "connect"),
  place("net.Server", net.Server.prototype, "listen"),
  place("dgram", dgram, "createSocket"),
  place("dgram.Socket", dgram.Socket.prototype, "bind", "connect", "send"),
  place("dns", dns, ...functionsOf(dns)),
  place("dns.promises", dns.promises, ...functionsOf(dns.promises)),
  ...[dns.Resolver, dns.promises.Resolver].map(({ prototype }) =>
    place("dns.Resolver", prototype, ...functionsOf(prototype).filter((key) => key !== "constructor"))
  ),
  place("fs", fs, ...functionsOf(fs)),
  place("fs.promises", fs.promises, ...functionsOf(fs.promises)),
  place("sqlite", sqlite, "DatabaseSync", "backup"),
  ...(["DatabaseSync", "StatementSync"] as const).map((name) =>
    place(
      `sqlite.${name}`,
      sqlite[name].prototype,
      ...functionsOf(sqlite[name].prototype).filter((key) => key !== "constructor")
    )
  ),
  place(
    "v8",
    v8,
    "getHeapStatistics",
    "getHeapSpaceStatistics",
    "getHeapCodeStatistics",
    "getHeapSnapshot",
    "writeHeapSnapshot"
  ),
  place("vm", vm, "createContext", "runInContext", "runInNewContext"),
  place("vm.Script", vm.Script.prototype, "runInContext", "runInNewContext"),
  place("child_process", childProcess, ...functionsOf(childProcess)),
  place("child_process.ChildProcess", childProcess.ChildProcess.prototype, "spawn", "kill"),
  place("worker_threads.Worker", workerThreads.Worker.prototype, "postMessage"),
  place("worker_threads.MessagePort", workerThreads.MessagePort.prototype, "postMessage"),
  place("cluster", cluster, "fork", "setupPrimary"),
  place("readline", readline, "createInterface"),
  place("readline/promises", readlinePromises, "createInterface"),
  place("worker_threads", workerThreads, "Worker", "MessageChannel", "BroadcastChannel"),
  place("zlib", zlib, ...twins, ...functionsOf(zlib).filter((key) => key.startsWith("create"))),
  place("os", os, ...functionsOf(os))
]

/** Without arguments, and as a constructor where it is one: a trap asks for neither. */
const useOf = (owner: object, key: string) => (): unknown => {
  const used = Reflect.get(
    owner,
    key,
    owner === Intl.DateTimeFormat.prototype ? new Intl.DateTimeFormat() : owner
  ) as () => unknown
  return /^[A-Z]/.test(key) ? Reflect.construct(used, []) : Reflect.apply(used, owner, [])
}

describe("every trap", () => {
  for (const { keys, name, owner } of places) {
    it(`${name || "global"}: ${keys.length > 8 ? `${keys.length} functions` : keys.join(", ")}`, () => {
      const through = keys.filter((key) => {
        try {
          const escaped = escapeOf(useOf(owner, key))
          const isNamed = escaped?.api === [name, key].filter(Boolean).join(name === "new" ? " " : ".")
          return !isNamed || escaped.remedy === "" || !/Trap\.test\.ts/.test(escaped.frames[0] ?? "")
        } catch {
          // The host's own complaint about missing arguments: it was reached.
          return true
        }
      })
      assert.deepStrictEqual(through, [])
    })
  }

  it("is named above, or let through: what prints or takes back a timer, signs, says what a process is called", () => {
    const expected = new Map<object, Set<string>>([
      [console, new Set(functionsOf(console))],
      [process, new Set(["pid", "ppid", "emitWarning"])],
      [nodeCrypto, new Set(["sign", "verify", "diffieHellman", "decapsulate"].filter((key) => key in nodeCrypto))],
      [net.Socket.prototype, new Set(["_writeGeneric"])],
      [Date.prototype, new Set(["constructor"])],
      [nodeCrypto.Sign.prototype, new Set(["sign"])]
    ])
    for (const owner of [globalThis, timers])
      expected.set(owner, new Set(["clearTimeout", "clearInterval", "clearImmediate"]))
    for (const { keys, owner } of places) expected.set(owner, new Set([...(expected.get(owner) ?? []), ...keys]))
    const descriptors = (owner: object): Record<string, PropertyDescriptor> => Object.getOwnPropertyDescriptors(owner)
    const before = new Map([...expected.keys()].map((owner) => [owner, descriptors(owner)]))
    const trap = Trap.enter(options)
    const during = new Map([...expected.keys()].map((owner) => [owner, descriptors(owner)]))
    trap.leave()
    for (const [owner, keys] of expected) {
      const replaced = Object.entries(during.get(owner) ?? {}).flatMap(([key, { get, value }]) => {
        const then = before.get(owner)?.[key]
        return Object.is(value, then?.value) && get === then?.get ? [] : [key]
      })
      assert.sameMembers(replaced, [...keys])
    }
  })
})

describe("the two policies", () => {
  const all = {
    "Date.now": ["Date.now()", 1_767_225_600_250],
    "new Date": ["[new Date().getTime(), new Date(Date()).getTime()]", [1_767_225_600_250, 1_767_225_600_000]],
    "performance.now": ["performance.now()", 250],
    "process.hrtime": ["[process.hrtime(), process.hrtime.bigint()]", [[0, 250_000_000], 250_000_000n]],
    "Math.random": ["Math.random()", 0.25],
    "crypto.getRandomValues": ["[...crypto.getRandomValues(new Uint8Array(2))]", [64, 64]],
    "crypto.randomUUID": ["crypto.randomUUID()", "40404040-4040-4040-8040-404040404040"],
    setTimeout: ["typeof setTimeout(() => undefined, 250)", "object"],
    "crypto.randomBytes": ["process.getBuiltinModule('crypto').randomBytes(2).toString('hex')", "4040"]
  } as const satisfies Record<Trap.VirtualApi, readonly [expression: string, answer: unknown]>
  const apis = Object.keys(all) as ReadonlyArray<Trap.VirtualApi>

  for (const api of apis) {
    const [expression, answer] = all[api]
    it(`${api}: answered for a package that is listed for it, an escape for one that is listed for all the others`, () => {
      const ask = inPackage("@scope/driver", expression)
      let answered: unknown
      const virtual = { "@scope/driver": [api] }
      assert.isUndefined(escapeOf(() => (answered = ask()), { virtual }))
      assert.deepStrictEqual(answered, answer)
      const others = { "@scope/driver": apis.filter((other) => other !== api) }
      assert.strictEqual(escapeOf(ask, { virtual: others })?.api, api)
      assert.strictEqual(escapeOf(ask)?.api, api)
    })
  }

  it("a timer of a listed package is one of the running node, and can be taken back", () => {
    const trap = Trap.enter({ ...options, virtual: { driver: ["setTimeout"] } })
    try {
      timersSet.length = 0
      inPackage("driver", "clearTimeout(setTimeout(() => undefined, 5_000).unref())")()
      inPackage("driver", "setTimeout(() => undefined, 10)")()
      assert.deepStrictEqual(
        timersSet.map(({ isCancelled, millis }) => [millis, isCancelled]),
        [
          [5_000, true],
          [10, false]
        ]
      )
    } finally {
      trap.leave()
    }
  })

  it("who is lent the host reads the time it is lent, to the microsecond, and may do what else it likes", () => {
    const trap = Trap.enter(options)
    try {
      const read = Trap.lend(1_735_689_600_000_001, () => [
        Date.now(),
        new Date().getTime(),
        Math.random(),
        fs.existsSync(import.meta.filename)
      ])
      assert.deepStrictEqual(read, [1_735_689_600_000.001, 1_735_689_600_000, 0.25, true])
      assert.throws(() => Date.now(), Trap.Escaped)
    } finally {
      trap.leave()
    }
  })

  it("Effect draws span ids from the run's chance, unless told otherwise", () => {
    const draw = inPackage("effect", "Math.random()")
    assert.isUndefined(escapeOf(draw))
    assert.strictEqual(escapeOf(draw, { virtual: {} })?.api, "Math.random")
    assert.strictEqual(escapeOf(inPackage("effect", "Date.now()"))?.api, "Date.now")
  })
})

describe("an Effect HashMap with by-reference keys", () => {
  const byReference = (name: string) => Equal.byReferenceUnsafe({ name })

  it("iterates in order of insertion, whatever was hashed before", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string(), { minLength: 1 }), fc.array(fc.string()), (names, before) => {
        let draws = 0
        const trap = Trap.enter({ ...options, fraction: () => (draws++ * 0.618) % 1 })
        try {
          for (const name of before) HashMap.make([byReference(name), name])
          const map = HashMap.fromIterable(names.map((name) => [byReference(name), name] as const))
          assert.deepStrictEqual([...HashMap.values(map)], names)
        } finally {
          trap.leave()
        }
      })
    )
  })
})

describe("outside runs", () => {
  it("what a test has put in the place of something is there again after a run; what is printed in it is heard", () => {
    const warned = vi.spyOn(console, "warn").mockReturnValue()
    const fetched = vi.spyOn(globalThis, "fetch").mockRejectedValue(new Error("offline"))
    try {
      assert.strictEqual(escapeOf(() => [console.warn("in a run"), fetch("http://localhost")])?.api, "fetch")
      console.warn("after it")
      assert.deepStrictEqual(warned.mock.calls, [["in a run"], ["after it"]])
      assert.strictEqual(globalThis.fetch, fetched)
    } finally {
      vi.restoreAllMocks()
    }
  })

  const snapshot = () =>
    [globalThis, Date, Math, process, Promise.prototype, fs, fs.promises, crypto, console].map((owner) =>
      Object.getOwnPropertyDescriptors(owner)
    )

  it("everything is as it was, also after a run inside a run", () => {
    const before = snapshot()
    const outer = Trap.enter(options)
    const inner = Trap.enter(options)
    inner.leave()
    assert.throws(() => Date.now(), Trap.Escaped)
    outer.leave()
    const after = snapshot()
    before.forEach((descriptors, index) => {
      for (const [key, { value, get }] of Object.entries(descriptors)) {
        assert.isTrue(Object.is(after[index]?.[key]?.value, value), key)
        assert.strictEqual(after[index]?.[key]?.get, get, key)
      }
    })
    assert.isTrue(existsSync(import.meta.filename))
  })

  it("each run answers for its own escapes", () => {
    const outer = Trap.enter(options)
    const inner = Trap.enter(options)
    assert.throws(() => Date.now(), Trap.Escaped)
    assert.isDefined(inner.escaped)
    inner.leave()
    assert.isUndefined(outer.escaped)
    outer.leave()
  })

  it("an outer run cannot be left before the inner one", () => {
    const outer = Trap.enter(options)
    const inner = Trap.enter(options)
    assert.throws(() => outer.leave(), /opposite/)
    inner.leave()
    outer.leave()
  })

  it("counts fibers by the run, whatever ran before", () => {
    const numberOf = () => Effect.runSync(Effect.withFiber(({ id }) => Effect.succeed(id)))
    const before = numberOf()
    const trap = Trap.enter(options)
    const inside = numberOf()
    trap.leave()
    assert.strictEqual(inside, 7)
    assert.isAbove(numberOf(), before)
  })
})
