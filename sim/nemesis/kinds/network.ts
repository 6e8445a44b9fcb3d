/**
 * Faults of the network: cuts of every shape as rules, and hazards that strike single messages.
 */
import * as Chance from "../../kernel/Chance.ts"
import { drop, hold, pass, type Rule } from "../../network/Network.ts"
import type { World } from "../../run/World.ts"
import type { Draw } from "../Draw.ts"
import type { FaultKind, SwarmContext } from "../FaultKind.ts"
import { moments, roughly, window } from "./process.ts"

const hazard = (name: string, describes: string, rateMinimum: number, rateMaximum: number): FaultKind => ({
  name: `network/${name}`,
  describes,
  mode: "hazard",
  draw: (draw: Draw, context: SwarmContext) => [window(draw, context, `network/${name}`, rateMinimum, rateMaximum)]
})

/** Half of the cuts go between a process and the rest of the world, the others between any two hosts. */
const someone = (draw: Draw) => (draw.happens("process", 0.6) ? "random(process)" : "random")

export const partition: FaultKind = {
  name: "network/partition",
  describes: "nothing passes between the target and `with` (or, without it, everybody else), in either direction",
  mode: "event",
  draw: (draw, context) =>
    moments(draw, context, 3, (own) => ({
      target: someone(own),
      ...(own.happens("pair", 0.6)
        ? { with: own.pick("with", ["random(database)", "random(process)", "random"]) }
        : {}),
      fault: "network/partition",
      for: roughly(own, 200_000, 25_000_000)
    })),
  act: (world, { others, targets }) =>
    world.network.partition(targets, others.length > 0 ? others : rest(world, targets))
}

const partitionOneWay: FaultKind = {
  name: "network/partition-one-way",
  describes: "what the target sends to `with` is lost; what comes back arrives",
  mode: "event",
  draw: (draw, context) =>
    moments(draw, context, 2, (own) => ({
      target: someone(own),
      with: own.pick("with", ["random(database)", "random(process)", "random"]),
      fault: "network/partition-one-way",
      for: roughly(own, 200_000, 20_000_000)
    })),
  act: (world, { others, targets }) =>
    world.network.partitionOneWay(targets, others.length > 0 ? others : rest(world, targets))
}

const partitionGroups: FaultKind = {
  name: "network/partition-groups",
  describes: "all hosts are divided into parameters.groups groups that cannot reach each other",
  parameters: { groups: "groups", deal: "any number: which deal" },
  mode: "event",
  draw: (draw, context) =>
    moments(draw, context, 1, (own) => ({
      target: "*",
      fault: "network/partition-groups",
      for: roughly(own, 200_000, 15_000_000),
      parameters: { groups: own.integer("groups", 3, 4), deal: own.integer("deal", 0, 1_000) }
    })),
  act: (world, { fault, targets }) => {
    const count = fault.parameters?.["groups"] ?? 3
    const key = Chance.derive(world.kernel.key, `groups/${fault.parameters?.["deal"] ?? 0}`)
    const groups = Array.from({ length: count }, (_, group) =>
      targets.filter((_name, index) => Chance.integer(key, index, 0, count - 1) === group)
    )
    return world.network.divide("network/partition-groups", groups)
  }
}

const isolate: FaultKind = {
  name: "network/isolate",
  describes: "the target is cut from all other hosts",
  mode: "event",
  draw: (draw, context) =>
    moments(draw, context, 2, (own) => ({
      target:
        own.happens("leader", 0.4) && context.world.selector("leaderOf") !== undefined
          ? "leaderOf(leader)"
          : someone(own),
      fault: "network/isolate",
      for: roughly(own, 200_000, 20_000_000)
    })),
  act: (world, { targets }) => {
    const heals = targets.map((name) => world.network.isolate(name))
    return () => {
      for (const heal of heals) heal()
    }
  }
}

const bridge: FaultKind = {
  name: "network/bridge",
  describes: "two halves of the processes see each other only through the target",
  mode: "event",
  draw: (draw, context) =>
    moments(draw, context, 1, (own) => ({
      target: "random(process)",
      fault: "network/bridge",
      for: roughly(own, 500_000, 20_000_000)
    })),
  act: (world, { targets }) => {
    const others = world.network.hostNames.filter((name) => !targets.includes(name))
    const half = Math.ceil(others.length / 2)
    const left = new Set(others.slice(0, half))
    const right = new Set(others.slice(half))
    return world.network.addRule({
      fault: "network/bridge",
      onPacket: ({ source, target }) =>
        (left.has(source) && right.has(target)) || (right.has(source) && left.has(target)) ? drop : pass
    })
  }
}

const linkLatency: FaultKind = {
  name: "network/link-latency",
  describes: "the links of the target are slower by parameters.millis, for good",
  parameters: { millis: "milliseconds" },
  mode: "event",
  draw: (draw, { world }) =>
    draw
      .shuffle("hosts", world.network.hostNames)
      .slice(0, 2)
      .map((target) => ({
        when: { at: "0s" },
        target,
        fault: "network/link-latency",
        parameters: { millis: draw.child(target).integer("millis", 1, 120) }
      })),
  act: (world, { fault, targets }) => {
    const extraMicros = (fault.parameters?.["millis"] ?? 20) * 1_000
    const links = targets.flatMap((target) =>
      world.network.hostNames
        .filter((other) => other !== target)
        .flatMap((other) => [world.network.link(target, other), world.network.link(other, target)])
    )
    for (const link of links) link.extraMicros += extraMicros
    return () => {
      for (const link of links) link.extraMicros -= extraMicros
    }
  }
}

const clog: FaultKind = {
  name: "network/clog",
  describes: "what goes to and from the target is kept, and delivered in one burst when the clog is gone",
  mode: "event",
  draw: (draw, context) =>
    moments(draw, context, 3, (own) => ({
      target: someone(own),
      fault: "network/clog",
      for: roughly(own, 100_000, 10_000_000)
    })),
  act: (world, { targets }) => world.network.addRule(clogOf("network/clog", targets))
}

const swizzle: FaultKind = {
  name: "network/swizzle",
  describes: "half of the hosts are clogged one by one, parameters.stepMillis apart, and released in another order",
  parameters: { stepMillis: "milliseconds", deal: "any number: which deal" },
  mode: "event",
  draw: (draw, context) =>
    moments(draw, context, 1, (own) => ({
      target: "*",
      fault: "network/swizzle",
      parameters: { stepMillis: own.integer("step", 100, 1_500), deal: own.integer("deal", 0, 1_000) }
    })),
  act: (world, { fault, targets }) => {
    const stepMicros = (fault.parameters?.["stepMillis"] ?? 500) * 1_000
    const draw = world.draw.child(`swizzle/${fault.parameters?.["deal"] ?? 0}`)
    const hosts = draw.shuffle("in", targets).slice(0, Math.ceil(targets.length / 2))
    const order = draw.shuffle("out", hosts)
    const clogged = new Map<string, () => void>()
    let isOver = false
    for (const [index, host] of hosts.entries()) {
      world.kernel.schedule(
        index * stepMicros,
        () => {
          if (!isOver) clogged.set(host, world.network.addRule(clogOf("network/swizzle", [host])))
        },
        undefined
      )
    }
    for (const [index, host] of order.entries()) {
      world.kernel.schedule((hosts.length + index) * stepMicros, () => clogged.get(host)?.(), undefined)
    }
    return () => {
      isOver = true
      for (const release of clogged.values()) release()
    }
  }
}

const halfOpen: FaultKind = {
  name: "network/half-open",
  describes: "a connection goes dead in one direction; nobody is told",
  mode: "hazard",
  draw: (draw, context) => [window(draw, context, "network/half-open", 0.0005, 0.01)]
}

export const all: ReadonlyArray<FaultKind> = [
  {
    ...hazard("latency-tail", "a message takes up to 3 s longer, or as long as is given", 0.002, 0.1),
    parameters: { millis: "milliseconds" }
  },
  linkLatency,
  hazard("loss", "a connection breaks; a datagram is lost", 0.0005, 0.02),
  hazard(
    "duplication",
    "a request is sent to the server twice by a middlebox, a datagram is delivered twice",
    0.01,
    0.3
  ),
  hazard("reordering", "messages of different connections overtake each other by up to 250 ms", 0.01, 0.4),
  partition,
  partitionOneWay,
  partitionGroups,
  isolate,
  bridge,
  clog,
  swizzle,
  hazard("refused", "a connect is refused", 0.02, 0.5),
  hazard("reset", "a connection is reset", 0.0005, 0.02),
  halfOpen,
  hazard("answer-lost", "a server acts, and its answer is lost", 0.01, 0.3)
]

function rest(world: World, targets: ReadonlyArray<string>): ReadonlyArray<string> {
  return world.network.hostNames.filter((name) => !targets.includes(name))
}

function clogOf(fault: string, hosts: ReadonlyArray<string>): Rule {
  return {
    fault,
    onPacket: ({ source, target }) => (hosts.includes(source) || hosts.includes(target) ? hold : pass)
  }
}
