/** The last line of an agent. */
import { assert, it } from "@effect/vitest"
import { runsOn } from "./agentCommand.ts"

it("an agent that stops says how many processes run on, and how those are ended that a line can name", () => {
  assert.strictEqual(runsOn([], "d"), "stopped: no process of an instance is left")
  assert.strictEqual(
    runsOn([12], "d"),
    "stopped: 1 instance's process runs on, found again by the next agent on d; to end it: kill -- -12"
  )
  assert.match(runsOn([12, 345], "d"), /^stopped: 2 instances' processes run on, .* to end them: kill -- -12 -345$/)
  const many = Array.from({ length: 21 }, (_, index) => index + 2)
  assert.match(runsOn(many, "d"), /^stopped: 21 .*; to end them, scale their fleets to 0 before the agent stops$/)
})
