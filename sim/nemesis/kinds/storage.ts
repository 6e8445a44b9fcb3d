/**
 * Faults of the database and of the way to it.
 */
import type { Draw } from "../Draw.ts"
import type { FaultKind, SwarmContext } from "../FaultKind.ts"
import { moments, roughly, window } from "./process.ts"

const hazard = (name: string, describes: string, rateMinimum: number, rateMaximum: number): FaultKind => ({
  name: `storage/${name}`,
  describes,
  mode: "hazard",
  draw: (draw: Draw, context: SwarmContext) => [window(draw, context, `storage/${name}`, rateMinimum, rateMaximum)]
})

const serverRestart: FaultKind = {
  name: "storage/server-restart",
  describes: "the database dies and comes back; what was committed is there, sessions are not",
  mode: "event",
  draw: (draw, context) =>
    moments(draw, context, 2, (own) => ({
      target: "random(database)",
      fault: "storage/server-restart",
      for: roughly(own, 100_000, 8_000_000)
    })),
  act: (world, { targets }) => {
    for (const name of targets) {
      const node = world.node(name)
      if (node.state === "down") continue
      world.kernel.facts.effect("storage/server-restart", node)
      node.crash("server restart")
    }
    return () => {
      for (const name of targets) world.node(name).revive()
    }
  }
}

/**
 * Loses what was acknowledged, so that promises made on commits no longer hold: epochs are given twice, answers tell of what is
 * not there. A swarm leaves it out, for its invariants would mean nothing; a scenario of its own says what still holds.
 */
export const failover: FaultKind = {
  name: "storage/failover",
  describes: "the database dies and a replica takes over that lacks the commits of the last parameters.millis",
  parameters: { millis: "milliseconds before the last commit, 5000 at most" },
  mode: "event",
  draw: () => [],
  act: (world, { entry, fault, targets }) => {
    const struck = targets.filter((name) => world.node(name).state !== "down")
    const ends = struck.map((name) => {
      const node = world.node(name)
      const next = `${name}/${node.incarnation + 1}`
      const end = world.hazards.add("storage/failover", {
        entry,
        covers: (subject) => subject === next,
        rate: 1,
        struck: undefined,
        parameters: fault.parameters ?? {}
      })
      node.crash("failover")
      return end
    })
    return () => {
      for (const name of struck) world.node(name).revive()
      // When it has started.
      world.kernel.schedule(1_000, () => ends.forEach((end) => end()), undefined)
    }
  }
}

export const all: ReadonlyArray<FaultKind> = [
  hazard("latency", "a statement takes up to 0.9 s longer", 0.01, 0.4),
  hazard("serialization-failure", "a statement fails as if it could not be serialized", 0.005, 0.15),
  hazard("deadlock", "a statement is chosen as the victim of a deadlock", 0.005, 0.1),
  hazard("cut-before-commit", "the connection is cut when COMMIT arrives: nothing is committed", 0.005, 0.15),
  hazard("cut-after-commit", "the connection is cut after COMMIT, before its answer", 0.005, 0.15),
  hazard("pool-exhausted", "no connection of the pool is free", 0.01, 0.3),
  hazard("statement-timeout", "a statement runs into its time limit", 0.002, 0.05),
  hazard("lock-timeout", "a statement runs into the time limit for locks", 0.002, 0.05),
  hazard("idle-timeout", "a session is ended because it was idle in its transaction", 0.005, 0.1),
  hazard(
    "silent-client",
    "a client says nothing for 4 s in the middle of its transaction, and keeps its locks",
    0.002,
    0.05
  ),
  hazard("disk-full", "the disk is full: a statement that inserts or updates fails", 0.05, 1),
  serverRestart
]

/** Only those who follow the change feed notice. */
export const lostNotification = hazard("lost-notification", "a hint of the change feed is lost", 0.05, 0.9)
