/** From the text of a setting to what it means. Each refusal says what would be right. */
import fs from "node:fs"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type Limit, problem } from "../../../core/identity/RateLimit.ts"
import { Name } from "../../../core/api/Views.ts"
import { nameExpected } from "../../../core/ports/Text.ts"
import { orNearest } from "../../../sim/nemesis/nearest.ts"
import { reasonOf } from "../../../reports/saveFailure.ts"
import { wordsOf } from "../../node/InstanceCommand.ts"
import type { Parse } from "./Setting.ts"

export const anyText: Parse<string> = Result.succeed

export const integer =
  ({ max, min }: { readonly min: number; readonly max: number }): Parse<number> =>
  (text) => {
    const number = Number(text)
    return /^-?\d+$/.test(text) && number >= min && number <= max
      ? Result.succeed(number)
      : Result.fail(`not a whole number from ${min} to ${max}`)
  }

export const truth: Parse<boolean> = (text) =>
  text === "true" || text === "false" ? Result.succeed(text === "true") : Result.fail("write true or false")

export const oneOf =
  <const Choice extends string>(choices: ReadonlyArray<Choice>): Parse<Choice> =>
  (text) => {
    const choice = choices.find((each) => each === text)
    return choice === undefined
      ? Result.fail(`not one of ${choices.join(", ")}${orNearest(text, choices)}`)
      : Result.succeed(choice)
  }

/** One or more, "a,b", each once. */
export const someOf = <const Choice extends string>(choices: ReadonlyArray<Choice>): Parse<ReadonlyArray<Choice>> => {
  const parseOne = oneOf(choices)
  return (text) =>
    Result.map(Result.all(text.split(",").map((each) => parseOne(each.trim()))), (given) => [...new Set(given)])
}

export const name: Parse<string> = (text) =>
  Schema.is(Name)(text) ? Result.succeed(text) : Result.fail(`a name is ${nameExpected}`)

/** Without the slash at its end. */
export const address: Parse<string> = (text) =>
  URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
    ? Result.succeed(text.replace(/\/$/, ""))
    : Result.fail("not an address such as http://localhost:8081")

/** The content of a file. */
export const file: Parse<string> = (text) => {
  try {
    return Result.succeed(fs.readFileSync(text, "utf8"))
  } catch (error) {
    return Result.fail(`cannot be read: ${reasonOf(error)}`)
  }
}

/** Separated by commas. */
export const addresses: Parse<ReadonlyArray<string>> = (text) =>
  Result.all(text.split(",").map((each) => address(each.trim())))

export const words: Parse<ReadonlyArray<string>> = (text) => {
  const found = wordsOf(text)
  return typeof found === "string" ? Result.fail(found) : Result.succeed(found)
}

/** "500/1000": so many requests a second, so many at once. */
export const rate: Parse<Limit> = (text) => {
  const [, perSecond, burst] = /^(\d+)\/(\d+)$/.exec(text) ?? []
  if (perSecond === undefined) return Result.fail("not requests a second and at once, such as 500/1000")
  const limit = { perSecond: Number(perSecond), burst: Number(burst) }
  const wrong = problem(limit)
  return wrong === undefined ? Result.succeed(limit) : Result.fail(wrong)
}

export const showRate = ({ burst, perSecond }: Limit): string => `${perSecond}/${burst}`

/** An API key, or another token. */
export const key: Parse<Redacted.Redacted> = (text) =>
  /^[\x21-\x7e]{16,8192}$/.test(text)
    ? Result.succeed(Redacted.make(text))
    : Result.fail("not a key such as sg_0123456789abcdef_…")

/** Of a Postgres server; it may hold a password. */
export const serverUrl: Parse<Redacted.Redacted> = (text) =>
  URL.canParse(text) && /^postgres(ql)?:$/.test(new URL(text).protocol)
    ? Result.succeed(Redacted.make(text))
    : Result.fail("not a URL such as postgres://owner:password@host:5432/database")

/** A server, without what lets anybody in. */
export const showServer = (url: Redacted.Redacted): string => {
  const shown = new URL(Redacted.value(url) as string)
  if (shown.password !== "") shown.password = "redacted"
  // A password may be a parameter, too.
  for (const parameter of shown.searchParams.keys()) {
    if (/pass|key/i.test(parameter)) shown.searchParams.set(parameter, "redacted")
  }
  return shown.href
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** "name=value,name=value", values percent-encoded, as OpenTelemetry has it. Each value may let somebody in. */
export const headers: Parse<Readonly<Record<string, Redacted.Redacted>>> = (text) => {
  const decoded: Record<string, Redacted.Redacted> = {}
  for (const pair of text.split(",")) {
    const [name, ...rest] = pair.split("=")
    const value = decode(rest.join("=").trim())
    if (rest.length === 0 || value === undefined || !token.test(name!.trim())) {
      return Result.fail("not headers such as authorization=Bearer%20abc,other=1")
    }
    decoded[name!.trim()] = Redacted.make(value)
  }
  return Result.succeed(decoded)
}

function decode(text: string): string | undefined {
  try {
    const decoded = decodeURIComponent(text)
    return /[\r\n]/.test(decoded) ? undefined : decoded
  } catch {
    return undefined
  }
}
