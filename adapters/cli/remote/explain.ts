/** What a document of the API is made of, from the OpenAPI definitions that this program has. Pure. */
import { orNearest } from "../../../sim/nemesis/nearest.ts"
import { UsageError } from "../Usage.ts"
import { table } from "./table.ts"

/** What of JSON Schema the document uses. */
export interface Definition {
  readonly $ref?: string
  readonly type?: string
  readonly description?: string
  readonly examples?: ReadonlyArray<unknown>
  readonly enum?: ReadonlyArray<unknown>
  readonly anyOf?: ReadonlyArray<Definition>
  readonly items?: Definition
  readonly properties?: Readonly<Record<string, Definition>>
  readonly required?: ReadonlyArray<string>
}
export type Definitions = Readonly<Record<string, Definition>>

/** "dead-letter" of `DeadLetter`; refusals have names of their own. */
const typesOf = (definitions: Definitions): ReadonlyMap<string, Definition> =>
  new Map(
    Object.entries(definitions)
      .filter(([name]) => !name.endsWith("Encoded"))
      .map(([name, definition]) => [kebab(name), definition])
  )

const kebab = (name: string): string => name.replaceAll(/(?<=[a-z])[A-Z]/g, "-$&").toLowerCase()

export const typeNames = (definitions: Definitions): ReadonlyArray<string> =>
  [...typesOf(definitions).keys()].toSorted()

/** `path`: "fleet", "fleet.spec.image". Throws `UsageError` where there is nothing of that name. */
export const explain = (definitions: Definitions, path: string): string => {
  const [type = "", ...fields] = path.split(".")
  const types = typesOf(definitions)
  const root = types.get(type)
  if (root === undefined) {
    const names = typeNames(definitions)
    throw new UsageError(`explain: no type "${type}"${orNearest(type, names) || `; there are ${names.join(", ")}`}`)
  }
  let definition = root
  let at = type
  for (const field of fields) {
    const { properties } = insideOf(definitions, definition)
    const next = properties?.[field]
    if (next === undefined) {
      const names = Object.keys(properties ?? {})
      const known = names.length === 0 ? "; it has no fields" : `; it has ${names.join(", ")}`
      throw new UsageError(`explain: ${at} has no field "${field}"${orNearest(field, names) || known}`)
    }
    definition = next
    at = `${at}.${field}`
  }
  const { properties, required = [] } = insideOf(definitions, definition)
  const rows = Object.entries(properties ?? {}).map(([name, each]) => [
    `  ${name}`,
    typeOf(definitions, each),
    required.includes(name) ? "" : "may be missing",
    descriptionOf(definitions, each)
  ])
  const example = definition.examples?.[0]
  return [
    `${at}: ${typeOf(definitions, definition)}`,
    ...lineOf(descriptionOf(definitions, definition)),
    ...(example === undefined ? [] : [`  for example ${JSON.stringify(example)}`]),
    ...(rows.length === 0 ? [] : ["", table(["  field", "type", "", ""], rows)])
  ].join("\n")
}

const lineOf = (text: string): ReadonlyArray<string> => (text === "" ? [] : [`  ${text}`])

function resolved(definitions: Definitions, definition: Definition): Definition {
  const name = definition.$ref?.split("/").at(-1)
  return name === undefined ? definition : (definitions[name] ?? definition)
}

const isNull = ({ type }: Definition): boolean => type === "null"

/** Of what may be null or is a list: what is in it. */
function insideOf(definitions: Definitions, definition: Definition): Definition {
  const own = resolved(definitions, definition)
  const inner = own.anyOf?.find((each) => !isNull(each)) ?? own.items
  return inner === undefined ? own : insideOf(definitions, inner)
}

const descriptionOf = (definitions: Definitions, definition: Definition): string =>
  definition.description ?? resolved(definitions, definition).description ?? ""

function typeOf(definitions: Definitions, definition: Definition): string {
  const own = resolved(definitions, definition)
  if (own.enum !== undefined) return own.enum.length === 1 ? String(own.enum[0]) : `one of ${own.enum.join(", ")}`
  if (own.anyOf !== undefined) {
    const kinds = own.anyOf.filter((each) => !isNull(each)).map((each) => typeOf(definitions, each))
    return [...kinds, ...(own.anyOf.some(isNull) ? ["null"] : [])].join(" or ")
  }
  if (own.type === "array") return `list of ${typeOf(definitions, own.items ?? {})}`
  return own.type ?? "anything"
}
