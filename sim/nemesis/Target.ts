/**
 * Targets of faults: a node, "*", "random", "random(tag)", "all(tag)", or a selector that the world offers.
 */
import * as Chance from "../kernel/Chance.ts"
import type { World } from "../run/World.ts"
import { orNearest } from "./nearest.ts"

const call = /^([a-zA-Z][\w-]*)\(([^()]*)\)$/

/** Tags that the simulator's own kinds of fault name, also in worlds where no node carries them: such a fault is void. */
const tagsOfKinds: ReadonlyArray<string> = ["process", "database", "clock"]

/**
 * The nodes that a target means now; empty when it means none. Pure in (facts so far, key): `key` is the plan entry's
 * own, so that the choice of one entry does not depend on another.
 */
export const resolve = (world: World, target: string, key: Chance.Key): ReadonlyArray<string> => {
  if (target === "*") return world.tagged()
  if (world.kernel.findNode(target) !== undefined) return [target]
  const [, name, argument] = target === "random" ? ["", "random", ""] : (call.exec(target) ?? [])
  if (name === undefined || argument === undefined) return []
  if (name === "all") return world.tagged(argument)
  if (name === "random") {
    const candidates = world.tagged(argument === "" ? undefined : argument)
    return candidates.length === 0 ? [] : [Chance.pick(key, 0, candidates)]
  }
  const selected = world.selector(name)?.(argument)
  return selected === undefined ? [] : [selected]
}

/** Undefined when everything that the target names exists in this world; else what does not, in one line. */
export const problem = (world: World, target: string): string | undefined => {
  if (target === "*" || target === "random" || world.kernel.findNode(target) !== undefined) return undefined
  const [, name, argument] = call.exec(target) ?? []
  const selectors = ["random", "all", ...world.selectorNames]
  if (name === undefined || argument === undefined || !selectors.includes(name)) {
    const nodes = world.tagged()
    const hint = name === undefined ? orNearest(target, nodes) : orNearest(name, selectors)
    return `"${target}" is neither a node (${nodes.join(", ")}) nor a selector (${selectors.join(", ")})${hint}`
  }
  if (name !== "random" && name !== "all") {
    const known = world.selectorArguments(name)
    if (known === undefined || known.includes(argument)) return undefined
    return `"${target}": ${name} knows no "${argument}"${orNearest(argument, known)}`
  }
  const tags = [...new Set([...world.tags, ...tagsOfKinds])]
  if ((name === "random" && argument === "") || tags.includes(argument)) return undefined
  return `"${target}": no node has the tag "${argument}", there is ${tags.join(", ")}${orNearest(argument, tags)}`
}

/** The same for what must be a node's name. */
export const nodeProblem = (world: World, name: string): string | undefined => {
  const nodes = world.tagged()
  if (nodes.includes(name)) return undefined
  return `"${name}" is no node, there is ${nodes.join(", ")}${orNearest(name, nodes)}`
}
