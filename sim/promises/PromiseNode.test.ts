import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { AsyncLocalStorage } from "node:async_hooks"
import childProcess from "node:child_process"
import crypto from "node:crypto"
import fs from "node:fs"
import net from "node:net"
import { setImmediate as turn, setInterval as ticks, setTimeout as sleep } from "node:timers/promises"
import { Worker } from "node:worker_threads"
import { emit } from "../../core/facts/Facts.ts"
import { inOwnTurn } from "../host/ownTurn.ts"
import { runApart } from "../host/runHere.ts"
import type * as Trap from "../host/Trap.ts"
import * as Scenario from "../run/Scenario.ts"
import { World } from "../run/World.ts"
import * as PromiseNode from "./PromiseNode.ts"

interface Said {
  readonly _tag: "Said"
  readonly text: string
}

const fact = (text: string): Said => ({ _tag: "Said", text })

/** Builds a world and steers it; returns what was said in it, by virtual time: "1000 a hello". */
const saidIn = (steer: (world: World) => void, seed = "1"): Promise<ReadonlyArray<string>> =>
  inOwnTurn(() => {
    const world = new World({ seed, isAsync: true, limits: { instantTasksMax: 10_000, stepsMax: 1e6 } })
    const said: Array<string> = []
    world.subscribe(({ atMicros, fact, node }) => {
      if (fact._tag === "Said") said.push(`${atMicros / 1_000} ${node} ${(fact as Said).text}`)
    })
    steer(world)
    return said
  })

const start = (world: World, name: string, program: PromiseNode.PromiseProgram) =>
  PromiseNode.add(world, name, program).start()

describe("a program with promises", () => {
  it("finds Node's timers and microtasks, in Node's order, and the time of its node", async () => {
    const said = await saidIn((world) => {
      start(world, "a", async (host) => {
        const say = (text: string) => host.tell(fact(text))
        setTimeout(say, 1, "timeout")
        setTimeout(say, 0, "no less than a millisecond")
        setImmediate(say, "immediate")
        clearImmediate(setImmediate(say, "never"))
        process.nextTick(say, "tick")
        queueMicrotask(() => say("microtask"))
        say("at once")
        await undefined
        say("awaited")
        await sleep(10)
        const interval = setInterval(say, 5, "interval")
        await sleep(12)
        clearInterval(interval)
        await turn()
        await sleep(20)
        say(`${new Date().toISOString()} ${Date.now()} ${performance.now()}`)
      })
      world.run("1s")
    })
    assert.deepStrictEqual(said, [
      "0 a at once",
      "0 a tick",
      "0 a microtask",
      "0 a awaited",
      "0 a immediate",
      "1 a timeout",
      "1 a no less than a millisecond",
      "15 a interval",
      "20 a interval",
      "42 a 2026-01-01T00:00:00.042Z 1767225600042 42"
    ])
  })

  it("keeps what its asynchronous context holds in timers, is told by callbacks, and may pipe streams of the web", async () => {
    const context = new AsyncLocalStorage<string>()
    const said = await saidIn((world) => {
      start(world, "a", async (host) => {
        context.run("request 1", () => setTimeout(() => host.tell(fact(String(context.getStore()))), 1))
        crypto.randomBytes(4, (_, bytes) => host.tell(fact(`${bytes.length} bytes`)))
        const bytes = new ReadableStream({
          start(controller) {
            controller.enqueue(Buffer.from("text"))
            controller.close()
          }
        })
        for await (const text of bytes.pipeThrough(new TextDecoderStream())) host.tell(fact(text as string))
        await sleep(10)
      })
      world.run("1s")
    })
    assert.sameMembers([...said], ["0 a 4 bytes", "0 a text", "1 a request 1"])
  })

  it("reads its own node's clock after each await, whoever ran meanwhile", async () => {
    const measures: PromiseNode.PromiseProgram = async (host) => {
      const since = Date.now()
      await sleep(2_000)
      host.tell(fact(`+${Date.now() - since}`))
    }
    const said = await saidIn((world) => {
      start(world, "a", measures)
      start(world, "b", measures)
      world.run("1s")
      world.node("b").clock.jump(60_000_000)
      world.run("2s")
    })
    assert.deepStrictEqual(said, ["2000 a +2000", "2000 b +62000"])
  })

  it("draws from its own incarnation's chance, which nobody else moves", async () => {
    const draws: PromiseNode.PromiseProgram = async (host) => {
      host.tell(fact(`${Math.random()} ${globalThis.crypto.randomUUID()} ${crypto.randomBytes(4).toString("hex")}`))
      await sleep(1_000)
    }
    const alone = await saidIn((world) => {
      start(world, "a", draws)
      world.run("2s")
    })
    const beside = await saidIn((world) => {
      start(world, "b", draws)
      start(world, "a", draws)
      world.run("500ms")
      world.node("a").crash("test")
      world.node("a").start()
      world.run("2s")
    })
    assert.include(beside, alone[0])
    assert.strictEqual(new Set(beside.map((line) => line.split(" ").slice(2).join(" "))).size, 3)
  })

  it("calls and is called: values travel as JSON, errors as CallFailed, and who is impatient gives up", async () => {
    const said = await saidIn((world) => {
      start(world, "server", async (host) => {
        host.listen(80, async (request, from) => {
          if (request === "sleep") await sleep(5_000)
          if (request === "fail") throw new Error("I will not")
          return { from, request }
        })
      })
      start(world, "client", async (host) => {
        const ask = async (request: PromiseNode.Json, port = 80) => {
          try {
            host.tell(
              fact(JSON.stringify(await host.call("server", port, request, { signal: AbortSignal.timeout(2_000) })))
            )
          } catch (error) {
            host.tell(fact(`${(error as Error).name}: ${(error as Error).message}`))
          }
        }
        await ask(["a", { b: null }])
        await ask("fail")
        await ask("sleep")
        await ask("hello", 81)
      })
      world.run("10s")
    })
    assert.deepStrictEqual(
      said.map((line) => line.replace(/^\S+ /, "")),
      [
        'client {"from":"client","request":["a",{"b":null}]}',
        "client CallFailed: server: I will not",
        "client TimeoutError: The operation was aborted due to timeout",
        "client CallFailed: the connection to server was refused"
      ]
    )
  })

  it("on Effect may await promises, and one with promises run effects", async () => {
    const said = await saidIn((world) => {
      const reads = Effect.promise(async () => {
        await sleep(5)
        return Date.now()
      })
      start(world, "b", async (host) => {
        await Effect.runPromise(Effect.andThen(Effect.sleep("7 millis"), Effect.yieldNow))
        host.tell(fact("ran an effect"))
      })
      world
        .addNode(
          "a",
          Effect.flatMap(reads, (now) => emit(fact(String(now))))
        )
        .start()
      world.run("1s")
    })
    assert.deepStrictEqual(said, ["5 a 1767225600005", "7 b ran an effect"])
  })

  it("whose tasks wake each other without time passing is a livelock, not a hang", async () => {
    const livelocked = saidIn((world) => {
      start(world, "a", async () => {
        for (;;) await turn()
      })
      world.run("1s")
    })
    assert.match(String(await livelocked.catch(String)), /livelock: the fibers of a/)
  })
})

describe("a node whose program uses promises", () => {
  it("that crashed does nothing any more: its timers are dropped, and what settles later says nothing", async () => {
    let release: () => void = () => undefined
    const said = await saidIn((world) => {
      start(world, "a", async (host) => {
        host.tell(fact("up"))
        setTimeout(() => host.tell(fact("timer")), 2_000)
        await new Promise<void>((resolve) => {
          release = resolve
        })
        host.tell(fact("released"))
        await host.call("b", 80, "from the dead")
      })
      start(world, "b", async (host) => {
        host.listen(80, (request) => {
          host.tell(fact(`heard ${String(request)}`))
          return null
        })
        await sleep(1_500)
        release()
      })
      world.run("1s")
      world.node("a").crash("test")
      world.run("2s")
      world.node("a").start()
      world.run("5s")
    })
    assert.deepStrictEqual(said, ["0 a up", "3000 a up", "5000 a timer"])
  })

  it("that is paused runs nothing until it is resumed, and then what is overdue", async () => {
    const said = await saidIn((world) => {
      start(world, "a", async (host) => {
        await sleep(2_000)
        host.tell(fact("slept"))
        await undefined
        host.tell(fact("and went on"))
      })
      world.run("1s")
      world.node("a").pause()
      world.run("4s")
      world.node("a").resume()
      world.run("1s")
    })
    assert.deepStrictEqual(said, ["5000 a slept", "5000 a and went on"])
  })

  it("that is stopped is told by its signal, and ends when its program has; one that only listens ends at once", async () => {
    const said = await saidIn((world) => {
      start(world, "a", async (host) => {
        try {
          await sleep(60_000, undefined, { signal: host.signal })
        } finally {
          await sleep(1_000)
          host.tell(fact("cleaned up"))
        }
      })
      start(world, "b", async (host) => host.listen(80, () => null))
      world.run("1s")
      for (const name of ["a", "b"]) world.node(name).stop(5_000_000)
      world.run("500ms")
      assert.deepStrictEqual([world.node("a").state, world.node("b").state], ["up", "down"])
      world.run("1s")
      assert.strictEqual(world.node("a").state, "down")
    })
    assert.deepStrictEqual(said, ["2000 a cleaned up"])
  })

  const forgets: PromiseNode.PromiseProgram = async (host) => {
    host.tell(fact("up"))
    await sleep(1_000)
    void Promise.reject(new Error("forgotten"))
    await sleep(1_000)
    host.tell(fact("went on"))
  }
  const throws: PromiseNode.PromiseProgram = async (host) => {
    host.tell(fact("up"))
    setTimeout(() => {
      throw new Error("forgotten")
    }, 1_000)
    await sleep(2_000)
    host.tell(fact("went on"))
  }

  for (const [how, program] of [
    ["rejects and nobody handles it", forgets],
    ["throws in a timer", throws]
  ] as const) {
    it(`that ${how} ends, as a process does: the run too, or it is restarted`, async () => {
      const failed = saidIn((world) => {
        start(world, "a", program)
        world.run("10s")
      })
      assert.match(String(await failed.catch(String)), /a crashed: Error: forgotten/)
      const said = await saidIn((world) => {
        PromiseNode.add(world, "a", program, { onExit: { _tag: "Restart", afterMicros: 500_000 } }).start()
        world.run("2s")
      })
      assert.deepStrictEqual(said, ["0 a up", "1500 a up"])
    })
  }

  it("whose promise never settles stalls the run, which says so, and which calls were not answered", async () => {
    const scenario = Scenario.make({
      name: "promises/stalls",
      story: "",
      isAsync: true,
      safetyMillis: 5_000,
      build: (world) => {
        PromiseNode.add(world, "b", async (host) => host.listen(80, () => new Promise<null>(() => undefined))).start()
        PromiseNode.add(world, "a", (host) => host.call("b", 80, "anybody?"), { mustEnd: true }).start()
      }
    })
    const request = { scenario: scenario.name, seed: "1", strategy: "random" } as const
    const { verdict } = await runApart(scenario, request, { kinds: [] })
    assert.strictEqual(verdict._tag === "stalled" && verdict.reason.split(":")[0], "deadlock")
    assert.deepStrictEqual(
      verdict._tag === "stalled" &&
        verdict.waiting.map(({ fiber, node, waitsFor }) => `${node}: ${fiber}: ${waitsFor}`),
      ['a: a call: b:80: "anybody?"', "a: main: its promise to settle", "b: main: its promise to settle"]
    )
  })
})

describe("what leaves the simulation all the same", () => {
  const escapes: ReadonlyArray<readonly [api: string, program: () => unknown]> = [
    ["fetch", () => fetch("http://localhost")],
    ["net.connect", () => net.connect(80)],
    ["fs.promises.readFile", () => fs.promises.readFile(import.meta.filename)],
    ["child_process.spawn", () => childProcess.spawn("true")],
    ["worker_threads.Worker", () => new Worker(import.meta.filename)],
    ["crypto.subtle.digest", () => globalThis.crypto.subtle.digest("SHA-256", new Uint8Array(1))],
    ["timers/promises.setInterval", () => ticks(1)]
  ]
  for (const [api, program] of escapes) {
    it(`${api} is refused by name and place, also where the program catches it`, async () => {
      const escaped = await inOwnTurn(() => {
        const world = new World({ seed: "1", isAsync: true })
        start(world, "a", async () => {
          await sleep(1_000)
          try {
            await program()
          } catch {
            await sleep(1_000)
          }
        })
        try {
          world.run("5s")
          return undefined
        } catch (error) {
          return error as Trap.Escaped
        }
      })
      assert.strictEqual(escaped?.api, api)
      assert.match(escaped?.frames[0] ?? "", /sim\/promises\/PromiseNode\.test\.ts:\d+:\d+/)
      assert.isNotEmpty(escaped?.remedy)
    })
  }
})

describe("a world whose programs use promises", () => {
  it("is refused, in one line, where no promise can settle, and where it was not said that they are used", async () => {
    await undefined
    assert.throws(() => new World({ seed: "1", isAsync: true }).run("1s"), /inOwnTurn/)
    assert.throws(() => start(new World({ seed: "1" }), "a", async () => undefined), /a uses promises.*isAsync: true/)
  })
})
