import type { Mutant } from "./Mutant.ts"

export const repeatsAfterUnknownCommit: Mutant = {
  name: "repeats-after-unknown-commit",
  why: "A transaction whose commit is unknown is simply run again.",
  incident: "rekorderlig #111, stroppy #167",
  edits: [
    {
      file: "core/storage/retryTransient.ts",
      find: '    case "Unavailable":\n      return true\n',
      replace: '    case "Unavailable": case "UnknownOutcome":\n      return true\n'
    },
    {
      file: "core/storage/retryTransient.ts",
      find: '    case "Aborted":\n    case "UnknownOutcome":\n',
      replace: '    case "Aborted":\n\n'
    }
  ]
}
