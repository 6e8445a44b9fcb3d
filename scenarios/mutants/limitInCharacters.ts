import type { Mutant } from "./Mutant.ts"

export const limitInCharacters: Mutant = {
  name: "limit-in-characters",
  why: "The limit of a message counts the characters of a text, and not its bytes.",
  incident: "String.length counts units of UTF-16, RFC 6455 bytes",
  suite: { file: "sim/network/NetworkContract.test.ts", test: "one's own limit" },
  edits: [
    {
      file: "core/socket/LiveSocket.ts",
      find: 'if (typeof chunk !== "string" || length > limit || length * 3 <= limit) return length',
      replace: "if (length >= 0) return length"
    }
  ]
}
