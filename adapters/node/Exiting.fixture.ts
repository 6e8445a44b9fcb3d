/** A process that ends itself while it holds something that it would release. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { NodeExit } from "../../core/ports/NodeExit.ts"
import * as ProcessExit from "./ProcessExit.ts"

const program = Effect.gen(function* () {
  const { exit } = yield* NodeExit
  yield* Effect.addFinalizer(() => Console.log("released"))
  yield* Console.log("holding")
  return yield* exit("its lease is over")
}).pipe(Effect.ensuring(Console.log("still here")), Effect.scoped, Effect.provide(ProcessExit.layer))

NodeRuntime.runMain(program)
