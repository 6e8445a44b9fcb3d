/** Files of what is wanted: fleets and instances, one document or a list of them. Pure. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type FleetView, FleetWanted, type InstanceView, InstanceWanted, Name } from "../../../core/api/Views.ts"
import { canonicalJson } from "../../../core/json/canonicalJson.ts"
import { fieldProblems } from "../../../core/json/fieldProblems.ts"

const project = Schema.optionalKey(Name)
const FleetDocument = Schema.Struct({ kind: Schema.Literal("fleet"), project, name: Name, ...FleetWanted.fields })
const InstanceDocument = Schema.Struct({ kind: Schema.Literal("instance"), project, ...InstanceWanted.fields })
export type FleetDocument = typeof FleetDocument.Type
export type WantedDocument = FleetDocument | typeof InstanceDocument.Type

const decoders = {
  fleet: Schema.decodeUnknownResult(FleetDocument),
  instance: Schema.decodeUnknownResult(InstanceDocument)
}

/** Everything that is wanted, in the order of the file; or all that is wrong with it, a line each. */
export const parse = (text: string): Result.Result<ReadonlyArray<WantedDocument>, ReadonlyArray<string>> => {
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch (error) {
    return Result.fail([`not JSON, which manifests are written in: ${(error as Error).message.split("\n")[0]}`])
  }
  const documents = Array.isArray(content) ? content : [content]
  if (documents.length === 0) return Result.fail(["there is nothing in it"])
  const wanted: Array<WantedDocument> = []
  const problems: Array<string> = []
  const seen = new Map<string, number>()
  for (const [index, document] of documents.entries()) {
    const kind = (document as { readonly kind?: unknown } | null)?.kind
    const where = Array.isArray(content) ? [String(index)] : []
    if (kind !== "fleet" && kind !== "instance") {
      problems.push(`${[...where, "kind"].join(".")}: "fleet" or "instance"`)
      continue
    }
    const decoded: Result.Result<WantedDocument, Schema.SchemaError> = decoders[kind](document, {
      errors: "all",
      onExcessProperty: "error"
    })
    if (Result.isSuccess(decoded)) {
      const { name, project = "" } = decoded.success
      const identity = `${kind} ${project}/${name}`
      const first = seen.get(identity)
      if (first === undefined) seen.set(identity, index)
      else problems.push(`${index}: ${kind} ${name} is wanted by ${first} as well`)
      wanted.push(decoded.success)
    } else {
      for (const { message, path } of fieldProblems(decoded.failure)) {
        problems.push(`${[...where, ...path].join(".") || "document"}: ${message}`)
      }
    }
  }
  return problems.length === 0 ? Result.succeed(wanted) : Result.fail(problems)
}

/** What would change of a fleet, in words; undefined when nothing would. */
export const changeOfFleet = (
  found: Pick<FleetView, "desired" | "spec" | "pausedAt"> | undefined,
  { desired, paused, spec }: Pick<FleetDocument, "desired" | "paused" | "spec">
): string | undefined => {
  if (found === undefined) {
    return `made, ${desired} wanted of ${spec.image}, ${spec.size}${paused === true ? ", paused" : ""}`
  }
  const isPaused = found.pausedAt !== null
  const changes = [
    ...(canonicalJson(found.spec) === canonicalJson(spec)
      ? []
      : [`spec ${found.spec.image}, ${found.spec.size} to ${spec.image}, ${spec.size}`]),
    ...(found.desired === desired ? [] : [`desired ${found.desired} to ${desired}`]),
    ...(paused === undefined || paused === isPaused ? [] : [paused ? "paused" : "resumed"])
  ]
  return changes.length === 0 ? undefined : changes.join(", ")
}

/** The same of an instance by itself, which never changes. */
export const changeOfInstance = (
  found: Pick<InstanceView, "spec"> | undefined,
  { spec }: Pick<WantedDocument, "spec">
): string | undefined => {
  if (found === undefined) return `made, of ${spec.image}, ${spec.size}`
  return canonicalJson(found.spec) === canonicalJson(spec)
    ? undefined
    : `spec ${found.spec.image}, ${found.spec.size} to ${spec.image}, ${spec.size}`
}

const examples = {
  fleet: { kind: "fleet", project: "shop", name: "web", desired: 3, spec: { image: "web:1", size: "small" } },
  instance: { kind: "instance", project: "shop", name: "box", spec: { image: "box:1", size: "small" } }
} as const

/** A file of both kinds, which `parse` takes. */
export const manifestExample = `[\n${Object.values(examples)
  .map((document) => `  ${JSON.stringify(document)}`)
  .join(",\n")}\n]`

/** Of a type of the API, "fleet" or "fleet-wanted": how it is written in a file. */
export const manifestOf = (type: string): string | undefined => {
  const kind = type.replace(/-wanted$/, "")
  return kind === "fleet" || kind === "instance" ? JSON.stringify(examples[kind], null, 2) : undefined
}
