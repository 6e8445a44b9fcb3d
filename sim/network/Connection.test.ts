import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import * as fc from "fast-check"
import type { Hazard } from "../nemesis/Hazards.ts"
import { World } from "../run/World.ts"
import { type CloseReason, connect, type End, listen, retransmitLimitMicros, windowBytes } from "./Connection.ts"
import * as SimSocket from "./SimSocket.ts"
import * as SimSocketServer from "./SimSocketServer.ts"
import { delay, drop, hold, pass, reset, type Packet, type Verdict } from "./Network.ts"

const second = 1_000_000

/** One side of a conversation: what its program did and was told. */
class Side {
  end: End | undefined
  readonly said: Array<number> = []
  readonly heard: Array<number> = []
  readonly closes: Array<CloseReason> = []
  /** It ended the conversation itself. */
  left: "close" | "finish" | "abort" | undefined
  /** Told in an order that a program could not make sense of. */
  wrong: string | undefined
  isOpen = false

  readonly handlers = {
    onOpen: () => {
      if (this.isOpen) this.wrong = "opened twice"
      this.isOpen = true
    },
    onMessage: (value: number) => {
      if (!this.isOpen) this.wrong = "a message before it was open"
      if (this.closes.length > 0) this.wrong = "a message after the end"
      this.heard.push(value)
      this.end?.consumed(1)
    },
    onClose: (reason: CloseReason) => this.closes.push(reason)
  }

  /** Says the next number, unless the conversation is over. */
  speak(bytes = 1): void {
    if (this.end?.state !== "open" || !this.end.isAlive || this.left === "finish") return
    this.said.push(this.said.length)
    this.end.send(this.said.length - 1, bytes, String(this.said.length))
  }

  leave(how: "close" | "finish" | "abort"): void {
    if (this.end?.state !== "open" || this.left !== undefined) return
    this.left = how
    this.end[how]()
  }
}

/** Two nodes, "a" which opens a conversation and "b" which listens, and two that have nothing to do with it. */
const meet = (seed = "1") => {
  const world = new World({ seed })
  for (const name of ["a", "b", "c", "d"]) world.addNode(name, Effect.never).start()
  const [a, b] = [new Side(), new Side()]
  const serve = () =>
    listen(world.network, world.node("b"), 80, (end) => {
      b.end = end
      return b.handlers
    })
  serve()
  const open = () => {
    a.end = connect(world.network, world.node("a"), "b", 80, a.handlers)
  }
  const rule = (onPacket: (packet: Packet) => Verdict) => world.network.addRule({ fault: "test/rule", onPacket })
  const told = (fault: string) => world.kernel.facts.effects.get(fault) ?? 0
  return { world, a, b, open, serve, rule, told }
}

/** `meet`, and the conversation is open. */
const talk = (seed = "1") => {
  const met = meet(seed)
  met.open()
  met.world.run("1s")
  assert.isTrue(met.a.isOpen && met.b.isOpen)
  return met
}

const always = (options: Partial<Hazard> = {}): Hazard => ({
  entry: 0,
  covers: () => true,
  rate: 1,
  struck: undefined,
  parameters: {},
  ...options
})

const upTo = (count: number) => Array.from({ length: count }, (_, nth) => nth)

describe("a connection that is cut", () => {
  it("shorter than the limit costs time and nothing else", () => {
    const { world, a, b } = talk()
    const heal = world.network.partition(["a"], ["b"])
    for (let nth = 0; nth < 5; nth++) a.speak()
    b.speak()
    world.run("10s")
    assert.deepStrictEqual([a.heard, b.heard], [[], []])
    heal()
    world.run("5s")
    assert.deepStrictEqual([a.heard, b.heard], [upTo(1), upTo(5)])
    assert.deepStrictEqual([...a.closes, ...b.closes], [])
  })

  it("in one direction, times out at the end that cannot send; the other hears nothing until it speaks, and then a reset", () => {
    const { world, a, b } = talk()
    const heal = world.network.partitionOneWay(["a"], ["b"])
    b.speak()
    world.run("1s")
    assert.deepStrictEqual(a.heard, [0], "what comes back arrives")
    a.speak()
    world.run("14s")
    assert.deepStrictEqual(a.closes, [])
    world.run("5s")
    assert.deepStrictEqual([a.closes, b.closes], [["timeout"], []], "half open")
    b.speak()
    world.run("5s")
    assert.deepStrictEqual(b.closes, [], "the reset that answers it is cut too")
    heal()
    world.run("5s")
    assert.deepStrictEqual(b.closes, ["reset"])
    assert.deepStrictEqual(b.heard, [])
  })

  it("in one direction, and healed in time: both have heard everything, nobody was told of anything", () => {
    const { world, a, b } = talk()
    const heal = world.network.partitionOneWay(["a"], ["b"])
    for (let nth = 0; nth < 3; nth++) {
      a.speak()
      b.speak()
    }
    world.run("12s")
    assert.deepStrictEqual([a.heard, b.heard], [upTo(3), []])
    heal()
    world.run("5s")
    assert.deepStrictEqual([a.heard, b.heard, a.closes, b.closes], [upTo(3), upTo(3), [], []])
  })

  it("times out although something sent before the cut arrives during it", () => {
    const { world, a, b, rule } = talk()
    const fast = rule(({ nth, source }) => (source === "a" && nth === 0 ? delay(3 * second) : pass))
    a.speak()
    fast()
    world.run("1s")
    world.network.partition(["a"], ["b"])
    a.speak()
    world.run("1m")
    assert.deepStrictEqual(b.heard, [0])
    assert.deepStrictEqual(a.closes, ["timeout"])
  })

  it("and given up: what waited is not sent after the cut is healed", () => {
    const { world, a, b, rule } = talk()
    a.speak()
    world.run("1s")
    // The second message meets a reset behind the cut; the sender has closed meanwhile and the third waits behind it.
    const heal = world.network.partition(["a"], ["b"])
    a.speak()
    a.speak()
    a.leave("close")
    rule(({ lane, source, nth }) => {
      if (source !== "a" || lane === "connect" || nth < 1 || nth === 2) return pass
      return nth === 1 ? reset : drop
    })
    world.run("1s")
    heal()
    world.run("1m")
    assert.deepStrictEqual([b.heard, b.closes], [[0], ["reset"]], "never the third without the second")
  })
})

describe("a clog that lasts", () => {
  it("longer than the limit is a time-out, and lets go of nothing when it is over", () => {
    const { world, a, b, rule } = talk()
    const letGo = rule(({ lane, source }) => (source === "a" && lane === "segment" ? hold : pass))
    a.speak()
    a.speak()
    world.run("20s")
    assert.deepStrictEqual(a.closes, ["timeout"])
    letGo()
    world.run("20s")
    assert.deepStrictEqual(b.heard, [])
  })
})

describe("an end in silence", () => {
  it("waits for room to write to a node that has died: it is told when the node is back", () => {
    const { world, a } = talk()
    a.speak(windowBytes + 1)
    world.run("1s")
    assert.isTrue(a.end?.isWindowFull)
    world.node("b").crash("killed")
    world.run("2s")
    world.node("b").start()
    world.run("10s")
    assert.deepStrictEqual(a.closes, ["reset"])
  })

  it("waits for room to write to a node that is gone for good: it times out", () => {
    const { world, a } = talk()
    a.speak(windowBytes + 1)
    world.run("1s")
    world.node("b").crash("killed")
    world.run("30s")
    assert.deepStrictEqual(a.closes, ["timeout"])
  })

  it("was connected to by somebody who gave up before the answer came: it is told", () => {
    const { world, a, b, open, rule } = meet()
    rule(({ source, lane }) => (source === "b" && lane === "connect" ? delay(20 * second) : pass))
    open()
    world.run("12s")
    assert.deepStrictEqual(a.closes, ["timeout"])
    assert.isTrue(b.isOpen)
    world.run("10s")
    assert.deepStrictEqual(b.closes, ["reset"])
  })

  it("cannot answer whoever connects: both time out", () => {
    const { world, a, b, open } = meet()
    world.network.partitionOneWay(["b"], ["a"])
    open()
    world.run("10s")
    assert.deepStrictEqual(a.closes, ["timeout"], "after 10 s")
    world.run("10s")
    assert.deepStrictEqual(b.closes, ["timeout"])
  })
})

describe("a program that takes its time", () => {
  it("paused, it takes up everything that came, and the end after it", () => {
    const { world, a, b } = talk()
    world.node("b").pause()
    for (let nth = 0; nth < 5; nth++) a.speak()
    a.leave("close")
    world.run("5s")
    assert.deepStrictEqual([b.heard, b.closes], [[], []])
    world.node("b").resume()
    world.run("1s")
    assert.deepStrictEqual([b.heard, b.closes], [upTo(5), ["closed"]])
  })

  it("slow, it is told in order: of the connection, its messages, its end", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const { world, a, b } = meet(String(seed))
        world.node("b").taskMicros = 20_000
        const onOpen = () => {
          for (let nth = 0; nth < 10; nth++) a.speak()
          a.leave("close")
        }
        a.end = connect(world.network, world.node("a"), "b", 80, { ...a.handlers, onOpen })
        world.run("5s")
        assert.strictEqual(b.wrong, undefined)
        assert.deepStrictEqual([b.heard, b.closes], [upTo(10), ["closed"]])
      }),
      { numRuns: 20 }
    )
  })

  it("hears nothing before it knows that it is connected, however late the answer comes", () => {
    const { world, a, b, open, rule } = meet()
    rule(({ source, lane }) => (source === "b" && lane === "connect" ? delay(2 * second) : pass))
    open()
    world.run("1s")
    b.speak()
    world.run("5s")
    assert.strictEqual(a.wrong, undefined)
    assert.deepStrictEqual(a.heard, [0])
  })
})

describe("what a fault does to a connection is told once", () => {
  it("a connection that is reset by a hazard, or by a rule", () => {
    const struck = talk()
    const end = struck.world.hazards.add("network/reset", always())
    struck.a.speak()
    struck.world.run("1s")
    end()
    assert.deepStrictEqual([struck.a.closes, struck.b.closes], [["reset"], ["reset"]])
    assert.strictEqual(struck.told("network/reset"), 1)

    const ruled = talk()
    ruled.rule(() => reset)
    ruled.a.speak()
    ruled.world.run("1s")
    assert.deepStrictEqual([ruled.a.closes, ruled.b.closes], [["reset"], ["reset"]])
    assert.strictEqual(ruled.told("test/rule"), 1)
  })

  it("a message that a rule keeps, however often it is tried meanwhile", () => {
    const { world, a, b, rule, told } = talk()
    const letGo = rule(({ lane }) => (lane === "segment" ? hold : pass))
    a.speak()
    a.speak()
    world.run("10s")
    assert.strictEqual(told("test/rule"), 1, "the second waits behind the first, not in the clog")
    letGo()
    world.run("10ms")
    assert.deepStrictEqual(b.heard, [0, 1])
  })

  it("a connect that is kept arrives when it is let go, not at its next attempt", () => {
    const { world, a, open, rule } = meet()
    const letGo = rule(() => hold)
    open()
    world.run("4s")
    letGo()
    world.run("10ms")
    assert.isTrue(a.isOpen)
  })

  it("not a delay behind a message that is later still", () => {
    const { world, a, b, rule, told } = talk()
    const slow = rule(({ lane, nth }) => (lane === "segment" && nth === 0 ? delay(5 * second) : pass))
    a.speak()
    slow()
    world.hazards.add("network/latency-tail", always())
    a.speak()
    world.run("4s")
    assert.strictEqual(told("network/latency-tail"), 0)
    world.run("2s")
    assert.deepStrictEqual(b.heard, [0, 1])
    a.speak()
    assert.strictEqual(told("network/latency-tail"), 1)
  })

  it("a connect is refused unless somebody has answered before", () => {
    const { world, a, open, rule, told } = meet()
    // The answer to the first attempt comes after the second.
    rule(({ source, lane }) => (source === "b" && lane === "connect" ? delay(600_000) : pass))
    open()
    world.run("100ms")
    world.hazards.add("network/refused", always())
    world.run("5s")
    assert.isTrue(a.isOpen)
    assert.deepStrictEqual([a.closes, told("network/refused")], [[], 0])
    open()
    world.run("1s")
    assert.deepStrictEqual([a.closes, told("network/refused")], [["refused"], 1])
  })

  it("each message has a chance of its own: no occurrence is asked for twice", () => {
    const { world, a, b, open } = meet()
    world.hazards.add("network/latency-tail", always())
    listen(world.network, world.node("a"), 80, () => ({ onMessage: () => undefined, onClose: () => undefined }))
    const back = connect(world.network, world.node("b"), "a", 80, a.handlers)
    open()
    world.run("10s")
    for (let nth = 0; nth < 5; nth++) {
      a.speak()
      b.speak()
      back.send(nth, 1, "back")
    }
    world.run("10s")
    const occurrences = world.hazards.strikes.map(({ occurrence }) => occurrence)
    assert.isAbove(occurrences.length, 15)
    assert.deepStrictEqual([...new Set(occurrences)], occurrences)
  })

  it("and each connection: the first message of twenty of them does not take the same time for all", () => {
    const { world, open, a } = meet()
    const micros = new Set<number>()
    let sentMicros = 0
    world.kernel.facts.subscribeDetailed(({ atMicros, fact }) => {
      if (fact._tag === "Sent") sentMicros = atMicros
      if (fact._tag === "Delivered") micros.add(atMicros - sentMicros)
    })
    for (let nth = 0; nth < 20; nth++) {
      open()
      world.run("1s")
      a.speak()
      world.run("1s")
    }
    assert.isAbove(micros.size, 15)
  })

  it("nothing is done to what a node sends to itself", () => {
    const { world } = meet()
    for (const kind of ["loss", "reset", "refused", "half-open", "latency-tail"]) {
      world.hazards.add(`network/${kind}`, always())
    }
    world.network.addRule({ fault: "test/rule", onPacket: () => drop })
    const self = new Side()
    self.end = connect(world.network, world.node("b"), "b", 80, self.handlers)
    world.run("1s")
    self.speak()
    world.run("1s")
    assert.isTrue(self.isOpen)
    assert.deepStrictEqual([...world.kernel.facts.effects], [])
  })
})

// A conversation and everything that may happen to it.

interface Act {
  readonly atMillis: number
  readonly by: "a" | "b"
  readonly does: "speak" | "close" | "finish" | "abort"
}

interface Trouble {
  readonly atMillis: number
  readonly forMillis: number
  readonly kind:
    | "partition"
    | "a>b cut"
    | "b>a cut"
    | "clog"
    | "pause"
    | "slow"
    | "crash"
    | "late"
    | "loss"
    | "reset"
    | "half-open"
    | "latency-tail"
    | "reordering"
    | "refused"
    | "duplication"
  readonly node: "a" | "b"
  readonly rate: number
}

const healMillis = 30_000
const moment = fc.nat({ max: healMillis - 1 })
const node = fc.constantFrom("a" as const, "b" as const)

const acts: fc.Arbitrary<ReadonlyArray<Act>> = fc.array(
  fc.record({
    atMillis: moment,
    by: node,
    does: fc.oneof(
      { weight: 30, arbitrary: fc.constant("speak" as const) },
      { weight: 1, arbitrary: fc.constantFrom("close" as const, "finish" as const, "abort" as const) }
    )
  }),
  { maxLength: 40 }
)

const troubles: fc.Arbitrary<ReadonlyArray<Trouble>> = fc.array(
  fc.record({
    atMillis: moment,
    forMillis: fc.integer({ min: 1, max: 25_000 }),
    kind: fc.constantFrom<Trouble["kind"]>(
      "partition",
      "a>b cut",
      "b>a cut",
      "clog",
      "pause",
      "slow",
      "crash",
      "late",
      "loss",
      "reset",
      "half-open",
      "latency-tail",
      "reordering",
      "refused",
      "duplication"
    ),
    node,
    rate: fc.constantFrom(0.02, 0.2, 1)
  }),
  { maxLength: 5 }
)

/** Makes the trouble, and returns how to end it. */
const make = (world: World, { kind, node, rate }: Trouble, serve: () => void): (() => void) => {
  const target = world.node(node)
  switch (kind) {
    case "partition":
      return world.network.partition(["a"], ["b"])
    case "a>b cut":
      return world.network.partitionOneWay(["a"], ["b"])
    case "b>a cut":
      return world.network.partitionOneWay(["b"], ["a"])
    case "clog":
      return world.network.addRule({ fault: "network/clog", onPacket: ({ source }) => (source === node ? hold : pass) })
    case "late":
      return world.network.addRule({
        fault: "test/late",
        onPacket: (packet) => (packet.fraction("late") < rate ? delay(packet.fraction("by") * 5 * second) : pass)
      })
    case "pause":
      target.pause()
      return () => target.resume()
    case "slow":
      target.taskMicros = 50_000
      return () => {
        target.taskMicros = 0
      }
    case "crash":
      target.crash("killed")
      return () => {
        if (target.state !== "down") return
        target.start()
        if (node === "b") serve()
      }
    default:
      return world.hazards.add(`network/${kind}`, always({ rate }))
  }
}

describe("a conversation", () => {
  it("is heard in order, each message once, or it ends; and after the faults nobody who speaks is left in silence", () => {
    const reached = { complete: 0, ended: 0, waited: 0 }
    fc.assert(
      fc.property(fc.nat(), acts, troubles, (seed, acts, troubles) => {
        const { world, a, b, open, serve } = meet(String(seed))
        const sides = { a, b }
        const at = (millis: number, run: () => void) => world.kernel.schedule(millis * 1_000, run, undefined)
        for (const { atMillis, by, does } of acts) {
          world
            .node(by)
            .setTimer(atMillis * 1_000, () => (does === "speak" ? sides[by].speak() : sides[by].leave(does)))
        }
        for (const trouble of troubles) {
          at(trouble.atMillis, () => {
            const end = make(world, trouble, serve)
            at(Math.min(trouble.forMillis, healMillis - trouble.atMillis), end)
          })
        }
        open()
        world.run(`${healMillis + 1}ms`)
        // Who has nothing to say may wait for ever, as with TCP; so both say something, and again when what is dead has timed out.
        for (let nth = 0; nth < 2; nth++) {
          a.speak()
          b.speak()
          world.run("30s")
        }
        reached.waited += Number(world.kernel.facts.effects.size > 0)

        for (const [side, other] of [
          [a, b],
          [b, a]
        ] as const) {
          assert.strictEqual(side.wrong, undefined)
          assert.deepStrictEqual(side.heard, other.said.slice(0, side.heard.length), "a gap, a double or another order")
          assert.isAtMost(side.closes.length, 1, "it ends once")
          const hasEndedWell = side.closes[0] === "closed" && (other.left === "close" || other.left === "finish")
          if (hasEndedWell) assert.deepStrictEqual(side.heard, other.said, "an orderly end comes after everything")
        }
        for (const [side, other] of [
          [a, b],
          [b, a]
        ] as const) {
          // A program that has died is told nothing.
          if (side.end?.isAlive !== true || side.closes.length === 1 || side.left !== undefined) continue
          reached.complete++
          assert.strictEqual(side.end.state, "open", "neither open nor told")
          assert.isTrue(other.end?.isAlive, "the other is dead, and this one has not heard of it")
          assert.strictEqual(other.end?.state, "open", "the other has ended, and this one has not heard of it")
          assert.deepStrictEqual(side.heard, other.said)
        }
        reached.ended += a.closes.length
      }),
      { numRuns: 600 }
    )
    for (const [what, times] of Object.entries(reached)) assert.isAbove(times, 20, what)
  })

  it("needs no longer to learn that it is over than the limit and two more attempts", () => {
    const { world, a } = talk()
    world.network.partition(["a"], ["b"])
    a.speak()
    world.run(`${(retransmitLimitMicros + 6 * second) / second}s`)
    assert.deepStrictEqual(a.closes, ["timeout"])
  })
})

/** The byte that belongs at an offset of the stream; a gap or a double shows at once. */
const byteAt = (offset: number) => (offset * 7 + (offset >> 8) * 13) & 255

describe("the bytes of a socket", () => {
  it("are read as they were written, up to where it ends; and whoever writes comes to an end", () => {
    const reached = { whole: 0, failed: 0, waitedForRoom: 0 }
    const size = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 150_000 }))
    const sizes = fc.array(size, { minLength: 3, maxLength: 12 })
    // A program that dies and starts again writes from the beginning: another story.
    const survivable = troubles.map((troubles) =>
      troubles
        .filter(({ kind }) => kind !== "crash")
        .map((trouble) => ({ ...trouble, atMillis: trouble.atMillis % 8_000 }))
    )
    fc.assert(
      fc.property(
        fc.nat(),
        sizes,
        survivable,
        fc.nat({ max: 3_000 }),
        fc.nat({ max: 3_000 }),
        (seed, sizes, troubles, pause, rest) => {
          const world = new World({ seed: String(seed) })
          let read = 0
          let wrong: number | undefined
          let end: Socket.SocketErrorReason | undefined
          const reading = Effect.flatMap(SocketServer.SocketServer, (server) =>
            server.run((socket) =>
              Effect.gen(function* () {
                const { pull } = yield* socket.reader
                for (;;) {
                  for (const chunk of yield* pull) {
                    for (const byte of chunk as Uint8Array) if (byte !== byteAt(read++)) wrong ??= read - 1
                  }
                  yield* Effect.sleep(rest)
                }
              }).pipe(
                Effect.scoped,
                Effect.catchTag("SocketError", ({ reason }) =>
                  Effect.sync(() => {
                    end = reason
                  })
                )
              )
            )
          )
          let written = 0
          let hasWaited = false
          const writing = Effect.gen(function* () {
            const socket = yield* Socket.Socket
            yield* socket.reader
            const { write } = yield* socket.writer
            for (const size of sizes) {
              const before = world.nowMicros
              yield* write(Uint8Array.from({ length: size }, (_, index) => byteAt(written + index)))
              written += size
              hasWaited ||= world.nowMicros > before
              yield* Effect.sleep(pause)
            }
          }).pipe(
            Effect.scoped,
            Effect.as("whole" as const),
            Effect.catchTag("SocketError", () => Effect.succeed("failed" as const)),
            Effect.tap((outcome) =>
              Effect.sync(() => {
                reached[outcome]++
              })
            ),
            Effect.provide(SimSocket.layer({ host: "b", port: 80 }))
          )
          world.addNode("b", Effect.provide(reading, SimSocketServer.layer({ port: 80 }))).start()
          world.run("1ms")
          world.addNode("a", writing, { mustEnd: true }).start()
          for (const trouble of troubles) {
            world.kernel.schedule(
              trouble.atMillis * 1_000,
              () => {
                const heal = make(world, trouble, () => undefined)
                world.kernel.schedule(
                  Math.min(trouble.forMillis, healMillis - trouble.atMillis) * 1_000,
                  heal,
                  undefined
                )
              },
              undefined
            )
          }
          world.run("2m")
          assert.deepStrictEqual(world.unended, [], "a writer is left in silence")
          assert.strictEqual(wrong, undefined, "the first wrong byte")
          if (end?._tag === "SocketCloseError" && end.code === 1000) {
            assert.strictEqual(read, written, "an orderly end comes after everything")
          }
          reached.waitedForRoom += Number(hasWaited)
        }
      ),
      { numRuns: 200 }
    )
    for (const [what, times] of Object.entries(reached)) assert.isAbove(times, 3, what)
  })
})
