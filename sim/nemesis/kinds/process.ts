/**
 * Faults of processes: kills, pauses, slow processors, graceful stops.
 */
import type { World } from "../../run/World.ts"
import type { Draw } from "../Draw.ts"
import type { FaultKind, Resolved, SwarmContext } from "../FaultKind.ts"
import { type Fault, fromMicros } from "../FaultPlan.ts"

/** Processes that the swarm may hurt carry this tag. */
export const victimTag = "process"

/** Finalizers of a stopping process have so long, as under most supervisors. */
const stopDeadlineMicros = 10_000_000

export const kill: FaultKind = {
  name: "process/kill",
  describes: "a process dies at once: no finalizer runs, nobody is told; it starts again after `for`",
  mode: "event",
  draw: (draw, context) =>
    moments(draw, context, 3, (own) => ({
      target: `random(${victimTag})`,
      fault: "process/kill",
      for: roughly(own, 200_000, 20_000_000)
    })),
  act: (world, resolved) => each(world, resolved, "process/kill", (name) => world.node(name).crash("killed"))
}

export const killLeader: FaultKind = {
  name: "process/kill-leader",
  describes: "the holder of a lease dies",
  mode: "event",
  draw: (draw, context) =>
    context.world.selector("leaderOf") === undefined
      ? []
      : moments(draw, context, 3, (own) => ({
          target: "leaderOf(leader)",
          fault: "process/kill-leader",
          for: roughly(own, 200_000, 20_000_000)
        })),
  act: (world, resolved) => each(world, resolved, "process/kill-leader", (name) => world.node(name).crash("killed"))
}

export const killAtPoint: FaultKind = {
  name: "process/kill-at-point",
  describes: "a process dies at a fault point in its code",
  mode: "hazard",
  draw: (draw, context) => [window(draw, context, "process/kill-at-point", 0.001, 0.02, `all(${victimTag})`)]
}

export const delayAtPoint: FaultKind = {
  name: "process/delay-at-point",
  describes: "a fiber is held up at a fault point in its code, up to 8 s, or as long as is given",
  parameters: { millis: "milliseconds" },
  mode: "hazard",
  draw: (draw, context) => [window(draw, context, "process/delay-at-point", 0.002, 0.1, `all(${victimTag})`)]
}

export const failAtPoint: FaultKind = {
  name: "process/fail-at-point",
  describes: "a fiber meets a defect at a fault point in its code",
  mode: "hazard",
  draw: (draw, context) => [window(draw, context, "process/fail-at-point", 0.001, 0.02, `all(${victimTag})`)]
}

export const restart: FaultKind = {
  name: "process/restart",
  describes: "a process dies and is back within a second",
  mode: "event",
  draw: (draw, context) =>
    moments(draw, context, 4, (own) => ({
      target: `random(${victimTag})`,
      fault: "process/restart",
      for: roughly(own, 1_000, 1_000_000)
    })),
  act: (world, resolved) => each(world, resolved, "process/restart", (name) => world.node(name).crash("restarted"))
}

export const pause: FaultKind = {
  name: "process/pause",
  describes:
    "a process stands still (SIGSTOP, garbage collection, a frozen virtual machine) and then goes on as if nothing had been",
  mode: "event",
  draw: (draw, context) =>
    moments(draw, context, 3, (own) => ({
      target:
        own.happens("leader", 0.5) && context.world.selector("leaderOf") !== undefined
          ? "leaderOf(leader)"
          : `random(${victimTag})`,
      fault: "process/pause",
      for: roughly(own, 500_000, 25_000_000)
    })),
  act: (world, { targets }) => {
    for (const name of targets) world.node(name).pause()
    return () => {
      for (const name of targets) world.node(name).resume()
    }
  }
}

export const slowCpu: FaultKind = {
  name: "process/slow-cpu",
  describes: "every task of a process takes time: parameters.taskMicros",
  parameters: { taskMicros: "microseconds" },
  mode: "event",
  draw: (draw, context) =>
    moments(draw, context, 2, (own) => ({
      target: `random(${victimTag})`,
      fault: "process/slow-cpu",
      for: roughly(own, 2_000_000, 20_000_000),
      parameters: { taskMicros: Math.round(own.logarithmic("task", 50, 5_000)) }
    })),
  act: (world, { fault, targets }) => {
    const taskMicros = fault.parameters?.["taskMicros"] ?? 1_000
    for (const name of targets) world.node(name).taskMicros = taskMicros
    return () => {
      for (const name of targets) world.node(name).taskMicros = 0
    }
  }
}

export const stop: FaultKind = {
  name: "process/stop",
  describes: "a process is asked to end (SIGTERM), cleans up, and starts again after `for`",
  mode: "event",
  draw: (draw, context) =>
    moments(draw, context, 2, (own) => ({
      target: `random(${victimTag})`,
      fault: "process/stop",
      for: roughly(own, 500_000, 15_000_000)
    })),
  act: (world, resolved) => each(world, resolved, "process/stop", (name) => world.node(name).stop(stopDeadlineMicros))
}

export const rollingRestart: FaultKind = {
  name: "process/rolling-restart",
  describes: "the targets are stopped and started one after the other, parameters.stepMillis apart",
  parameters: { stepMillis: "milliseconds" },
  mode: "event",
  draw: (draw, context) =>
    moments(draw, context, 1, (own) => ({
      target: `all(${victimTag})`,
      fault: "process/rolling-restart",
      parameters: { stepMillis: own.integer("step", 500, 8_000) }
    })),
  act: (world, { fault, targets }) => {
    const stepMicros = (fault.parameters?.["stepMillis"] ?? 2_000) * 1_000
    for (const [index, name] of targets.entries()) {
      world.kernel.schedule(
        index * stepMicros,
        () => {
          const node = world.node(name)
          if (node.state === "down") return
          world.kernel.facts.effect("process/rolling-restart", node)
          node.stop(stopDeadlineMicros)
          world.kernel.schedule(stepMicros / 2, () => node.revive(), undefined)
        },
        undefined
      )
    }
    return undefined
  }
}

export const all: ReadonlyArray<FaultKind> = [
  kill,
  killLeader,
  killAtPoint,
  delayAtPoint,
  failAtPoint,
  restart,
  pause,
  slowCpu,
  stop,
  rollingRestart
]

/** Connects fault points to the hazards that strike there. */
export const armFaultPoints = (world: World): void => {
  const visits = new Map<string, number>()
  world.addVisitor((node, point) => {
    const subject = `${node.name}/${point}`
    const nth = visits.get(subject) ?? 0
    visits.set(subject, nth + 1)
    const { hazards } = world
    if (hazards.hit("process/kill-at-point", subject, nth) !== undefined) return { _tag: "Crash" }
    if (hazards.hit("process/fail-at-point", subject, nth) !== undefined) return { _tag: "Fail" }
    const delay = hazards.hit("process/delay-at-point", subject, nth)
    if (delay === undefined) return undefined
    const { millis } = delay.parameters
    if (millis !== undefined) return { _tag: "Delay", micros: Math.ceil(millis * 1_000) }
    const micros = Math.ceil(hazards.fraction("process/delay-at-point", subject, nth) ** 2 * 8_000_000)
    hazards.drew("millis", micros / 1_000)
    return { _tag: "Delay", micros }
  })
}

/** Takes each target that is up down, and brings it back when the fault is undone. */
function each(world: World, { targets }: Resolved, kind: string, hurt: (name: string) => void): () => void {
  for (const name of targets) {
    const node = world.node(name)
    if (node.state === "down") continue
    world.kernel.facts.effect(kind, node)
    hurt(name)
  }
  return () => {
    for (const name of targets) world.node(name).revive()
  }
}

/** Up to `most` events at random moments of the safety phase. */
export function moments(
  draw: Draw,
  context: SwarmContext,
  most: number,
  make: (own: Draw) => Omit<Fault, "when">
): ReadonlyArray<Fault> {
  return Array.from({ length: draw.integer("count", 1, most) }, (_, index) => {
    const own = draw.child(String(index))
    const atMicros = own.integer("at", 0, Math.floor(context.safetyMicros / 100_000) - 1) * 100_000
    return { when: { at: fromMicros(atMicros) }, ...make(own) }
  })
}

/** A hazard over a random part of the safety phase, its rate uniform in the logarithm. */
export function window(
  draw: Draw,
  context: SwarmContext,
  fault: string,
  rateMinimum: number,
  rateMaximum: number,
  target = "*"
): Fault {
  const tenths = Math.floor(context.safetyMicros / 100_000)
  const from = draw.happens("whole", 0.4) ? 0 : draw.integer("from", 0, tenths - 1)
  const until = draw.happens("whole", 0.4) ? tenths : draw.integer("until", from + 1, tenths)
  return {
    when: {
      from: fromMicros(from * 100_000),
      until: fromMicros(until * 100_000),
      rate: Number(draw.logarithmic("rate", rateMinimum, rateMaximum).toPrecision(2))
    },
    target,
    fault
  }
}

/** A duration between the bounds, uniform in the logarithm, rounded to two digits. */
export function roughly(draw: Draw, minimumMicros: number, maximumMicros: number): string {
  const micros = Number(draw.logarithmic("for", minimumMicros, maximumMicros).toPrecision(2))
  return fromMicros(Math.max(1_000, Math.round(micros / 1_000) * 1_000))
}
