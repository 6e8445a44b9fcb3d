import { spawnSync } from "node:child_process"
import path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { exitCode } from "./ProcessExit.ts"

describe("a process that ends itself", () => {
  it("says why, releases nothing, runs nothing more, and asks to be started again", () => {
    const fixture = path.join(import.meta.dirname, "Exiting.fixture.ts")
    const { status, stderr, stdout } = spawnSync(process.execPath, [fixture], { encoding: "utf8" })
    assert.deepStrictEqual(
      { status, stderr, stdout },
      { status: exitCode, stderr: "stormglass: this process ends itself: its lease is over\n", stdout: "holding\n" }
    )
  })
})
