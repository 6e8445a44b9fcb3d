import type { Mutant } from "./Mutant.ts"

export const deafWhileItDecides: Mutant = {
  name: "deaf-while-it-decides",
  why: "Nobody reads from a connection while a handler decides whether to upgrade: a caller that has left is not noticed, and the handler goes on for ever.",
  incident: "found by the contract between processes; Effect's NodeHttpServer has it",
  suite: { file: "adapters/node/HttpServing.test.ts", test: "notices who leaves" },
  edits: [
    {
      file: "adapters/node/HttpServing.ts",
      find: '    socket.on("end", this.#onEnd)',
      replace: '    socket.off("end", this.#onEnd)'
    }
  ]
}
