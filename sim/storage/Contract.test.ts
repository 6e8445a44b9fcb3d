/** The laws of the storage port, on the model. */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { storageContract, tables } from "../../adapters/postgres/StorageContract.fixture.ts"
import * as Schedule from "../kernel/Schedule.ts"
import { World } from "../run/World.ts"
import { SimDatabase } from "./SimDatabase.ts"
import * as SimStorage from "./SimStorage.ts"

storageContract("the model", (program) =>
  Effect.suspend(() => {
    const world = new World({ seed: "1", strategy: Schedule.random })
    world.addNode("database", new SimDatabase(world, { tables }).program).start()
    let ended: Exit.Exit<void, unknown> | undefined
    const law = Effect.map(Effect.exit(program), (exit) => {
      ended = exit
    })
    world.addNode("law", Effect.provide(law, SimStorage.layer())).start()
    world.run("60s")
    return ended ?? Effect.die(new Error("the law has not ended after 60 s"))
  })
)
