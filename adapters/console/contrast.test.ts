/** The colours of the console, in both themes: contrast as WCAG 2.2 computes it (1.4.3, 1.4.11), at least AA. */
import fs from "node:fs"
import path from "node:path"
import { assert, describe, it } from "@effect/vitest"

const css = fs.readFileSync(path.join(import.meta.dirname, "page", "console.css"), "utf8")

const colours: ReadonlyMap<string, Readonly<Record<"light" | "dark", string>>> = new Map(
  [...css.matchAll(/--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);/g)].map(([, name, light, dark]) => [
    name!,
    { light: light!, dark: dark! }
  ])
)

/** Relative luminance of an sRGB colour. */
const luminance = (hex: string): number => {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!
}
const contrast = (one: string, other: string): number => {
  const [dark, light] = [luminance(one), luminance(other)].toSorted((a, b) => a - b)
  return (light! + 0.05) / (dark! + 0.05)
}

const grounds = ["ground", "surface", "raised", "alarm"]
const texts = ["ink", "muted", "accent", "good", "busy", "bad", "held"]
const marks = ["edge", "good", "busy", "bad", "held", "leaving", "accent"]

describe.each(["light", "dark"] as const)("the colours of the %s theme", (theme) => {
  const worst = (fronts: ReadonlyArray<string>, backs: ReadonlyArray<string>, least: number): ReadonlyArray<string> =>
    fronts.flatMap((front) =>
      backs.flatMap((back) => {
        const ratio = contrast(colours.get(front)![theme], colours.get(back)![theme])
        return ratio < least ? [`${front} on ${back}: ${ratio.toFixed(2)}`] : []
      })
    )

  it("let every text be read on everything that it may stand on", () => {
    assert.deepStrictEqual(worst(texts, grounds, 4.5), [])
    assert.deepStrictEqual(worst(["on-accent"], ["accent", "bad"], 4.5), [])
  })

  it("let every mark, line and edge of a control be told from its ground", () => {
    assert.deepStrictEqual(worst(marks, grounds, 3), [])
    assert.deepStrictEqual(worst(["good", "ink"], ["area", "surface"], 3), [])
  })
})

it("are all named ones, so that none is missed here", () => {
  const rules = css.replace(/:root \{[^}]*\}/, "")
  assert.deepStrictEqual(rules.match(/#[0-9a-f]{3,8}\b|light-dark\(/g), null)
  const written = [...rules.matchAll(/(?<![-\w])color: ([^;]+);/g)].map(([, colour]) => colour)
  assert.includeMembers([...texts, "on-accent"].map((name) => `var(--${name})`).concat("inherit"), written)
  assert.strictEqual(contrast("#000000", "#ffffff"), 21)
})

it("nothing moves by itself, so that nobody need ask for less motion", () => {
  assert.deepStrictEqual(css.match(/\b(transition|animation|scroll-behavior)\b/g), null)
})
