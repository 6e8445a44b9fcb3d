/**
 * Faults of clocks, each node's own: skew from the start, drift, jumps. Timers run on monotonic time: only drift moves
 * them.
 */
import type { FaultKind } from "../FaultKind.ts"
import { moments, roughly } from "./process.ts"

/** Nodes whose clock the swarm may bend: processes and databases. */
export const clockTag = "clock"

export const skew: FaultKind = {
  name: "clock/skew",
  describes: "a node's wall clock is off by parameters.millis, for good",
  parameters: { millis: "milliseconds" },
  mode: "event",
  draw: (draw, { world }) =>
    world.tagged(clockTag).map((target) => ({
      when: { at: "0s" },
      target,
      fault: "clock/skew",
      parameters: { millis: draw.child(target).integer("millis", -60_000, 60_000) }
    })),
  act: (world, { fault, targets }) => {
    for (const name of targets) world.node(name).clock.jump((fault.parameters?.["millis"] ?? 0) * 1_000, "clock/skew")
    return undefined
  }
}

export const drift: FaultKind = {
  name: "clock/drift",
  describes: "a node's clock runs at parameters.rate seconds per second; timers too",
  parameters: { rate: "seconds of the node in a second" },
  mode: "event",
  draw: (draw, { world }) =>
    world.tagged(clockTag).map((target) => ({
      when: { at: "0s" },
      target,
      fault: "clock/drift",
      // Crystals stay within 0.02 %, disturbed virtual machines within a few percent.
      parameters: { rate: Number((1 + (draw.child(target).fraction("rate") - 0.5) * 0.04).toFixed(5)) }
    })),
  act: (world, { fault, targets }) => {
    for (const name of targets) world.node(name).clock.drift(fault.parameters?.["rate"] ?? 1, "clock/drift")
    return () => {
      for (const name of targets) world.node(name).clock.drift(1)
    }
  }
}

export const jump: FaultKind = {
  name: "clock/jump",
  describes: "a node's wall clock jumps by parameters.millis, and back when undone",
  parameters: { millis: "milliseconds" },
  mode: "event",
  draw: (draw, context) =>
    moments(draw, context, 3, (own) => ({
      target: `random(${clockTag})`,
      fault: "clock/jump",
      for: roughly(own, 1_000_000, 20_000_000),
      parameters: { millis: own.integer("millis", -60_000, 60_000) }
    })),
  act: (world, { fault, targets }) => {
    const byMicros = (fault.parameters?.["millis"] ?? 0) * 1_000
    for (const name of targets) world.node(name).clock.jump(byMicros, "clock/jump")
    return () => {
      for (const name of targets) world.node(name).clock.jump(-byMicros)
    }
  }
}

export const all: ReadonlyArray<FaultKind> = [skew, drift, jump]
