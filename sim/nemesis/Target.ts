/**
 * Targets of faults: a node, "*", "random", "random(tag)", "all(tag)", or a selector that the world offers.
 */
import * as Chance from "../kernel/Chance.ts"
import type { World } from "../run/World.ts"

const call = /^([a-zA-Z][\w-]*)\(([^()]*)\)$/

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

/** Undefined when the target is well formed in this world; else what is wrong with it. */
export const problem = (world: World, target: string): string | undefined => {
  if (target === "*" || target === "random" || world.kernel.findNode(target) !== undefined) return undefined
  const match = call.exec(target)
  const known = ["random", "all", ...world.selectorNames]
  if (match !== null && known.includes(match[1] as string)) return undefined
  return `"${target}" is neither a node (${world.tagged().join(", ")}) nor a selector (${known.join(", ")})`
}
