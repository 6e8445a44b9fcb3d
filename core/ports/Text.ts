/**
 * Text as every store can hold it: whole characters, and no NUL; and lines, which show on a terminal as they are written. What comes from outside
 * is seen to be before it is asked for or kept.
 */
import * as Schema from "effect/Schema"
import { nameCharsMax } from "../Limits.ts"

export const Text = Schema.String.check(
  Schema.makeFilter((text: string) => text.isWellFormed() && !text.includes("\u0000"), {
    expected: "text of whole characters without NUL"
  })
)

/** Control and format characters, and what separates lines: they would act on a terminal, or hide. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u
const everyUnseen = new RegExp(unseen, "gu")

export const Line = Text.check(
  Schema.makeFilter((text: string) => text !== "" && !unseen.test(text), {
    expected: "a line of characters that show"
  })
)

/** What does not show, by its number: `\u{1b}`; a line that ends by `\n`. */
export const escaped = (text: string): string =>
  text
    .toWellFormed()
    .replaceAll(everyUnseen, (each) =>
      each === "\n" ? String.raw`\n` : String.raw`\u{${each.codePointAt(0)!.toString(16)}}`
    )

/** The beginning of a text as a `Line` of at most `charsMax` UTF-16 units; undefined of an empty one. */
export const lineOf = (text: string, charsMax: number): string | undefined => {
  // No more than can be shown: it may be long.
  const line = escaped(text.trim().slice(0, charsMax + 1))
  if (line === "") return undefined
  // A character that is cut in the middle is left out.
  return line.length <= charsMax ? line : `${line.slice(0, charsMax - 1).replace(/[\uD800-\uDBFF]$/, "")}…`
}

/** What a name is, for whoever wrote none. */
export const nameExpected = `lower case letters, digits and inner hyphens, at most ${nameCharsMax} characters`
