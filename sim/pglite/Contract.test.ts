/** The laws of the storage port, on PGlite under virtual time. */
import { beforeAll } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { boot } from "../../adapters/cli/bootPglite.ts"
import { oneSessionExceptions } from "../../adapters/pglite/oneSession.fixture.ts"
import { storageContract, tables } from "../../adapters/postgres/StorageContract.fixture.ts"
import { World } from "../run/World.ts"
import type { Databases } from "../storage/Databases.ts"

let databases: Databases
beforeAll(async () => {
  databases = await boot()
}, 60_000)

storageContract(
  "PGlite in a simulation",
  (program) =>
    Effect.suspend(() => {
      const world = new World({ seed: "1", databases })
      world.addNode("database", databases.make(world, { tables }).program).start()
      let ended: Exit.Exit<void, unknown> | undefined
      const law = Effect.map(Effect.exit(program), (exit) => {
        ended = exit
      })
      world.addNode("law", Effect.provide(law, databases.layer())).start()
      world.run("60s")
      return ended ?? Effect.die(new Error("the law has not ended after 60 s"))
    }),
  oneSessionExceptions
)
