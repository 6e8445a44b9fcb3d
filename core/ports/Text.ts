/** Text as every store can hold it: whole characters, and no NUL. What comes from outside is seen to be before it is asked for or kept. */
import * as Schema from "effect/Schema"

export const Text = Schema.String.check(
  Schema.makeFilter((text: string) => text.isWellFormed() && !text.includes("\u0000"), {
    expected: "text of whole characters without NUL"
  })
)
