import { assert, describe, it } from "@effect/vitest"
import { ConnectionError, SqlError } from "effect/sql/SqlError"
import { failureOf } from "./Errors.ts"

/** What the driver says of a connection whose socket ends with this. */
const broken = (code: string) =>
  new SqlError({
    reason: new ConnectionError({
      cause: Object.assign(new Error(`write ${code}`), { code }),
      message: "PgConnection: Socket error",
      operation: "query"
    })
  })

describe("a connection that breaks", () => {
  it("is lost, whatever the system calls it: a commit that was under way is unknown", () => {
    for (const code of ["EPIPE", "EBADF", "ECONNRESET", "ETIMEDOUT", "ERR_STREAM_DESTROYED"]) {
      assert.strictEqual(failureOf(broken(code), "operations")._tag, "Lost", code)
    }
  })

  it("is told by what the server said where it said something", () => {
    assert.strictEqual(failureOf(broken("57P01"), "operations")._tag, "Lost")
    assert.strictEqual(failureOf(broken("25P04"), "operations")._tag, "Lost")
    assert.deepInclude(failureOf(broken("25P03"), "operations"), { _tag: "Refused" })
    assert.strictEqual(failureOf(broken("42703"), "operations")._tag, "Defect")
  })
})
