import type { Mutant } from "./Mutant.ts"

export const limitOfEachNode: Mutant = {
  name: "limit-of-each-node",
  why: "Each node has the whole limit to give: with three of them a principal has three times its share.",
  incident:
    "rate limits kept in the memory of each replica: the common mistake of limiters behind a load balancer (Envoy keeps local and global limits apart for it)",
  runsIn: "identity/",
  edits: [
    {
      file: "core/identity/Gate.ts",
      find: "if (!(yield* RateLimit.take(once, `${kind}/${name}`, limit, tokens))) continue",
      replace: "yield* RateLimit.take(once, `${kind}/${name}`, limit, tokens)"
    }
  ]
}
