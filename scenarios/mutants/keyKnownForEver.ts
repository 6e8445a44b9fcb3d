import type { Mutant } from "./Mutant.ts"

export const keyKnownForEver: Mutant = {
  name: "key-known-for-ever",
  why: "A key that was looked up once is never looked up again: revoked, it goes on opening.",
  incident:
    "caches of authorization without an end: a credential that was revoked works until the process is restarted",
  runsIn: "identity/",
  edits: [
    {
      file: "core/identity/Credentials.ts",
      find: "if (known !== undefined && askedAtMicros < known.untilMicros) return known.key",
      replace: "if (known?.key !== undefined) return known.key"
    }
  ]
}
