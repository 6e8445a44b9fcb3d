import { assert, describe, it } from "@effect/vitest"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fc from "fast-check"
import type { Envelope } from "../../core/facts/Envelope.ts"
import { emit } from "../../core/facts/Facts.ts"
import * as Schedule from "../kernel/Schedule.ts"
import type { FaultKind } from "../nemesis/FaultKind.ts"
import { faultKinds, kindsOf } from "../nemesis/faultKinds.ts"
import { type Fault, type FaultPlan, fromMicros } from "../nemesis/FaultPlan.ts"
import { Nemesis } from "../nemesis/Nemesis.ts"
import * as Scenario from "../run/Scenario.ts"
import { runScenario } from "../run/Simulation.ts"
import { World } from "../run/World.ts"
import { connect, type End, listen } from "./Connection.ts"
import * as Counter from "./Counter.fixture.ts"
import { Datagrams, layer as datagrams } from "./Datagrams.ts"
import { delay, drop, hold, pass, type Packet, type Rule } from "./Network.ts"
import * as SimHttpClient from "./SimHttpClient.ts"
import * as SimHttpServer from "./SimHttpServer.ts"

const second = 1_000_000
const hosts = ["a", "b", "c", "d"]

/** What happened to one datagram. */
interface Journey {
  readonly source: string
  readonly target: string
  readonly sentMicros: number
  readonly arrivals: Array<number>
  /** The fault kinds that were told for it, once for each time. */
  readonly told: Array<string>
}

/** Journeys by name, "a>b#3". */
type Traffic = ReadonlyMap<string, Journey>

/** Writes down each datagram with what came of it: an effect belongs to the datagram whose sending it follows from. */
const observe = (world: World): Traffic => {
  const traffic = new Map<string, Journey>()
  const sends = new Map<number, Journey>()
  world.kernel.facts.subscribeDetailed(({ atMicros, cause, fact, id, node }: Envelope) => {
    const { _tag, fault, from, nth, to } = fact as unknown as Readonly<
      Record<"_tag" | "fault" | "from" | "nth" | "to", string>
    >
    if (_tag === "DatagramSent") {
      const journey: Journey = { source: node, target: to, sentMicros: atMicros, arrivals: [], told: [] }
      traffic.set(`${node}>${to}#${nth}`, journey)
      sends.set(id, journey)
    } else if (_tag === "DatagramDelivered") traffic.get(`${from}>${node}#${nth}`)?.arrivals.push(atMicros)
    else if (_tag === "FaultEffect") sends.get(cause)?.told.push(fault)
  })
  return traffic
}

/** Four hosts that send one another a datagram every 50 ms for ten seconds, whatever arrives. */
const chatter = (
  faults: ReadonlyArray<Fault>,
  options: { readonly seed?: string; readonly rules?: ReadonlyArray<Rule>; readonly hasQuiet?: boolean } = {}
) => {
  const world = new World({ seed: options.seed ?? "1", strategy: Schedule.fifo })
  const traffic = observe(world)
  for (const name of hosts) {
    const others = hosts.filter((other) => other !== name)
    const sending = Effect.gen(function* () {
      const { send } = yield* Datagrams
      for (let nth = 0; nth < 200; nth++) {
        for (const other of others) yield* send(other, nth)
        yield* Effect.sleep("50 millis")
      }
      return yield* Effect.never
    })
    world.addNode(name, Effect.provide(sending, datagrams), { tags: ["process"] })
  }
  // Nobody speaks to it, nor does it say anything.
  if (options.hasQuiet === true) world.addNode("quiet", Effect.never)
  for (const rule of options.rules ?? []) world.network.addRule(rule)
  new Nemesis(world, { version: 1, faults }, faultKinds).start()
  world.run("1ms")
  for (const name of world.tagged()) world.node(name).start()
  world.run("30s")
  return { traffic, effects: Object.fromEntries(world.kernel.facts.effects), world }
}

/** A journey in the calm run and in the disturbed one. */
interface Changed extends Journey {
  readonly before: ReadonlyArray<number>
}

const changedOf = (calm: Traffic, disturbed: Traffic): ReadonlyArray<Changed> =>
  [...disturbed].flatMap(([name, journey]) => {
    const before = calm.get(name)?.arrivals ?? []
    return String(before) === String(journey.arrivals) ? [] : [{ ...journey, before }]
  })

/** How much later the only copy arrived. */
const latenessOf = ({ arrivals, before }: Changed): number => {
  assert.lengthOf(arrivals, 1)
  return (arrivals[0] as number) - (before[0] as number)
}

const isLost = ({ arrivals }: Journey) => arrivals.length === 0

/** A client that adds 1 to a counter sixty times, one request after the other, each with a second's patience. */
const requests = (faults: ReadonlyArray<Fault>, pause = "200 millis" as Duration.Input) => {
  const world = new World({ seed: "1", strategy: Schedule.fifo })
  const answers: Array<string> = []
  world.subscribe(({ fact }) => {
    if (fact._tag === "Answer") answers.push((fact as unknown as { readonly answer: string }).answer)
  })
  const total = { value: 0 }
  const serving = Counter.serve(total).pipe(Layer.provide(SimHttpServer.layer({ port: 80 })))
  world.addNode("server", Layer.launch(serving)).start()
  const adding = Effect.gen(function* () {
    const counter = yield* Counter.client("http://server")
    for (let nth = 0; nth < 60; nth++) {
      const answer = yield* counter.counting
        .add({ payload: { amount: 1 } })
        .pipe(Effect.timeout("1 second"), Effect.match({ onSuccess: () => "ok", onFailure: ({ _tag }) => _tag }))
      yield* emit({ _tag: "Answer", answer })
      yield* Effect.sleep(pause)
    }
    return yield* Effect.never
  })
  const client = world.addNode("client", Effect.provide(adding, SimHttpClient.layer))
  new Nemesis(world, { version: 1, faults }, faultKinds).start()
  world.run("100ms")
  client.start()
  world.runUntil(() => answers.length === 60, { within: "10m" })
  return {
    total: total.value,
    bad: answers.filter((answer) => answer !== "ok"),
    effects: Object.fromEntries(world.kernel.facts.effects)
  }
}

type Requests = ReturnType<typeof requests>

interface Row {
  readonly fault: Omit<Fault, "fault">
  /** Looks at every datagram that went another way than in the calm run. */
  readonly datagrams?: (changed: ReadonlyArray<Changed>, all: Traffic) => void
  /** Some datagrams meet the fault twice. */
  readonly tellsTwice?: boolean
  /** Between two requests; longer than 4 s, each has a connection of its own. */
  readonly pause?: Duration.Input
  /** Looks at what became of requests; `times` is how often the fault was told. */
  readonly requests?: (outcome: Requests, times: number) => void
}

const during = { at: "2s" }
const often = { from: "0s", until: "9s", rate: 0.2 }
const fromMicros2s = 2 * second
const untilMicros5s = 5 * second

/** Was sent while a fault of three seconds, begun at two, lasted. */
const isMeanwhile = ({ sentMicros }: Journey) => sentMicros >= fromMicros2s && sentMicros < untilMicros5s

/** Exactly those of three seconds that `isCut` names, and they are lost. */
const losesExactly =
  (isCut: (source: string, target: string) => boolean) => (changed: ReadonlyArray<Changed>, all: Traffic) => {
    assert.isTrue(changed.every(isLost))
    const expected = [...all.values()].filter(
      (journey) => isMeanwhile(journey) && isCut(journey.source, journey.target)
    )
    assert.isAbove(expected.length, 50)
    assert.lengthOf(changed, expected.length)
    assert.isTrue(changed.every((journey) => isMeanwhile(journey) && isCut(journey.source, journey.target)))
  }

/** Each failure is one answer that did not come, and nothing else is different. */
const failsOnce =
  (tag: string, isDone = false) =>
  ({ bad, total }: Requests, times: number) => {
    assert.deepStrictEqual(new Set(bad), new Set([tag]))
    assert.lengthOf(bad, times)
    if (isDone) assert.strictEqual(total, 60, "the server has acted all the same")
  }

const titleOf = ({ fault }: Row) =>
  [fault.target, fault.with, ...Object.entries(fault.parameters ?? {}).flat()]
    .filter((word) => word !== undefined)
    .join(" ")

const rows: Readonly<Record<string, ReadonlyArray<Row>>> = {
  "network/latency-tail": [
    {
      fault: { when: often, target: "*" },
      datagrams: (changed) => {
        for (const journey of changed) assert.isTrue(latenessOf(journey) > 0 && latenessOf(journey) <= 3 * second)
        assert.isAbove(Math.max(...changed.map(latenessOf)), second)
      }
    }
  ],
  "network/link-latency": [
    {
      fault: { when: during, target: "a", for: "3s", parameters: { millis: 40 } },
      datagrams: (changed, all) => {
        assert.deepStrictEqual(new Set(changed.map(latenessOf)), new Set([40_000]))
        const slow = [...all.values()].filter(
          (journey) => isMeanwhile(journey) && [journey.source, journey.target].includes("a")
        )
        assert.lengthOf(changed, slow.length)
      }
    }
  ],
  "network/loss": [
    { fault: { when: often, target: "*" }, datagrams: (changed) => assert.isTrue(changed.every(isLost)) },
    { fault: { when: { from: "0s", until: "1m", rate: 0.1 }, target: "*" }, requests: failsOnce("HttpClientError") }
  ],
  "network/duplication": [
    {
      fault: { when: often, target: "*" },
      datagrams: (changed) => {
        for (const { arrivals, before } of changed) {
          assert.lengthOf(arrivals, 2)
          assert.strictEqual(arrivals[0], before[0], "the first copy comes when it would have come")
        }
      }
    },
    {
      fault: { when: { from: "0s", until: "1m", rate: 0.3 }, target: "*" },
      requests: ({ bad, total }, times) => {
        assert.deepStrictEqual(bad, [])
        assert.strictEqual(total, 60 + times)
      }
    }
  ],
  "network/reordering": [
    {
      fault: { when: often, target: "*" },
      datagrams: (changed, all) => {
        for (const journey of changed) assert.isTrue(latenessOf(journey) > 0 && latenessOf(journey) <= 250_000)
        const arrivals = [...all]
          .filter(([name]) => name.startsWith("a>b"))
          .map(([, journey]) => journey.arrivals[0] as number)
        const overtaken = arrivals.filter((arrival, nth) => arrival > (arrivals[nth + 1] ?? Infinity))
        assert.isAbove(overtaken.length, 3)
      }
    }
  ],
  "network/partition": [
    {
      fault: { when: during, target: "a", with: "b", for: "3s" },
      datagrams: losesExactly((source, target) => `${source}${target}` === "ab" || `${source}${target}` === "ba")
    },
    {
      fault: { when: during, target: "a", for: "3s" },
      datagrams: losesExactly((source, target) => source === "a" || target === "a")
    }
  ],
  "network/partition-one-way": [
    {
      fault: { when: during, target: "a", with: "b", for: "3s" },
      datagrams: losesExactly((source, target) => source === "a" && target === "b")
    },
    { fault: { when: during, target: "a", for: "3s" }, datagrams: losesExactly((source) => source === "a") }
  ],
  "network/partition-groups": [2, 3, 4].map((groups) => ({
    fault: { when: during, target: "*", for: "3s", parameters: { groups, deal: 3 } },
    datagrams: (changed, all) => {
      const cut = new Set(changed.map(({ source, target }) => `${source}>${target}`))
      const areApart = (one: string, other: string) => cut.has(`${one}>${other}`)
      for (const one of hosts) {
        for (const other of hosts) {
          assert.strictEqual(areApart(one, other), areApart(other, one))
          for (const third of hosts) {
            if (areApart(one, other))
              assert.isTrue(areApart(one, third) || areApart(third, other), "together is transitive")
          }
        }
      }
      losesExactly(areApart)(changed, all)
    }
  })),
  "network/isolate": [
    {
      fault: { when: during, target: "b", for: "3s" },
      datagrams: losesExactly((source, target) => source === "b" || target === "b")
    }
  ],
  "network/bridge": [
    {
      // The other three are two halves: b with c, and d.
      fault: { when: during, target: "a", for: "3s" },
      datagrams: losesExactly(
        (source, target) => source !== "a" && target !== "a" && (source === "d") !== (target === "d")
      )
    }
  ],
  "network/clog": [
    {
      fault: { when: during, target: "a", for: "3s" },
      datagrams: (changed, all) => {
        const kept = [...all.values()].filter(
          (journey) => isMeanwhile(journey) && [journey.source, journey.target].includes("a")
        )
        assert.lengthOf(changed, kept.length)
        for (const { arrivals } of changed) {
          assert.lengthOf(arrivals, 1)
          assert.isTrue(
            (arrivals[0] as number) >= untilMicros5s && (arrivals[0] as number) < untilMicros5s + 2_000,
            "in one burst"
          )
        }
      }
    }
  ],
  "network/swizzle": [
    {
      fault: { when: during, target: "*", parameters: { stepMillis: 500, deal: 1 } },
      // Between two hosts that are both clogged a datagram is kept by one, and then by the other.
      tellsTwice: true,
      datagrams: (changed, all) => {
        assert.isAbove(changed.length, 50)
        for (const journey of changed) assert.isAbove(latenessOf(journey), 0)
        const clogged = hosts.filter((host) =>
          [...all.values()].some(({ source, target, told }) => told.length > 1 && (source === host || target === host))
        )
        assert.lengthOf(clogged, 2)
        assert.isTrue(changed.every(({ source, target }) => clogged.includes(source) || clogged.includes(target)))
      }
    }
  ],
  "network/refused": [
    {
      fault: { when: { from: "0s", until: "10m", rate: 0.3 }, target: "*" },
      pause: "5 seconds",
      requests: failsOnce("HttpClientError")
    }
  ],
  "network/reset": [
    { fault: { when: { from: "0s", until: "1m", rate: 0.1 }, target: "*" }, requests: failsOnce("HttpClientError") }
  ],
  "network/half-open": [
    { fault: { when: { from: "0s", until: "1m", rate: 0.1 }, target: "*" }, requests: failsOnce("TimeoutError") }
  ],
  "network/answer-lost": [
    {
      fault: { when: { from: "0s", until: "1m", rate: 0.2 }, target: "*" },
      requests: failsOnce("TimeoutError", true)
    }
  ]
}

describe("the faults of the network", () => {
  const kinds = kindsOf("network").map(({ name }) => name)
  const calm = chatter([])

  it("each has a row below, and no other has", () => {
    assert.deepStrictEqual(Object.keys(rows).toSorted(), kinds.toSorted())
  })

  it("a network without faults loses nothing, and tells of none", () => {
    assert.strictEqual(calm.traffic.size, hosts.length * (hosts.length - 1) * 200)
    assert.isTrue([...calm.traffic.values()].every(({ arrivals }) => arrivals.length === 1))
    assert.deepStrictEqual(calm.effects, {})
    assert.deepStrictEqual(requests([]), { total: 60, bad: [], effects: {} })
  })

  const table = Object.entries(rows).flatMap(([kind, ofKind]) =>
    ofKind.map((row) => ({ kind, row, title: titleOf(row) }))
  )

  it.each(table.filter(({ row }) => row.datagrams !== undefined))(
    "$kind changes those datagrams that it says, and is told for them and for no others ($title)",
    ({ kind, row }) => {
      const { effects, traffic } = chatter([{ ...row.fault, fault: kind }])
      const changed = changedOf(calm.traffic, traffic)
      assert.isAbove(changed.length, 20)
      row.datagrams?.(changed, traffic)
      const told = [...traffic.values()].filter((journey) => journey.told.length > 0)
      assert.deepStrictEqual(
        told.map(({ sentMicros, source, target }) => [sentMicros, source, target]),
        changed.map(({ sentMicros, source, target }) => [sentMicros, source, target])
      )
      const times = told.flatMap((journey) => journey.told)
      assert.deepStrictEqual(effects, { [kind]: times.length })
      if (row.tellsTwice !== true) assert.lengthOf(times, changed.length)
    }
  )

  it.each(table.filter(({ row }) => row.requests !== undefined))(
    "$kind changes what becomes of requests as it says, and is told once for each ($title)",
    ({ kind, row }) => {
      const outcome = requests([{ ...row.fault, fault: kind }], row.pause)
      const times = outcome.effects[kind] ?? 0
      assert.isAbove(times, 3)
      assert.deepStrictEqual(outcome.effects, { [kind]: times })
      row.requests?.(outcome, times)
    }
  )

  it("what meets nothing has no effect: every kind at once upon a host to which nobody speaks", () => {
    // A bridge is not upon its target.
    const faults = kindsOf("network").flatMap(({ mode, name }) =>
      name === "network/bridge"
        ? []
        : [
            {
              when: mode === "hazard" ? { from: "0s", until: "1m", rate: 1 } : { at: "0s" },
              target: "quiet",
              fault: name
            }
          ]
    )
    const { effects, traffic } = chatter(faults, { hasQuiet: true })
    assert.deepStrictEqual(effects, {})
    assert.deepStrictEqual(changedOf(calm.traffic, traffic), [])
  })
})

describe("decisions depend on their own key and on nothing else", () => {
  /** Kinds that strike datagrams, each at most once in a plan, so that an effect tells whose it is. */
  const kinds = kindsOf("network")
  const faultOf = (kind: FaultKind): fc.Arbitrary<Fault> =>
    fc
      .record({
        target: fc.constantFrom("a", "b", "random", "random(process)", "*"),
        with: fc.option(fc.constantFrom("c", "d", "random"), { nil: undefined }),
        atTenths: fc.nat({ max: 90 }),
        forTenths: fc.integer({ min: 1, max: 60 }),
        rate: fc.constantFrom(0.01, 0.1, 0.5)
      })
      .map(({ atTenths, forTenths, rate, target, with: other }) => ({
        when:
          kind.mode === "hazard"
            ? { from: fromMicros(atTenths * 100_000), until: fromMicros((atTenths + forTenths) * 100_000), rate }
            : { at: fromMicros(atTenths * 100_000) },
        target,
        fault: kind.name,
        ...(kind.mode === "event" ? { for: fromMicros(forTenths * 100_000) } : {}),
        ...(other === undefined ? {} : { with: other })
      }))
  const plans = fc
    .shuffledSubarray([...kinds], { minLength: 2, maxLength: 6 })
    .chain((chosen) => fc.tuple(...chosen.map(faultOf)))

  it("without one fault of a plan, every datagram that it did not touch fares as before", () => {
    let untouched = 0
    let touched = 0
    fc.assert(
      fc.property(plans, fc.nat(), fc.nat({ max: 1_000 }), (plan, removed, seed) => {
        const out = plan[removed % plan.length] as Fault
        const whole = chatter(plan, { seed: String(seed) })
        const less = chatter(
          plan.filter((fault) => fault !== out),
          { seed: String(seed) }
        )
        assert.isUndefined(less.effects[out.fault])
        for (const [name, { arrivals, told }] of whole.traffic) {
          if (told.includes(out.fault)) {
            touched++
            continue
          }
          untouched++
          assert.deepStrictEqual(less.traffic.get(name)?.arrivals, arrivals, `${name} without ${out.fault}`)
        }
      }),
      { numRuns: 60 }
    )
    assert.isAbove(touched, 100)
    assert.isAbove(untouched, 10_000)
  })

  /** Each of four hosts has a connection to each other, and says something on it ten times a second. */
  const mesh = (faults: ReadonlyArray<Fault>, seed: string) => {
    const world = new World({ seed })
    const heard: Array<string> = []
    world.kernel.facts.subscribeDetailed(({ atMicros, fact, node }) => {
      if (fact._tag !== "Sent" && fact._tag !== "Delivered" && fact._tag !== "Closed") return
      const { from, peer, to } = fact as unknown as Readonly<Record<"from" | "peer" | "to", string | undefined>>
      if (node !== "a" && (from ?? peer ?? to) !== "a") heard.push(`${atMicros} ${node} ${JSON.stringify(fact)}`)
    })
    const nothing = () => undefined
    for (const name of hosts) {
      const node = world.addNode(name, Effect.never)
      node.start()
      listen(world.network, node, 1, (end) => ({ onMessage: () => end.send("back", 1, "back"), onClose: nothing }))
    }
    for (const source of hosts) {
      for (const target of hosts.filter((other) => other !== source)) {
        const node = world.node(source)
        let end: End | undefined
        const speak = (): void => {
          if (end === undefined || end.state === "closed") {
            end = connect(world.network, node, target, 1, { onMessage: nothing, onClose: nothing })
          } else end.send("there", 1, "there")
          node.setTimer(100_000, speak)
        }
        node.setTimer(100_000, speak)
      }
    }
    new Nemesis(world, { version: 1, faults }, faultKinds).start()
    world.run("20s")
    return heard
  }

  it("without one fault of a plan, the connections of hosts that it does not name say and hear the same at the same moments", () => {
    fc.assert(
      fc.property(
        plans,
        fc.constantFrom(...kinds).chain(faultOf),
        fc.nat(),
        fc.nat({ max: 1_000 }),
        (plan, drawn, at, seed) => {
          // A swizzle and groups name everybody.
          const fault =
            drawn.fault === "network/swizzle" || drawn.fault === "network/partition-groups"
              ? "network/isolate"
              : drawn.fault
          fc.pre(fault !== "network/bridge")
          const when = fault === drawn.fault ? drawn : { when: { at: "1s" }, for: "5s" }
          const one: Fault = { ...when, target: "a", fault }
          const index = at % (plan.length + 1)
          const heard = mesh(plan, String(seed))
          assert.isAbove(heard.length, 100)
          assert.deepStrictEqual(mesh([...plan.slice(0, index), one, ...plan.slice(index)], String(seed)), heard)
        }
      ),
      { numRuns: 30 }
    )
  })
})

describe("what a rule keeps", () => {
  const clogged: Rule = { fault: "network/clog", onPacket: ({ target }) => (target === "b" ? hold : pass) }

  const send = (): { readonly world: World; readonly traffic: Traffic } => {
    const world = new World({ seed: "1" })
    const traffic = observe(world)
    const sending = Effect.flatMap(Datagrams, ({ send }) => Effect.andThen(Effect.sleep("1 second"), send("b", "late")))
    world.addNode("a", Effect.provide(sending, datagrams)).start()
    world
      .addNode(
        "b",
        Effect.provide(
          Effect.flatMap(Datagrams, () => Effect.never),
          datagrams
        )
      )
      .start()
    return { world, traffic }
  }

  it("waits for that rule and no other", () => {
    const { world, traffic } = send()
    world.addNode("c", Effect.never)
    const heal = world.network.partition(["a"], ["c"])
    const letGo = world.network.addRule(clogged)
    world.run("2s")
    heal()
    world.run("1s")
    assert.deepStrictEqual(traffic.get("a>b#0")?.arrivals, [], "somebody else's cut was healed")
    letGo()
    world.run("1s")
    assert.lengthOf(traffic.get("a>b#0")?.arrivals ?? [], 1)
  })

  it("asks the rules that are left when it is let go", () => {
    const { world, traffic } = send()
    const letGo = world.network.addRule(clogged)
    world.run("2s")
    world.network.partition(["a"], ["b"])
    letGo()
    world.run("1s")
    assert.deepStrictEqual(traffic.get("a>b#0")?.arrivals, [], "lost in the cut")
    assert.deepStrictEqual(traffic.get("a>b#0")?.told, ["network/clog", "network/partition"])
  })
})

describe("a delay that is lost on the way has no effect", () => {
  it("neither the link's, nor a rule's, nor one of no length", () => {
    const late: Rule = { fault: "test/late", onPacket: ({ source }) => delay(source === "b" ? 0 : 1_000) }
    const slow: Fault = { when: { at: "0s" }, target: "a", fault: "network/link-latency" }
    const lost: Fault = { when: { from: "0s", until: "1m", rate: 1 }, target: "a", fault: "network/loss" }
    const { traffic } = chatter([slow, lost], { rules: [late] })
    for (const { source, target, told } of traffic.values()) {
      assert.deepStrictEqual(
        told,
        [source, target].includes("a") ? ["network/loss"] : source === "b" ? [] : ["test/late"]
      )
    }
  })
})

// As a user would write it.

/** Every tenth heartbeat of a member is lost, whoever else is struck. */
const lostHeartbeats: FaultKind = {
  name: "members/lost-heartbeats",
  describes: "a tenth of the heartbeats of the target is lost",
  mode: "event",
  draw: () => [{ when: { at: "1s" }, target: "random(member)", fault: "members/lost-heartbeats", for: "5s" }],
  act: (world, { targets }) =>
    world.network.addRule({
      fault: "members/lost-heartbeats",
      onPacket: (packet) =>
        packet.message === "heartbeat" && targets.includes(packet.source) && packet.fraction("lost") < 0.1 ? drop : pass
    })
}

const member = (peer: string) =>
  Effect.gen(function* () {
    const { receive, send } = yield* Datagrams
    yield* Effect.forkChild(Effect.forever(Effect.flatMap(receive, ({ message }) => emit({ _tag: "Heard", message }))))
    for (let nth = 0; nth < 400; nth++) {
      yield* send(peer, "heartbeat")
      yield* send(peer, "work")
      yield* Effect.sleep("20 millis")
    }
  }).pipe(Effect.andThen(Effect.never), Effect.provide(datagrams))

const members = Scenario.make({
  name: "example/members",
  story: "Two members tell each other that they live. Some of it is lost, and nothing of the work.",
  safetyMillis: 10_000,
  build: (world) => {
    world.addNode("m1", member("m2"), { tags: ["member"] }).start()
    world.addNode("m2", member("m1"), { tags: ["member"] }).start()
  },
  faultKinds: [lostHeartbeats],
  faults: (draw, world) => ({ version: 1, faults: [...lostHeartbeats.draw(draw, { safetyMicros: 10_000_000, world })] })
})

describe("a rule of one's own", () => {
  it("is a fault like any other: drawn into a plan, counted by its effects, replayed from the pinned plan", () => {
    const run = (seed: string, plan?: FaultPlan) => {
      const heard = { heartbeat: 0, work: 0 }
      const result = runScenario(
        members,
        { scenario: members.name, seed, strategy: "random", ...(plan === undefined ? {} : { plan }) },
        {
          kinds: faultKinds,
          onFact: ({ fact }) => {
            if (fact._tag === "Heard") heard[(fact as unknown as { readonly message: "heartbeat" | "work" }).message]++
          }
        }
      )
      return { ...result, heard }
    }
    const first = run("1")
    assert.deepStrictEqual(first.verdict, { _tag: "passed" })
    const lost = first.effects["members/lost-heartbeats"] ?? 0
    assert.isTrue(lost > 10 && lost < 50, `a tenth of 250, and it was ${lost}`)
    assert.deepStrictEqual(first.heard, { heartbeat: 800 - lost, work: 800 })
    const again = run("1", first.pinned)
    assert.deepStrictEqual(again.heard, first.heard)
    assert.deepStrictEqual(again.effects, first.effects)
  })

  it("is installed by hand in a plain test, and removed by what it returned", () => {
    const world = new World({ seed: "1" })
    world.addNode("m1", member("m2")).start()
    world.addNode("m2", member("m1")).start()
    const seen: Array<Packet> = []
    const remove = world.network.addRule({
      fault: "members/late-work",
      onPacket: (packet) => {
        seen.push(packet)
        return packet.source === "m1" && packet.message === "work" ? delay(500_000) : pass
      }
    })
    world.run("990ms")
    remove()
    const { length } = seen
    world.run("1s")
    assert.lengthOf(seen, length, "a rule that is gone is not asked")
    assert.strictEqual(world.kernel.facts.effects.get("members/late-work"), 50)
    const { lane, message, nth, source, target } = seen[0] as Packet
    assert.deepStrictEqual(
      { lane, message, nth, source, target },
      { lane: "datagram", message: "heartbeat", nth: 0, source: "m1", target: "m2" }
    )
  })

  it("that cuts names a host that there is: a typo would cut nothing", () => {
    const world = new World({ seed: "1" })
    world.addNode("m1", Effect.never)
    const { network } = world
    const cuts = [
      () => network.partition(["m1"], ["n1"]),
      () => network.partitionOneWay(["n1"], ["m1"]),
      () => network.isolate("n1")
    ]
    for (const cut of cuts) assert.throws(cut, `there is no host "n1" to cut off; there are: m1`)
  })
})
