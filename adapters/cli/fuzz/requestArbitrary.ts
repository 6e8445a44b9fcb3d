/**
 * Requests drawn from an OpenAPI document: most of them nearly right, since what is wrong at once is refused at once and comes nowhere. Each
 * value is as its schema says, or, now and then, something else. Pure.
 */
import * as fc from "fast-check"

/** As much of JSON Schema 2020-12 as the document uses; what is unknown is any JSON. */
export interface JsonSchema {
  readonly $ref?: string
  readonly type?: string
  readonly enum?: ReadonlyArray<unknown>
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly maxItems?: number
  readonly items?: JsonSchema
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: ReadonlyArray<string>
  readonly anyOf?: ReadonlyArray<JsonSchema>
  readonly oneOf?: ReadonlyArray<JsonSchema>
  readonly allOf?: ReadonlyArray<JsonSchema>
}

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly schema: JsonSchema
}

interface Operation {
  readonly parameters?: ReadonlyArray<Parameter>
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>> }
}

export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components?: { readonly schemas?: Readonly<Record<string, JsonSchema>> }
}

/** As it goes on the wire. */
export interface DrawnRequest {
  readonly method: string
  /** With its query, escaped. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

/** What is worth trying wherever text is taken: ids that may be there, and what has broken parsers before. */
export interface Words {
  readonly likely: ReadonlyArray<string>
}

const nasty = [
  "",
  " ",
  "\u0000",
  "a\u0000b",
  "\uD800",
  "\uFFFD",
  "../../etc/passwd",
  "%2e%2e%2f",
  "'; drop table fleets; --",
  "{{7*7}}",
  "__proto__",
  "constructor",
  "null",
  "NaN",
  "-0",
  "1e309",
  "9007199254740993",
  "x".repeat(256),
  "x".repeat(10_000),
  "Ａ",
  "e\u0301",
  "\u202Eabc",
  "💥"
]

/** An object may have a `toString` of its own that is none. */
const inText = (value: unknown): string => (typeof value === "object" ? JSON.stringify(value) : String(value))

export const requests = (document: Document, { likely }: Words): fc.Arbitrary<DrawnRequest> => {
  const text = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...likely) },
    { weight: 1, arbitrary: fc.constantFrom(...nasty) },
    { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) }
  )
  const anything = fc.oneof(
    fc.jsonValue({ maxDepth: 4 }),
    text,
    fc.constantFrom(-1, 0, 1, 2 ** 53, -(2 ** 63), 1e308, 0.5)
  )

  const valueOf = (schema: JsonSchema, depth = 0): fc.Arbitrary<unknown> => {
    const right = rightOf(schema, depth)
    return fc.oneof({ weight: 24, arbitrary: right }, { weight: 1, arbitrary: anything })
  }
  const rightOf = (schema: JsonSchema, depth: number): fc.Arbitrary<unknown> => {
    if (schema.$ref !== undefined) return rightOf(resolved(document, schema.$ref), depth)
    if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
    const choices = schema.anyOf ?? schema.oneOf
    if (choices !== undefined) return fc.oneof(...choices.map((choice) => rightOf(choice, depth)))
    switch (schema.type) {
      case "integer":
      case "number":
        return fc.oneof(
          fc.constantFrom(0, 1, 2, 1_000, schema.minimum ?? 0, schema.maximum ?? 0),
          fc.integer({
            min: Math.max(schema.minimum ?? -10, -1_000_000),
            max: Math.min(schema.maximum ?? 1_000, 1_000_000)
          })
        )
      case "boolean":
        return fc.boolean()
      case "null":
        return fc.constant(null)
      case "string":
        return text
      case "array":
        return fc.array(depth > 4 ? anything : valueOf(schema.items ?? {}, depth + 1), { maxLength: 4 })
      case "object":
        return objectOf(schema, depth)
      default:
        return anything
    }
  }
  const objectOf = ({ properties = {}, required = [] }: JsonSchema, depth: number): fc.Arbitrary<unknown> => {
    const values = Object.fromEntries(Object.entries(properties).map(([name, of]) => [name, valueOf(of, depth + 1)]))
    const whole = fc.record(values, { requiredKeys: [...required] as never })
    return fc.oneof(
      { weight: 30, arbitrary: whole },
      { weight: 1, arbitrary: fc.record(values, { requiredKeys: [] }) },
      {
        weight: 1,
        arbitrary: fc.tuple(whole, text, anything).map(([object, key, value]) => ({ ...object, [key]: value }))
      }
    )
  }

  const one = (
    path: string,
    method: string,
    { parameters = [], requestBody }: Operation
  ): fc.Arbitrary<DrawnRequest> => {
    const of = (where: string) =>
      Object.fromEntries(
        parameters.filter((each) => each.in === where).map((each) => [each.name, valueOf(each.schema).map(inText)])
      )
    const schema = requestBody?.content["application/json"]?.schema
    return fc
      .record({
        path: fc.record(of("path")),
        query: fc.record(of("query"), { requiredKeys: [] }),
        headers: fc.record(of("header"), { requiredKeys: [] }),
        key: fc.oneof({ weight: 8, arbitrary: fc.uuid() }, { weight: 2, arbitrary: text }),
        body: schema === undefined ? fc.constant(undefined) : valueOf(schema),
        type: fc.oneof(
          { weight: 40, arbitrary: fc.constant("application/json") },
          {
            weight: 1,
            arbitrary: fc.constantFrom("text/plain", "application/x-www-form-urlencoded", "a/b; charset=utf-7")
          }
        ),
        cut: fc.oneof(
          { weight: 40, arbitrary: fc.constant(1) },
          { weight: 1, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) }
        )
      })
      .map((drawn) => {
        const query = new URLSearchParams(wellFormed(drawn.query)).toString()
        const target = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
          escaped((drawn.path as Record<string, string>)[name]!)
        )
        const whole = drawn.body === undefined ? undefined : JSON.stringify(drawn.body)
        return {
          method: method.toUpperCase(),
          target: query === "" ? target : `${target}?${query}`,
          headers: headersOf({ "idempotency-key": drawn.key, ...drawn.headers, "content-type": drawn.type }),
          body: whole?.slice(0, Math.ceil(whole.length * drawn.cut))
        }
      })
  }

  // A stream has no end that could be waited for.
  const all = Object.entries(document.paths).flatMap(([path, methods]) =>
    path.endsWith("/watch") ? [] : Object.entries(methods).map(([method, operation]) => one(path, method, operation))
  )
  return fc.oneof(...all)
}

function resolved({ components }: Document, reference: string): JsonSchema {
  const name = reference.split("/").at(-1)!
  const schema = components?.schemas?.[name]
  if (schema === undefined) throw new Error(`the document refers to ${reference}, which is not in it`)
  return schema
}

const escaped = (text: string): string => encodeURIComponent(text.toWellFormed())

const wellFormed = (texts: object): Record<string, string> =>
  Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, String(text).toWellFormed()]))

/** Only what a header can hold at all: the rest is for raw bytes. */
const headersOf = (headers: object): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, text]) =>
      /^[\t\x20-\x7e\x80-\xff]*$/.test(String(text)) ? [[name, String(text)] as const] : []
    )
  )
