/** What Stryker is given besides its own: more kinds of mistakes, and where none is planted. */
import { whyIgnored } from "./ignoreUndecided.ts"
import { operators } from "./operators.ts"

// Stryker has no door for operators. Its list of them is this array, which the pinned version exports by this path alone.
const list = new URL("node_modules/@stryker-mutator/instrumenter/dist/src/mutators/mutate.js", import.meta.url)
const { allMutators } = (await import(list.href)) as { readonly allMutators: Array<object> }
allMutators.push(...operators)

/** @public The name by which Stryker looks for plugins in a module. */
export const strykerPlugins = [{ kind: "Ignore", name: "undecided", value: { shouldIgnore: whyIgnored } }] as const
