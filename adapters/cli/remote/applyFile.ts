/** Makes what a file wants, one document after the other, and says what changes. */
import crypto from "node:crypto"
import fs from "node:fs"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { InstanceView } from "../../../core/api/Views.ts"
import { reasonOf } from "../../../reports/saveFailure.ts"
import { CommandError, UsageError } from "../Usage.ts"
import { changeOfFleet, changeOfInstance, type FleetDocument, parse, type WantedDocument } from "./manifest.ts"
import { asking, get, type Remote } from "./remoteCommands.ts"

export interface Applied {
  readonly kind: WantedDocument["kind"]
  readonly project: string
  readonly name: string
  /** Null: it was so already. */
  readonly change: string | null
}

/** "-" is standard input. Throws `UsageError` with all that is wrong with the file. */
export const readManifest = (file: string): ReadonlyArray<WantedDocument> => {
  const name = file === "-" ? "standard input" : file
  let text: string
  try {
    text = fs.readFileSync(file === "-" ? 0 : file, "utf8")
  } catch (error) {
    throw new UsageError(`--file ${name}: cannot be read: ${reasonOf(error)}`)
  }
  const parsed = parse(text)
  if (Result.isFailure(parsed)) throw new UsageError(parsed.failure.map((problem) => `${name}: ${problem}`))
  return parsed.success
}

/** Tells of each as it is done. A dry run asks the control plane as well, which keeps nothing of it. */
export async function* applyAll(
  remote: Remote,
  documents: ReadonlyArray<WantedDocument>,
  isDryRun: boolean
): AsyncGenerator<Applied> {
  const standalone = new Map<string, Promise<ReadonlyArray<InstanceView>>>()
  /** Read once for all documents of a project: no two of them are of one instance. */
  const standaloneOf = (of: Remote) => {
    const known = standalone.get(of.project) ?? standaloneInstances(of)
    standalone.set(of.project, known)
    return known
  }
  for (const [index, document] of documents.entries()) {
    const { kind, name, project = remote.project } = document
    const of = { ...remote, project }
    const applying =
      document.kind === "fleet"
        ? applyFleet(of, document, isDryRun)
        : standaloneOf(of).then((instances) => applyInstance(of, document, { instances, isDryRun }))
    const change = await applying.catch((error: unknown) => {
      if (!(error instanceof CommandError)) throw error
      const before = isDryRun || index === 0 ? "" : ` (${index} of ${documents.length} were applied before it)`
      throw new CommandError(
        error.problems.map((problem) =>
          problem.startsWith(`${kind} ${project}/${name} `)
            ? `${problem}${before}`
            : `${kind} ${project}/${name}: ${problem}${before}`
        ),
        error.ending
      )
    })
    yield { kind, project, name, change: change ?? null }
  }
}

const wish = (isDryRun: boolean) => ({
  query: isDryRun ? ({ dryRun: "true" } as const) : {},
  headers: { "idempotency-key": crypto.randomUUID() }
})

async function applyFleet(remote: Remote, document: FleetDocument, isDryRun: boolean): Promise<string | undefined> {
  const { desired, name, paused, spec } = document
  const params = { project: remote.project, name }
  const found = await asking(remote, (client) =>
    client.fleets.get({ params, query: {} }).pipe(Effect.catchTag("NotFound", () => Effect.succeed(undefined)))
  )
  const change = changeOfFleet(found, document)
  if (change === undefined) return undefined
  const payload = { desired, spec, ...(paused === undefined ? {} : { paused }) }
  const asked = wish(isDryRun)
  await asking(remote, (client) => client.fleets.put({ params, ...asked, payload }))
  return change
}

async function standaloneInstances(remote: Remote): Promise<ReadonlyArray<InstanceView>> {
  const { documents } = await get(remote, "instances")
  return (documents as ReadonlyArray<InstanceView>).filter(
    ({ deletionRequestedAt, fleet }) => fleet === null && deletionRequestedAt === null
  )
}

async function applyInstance(
  remote: Remote,
  { name, spec }: Exclude<WantedDocument, FleetDocument>,
  { instances, isDryRun }: { readonly instances: ReadonlyArray<InstanceView>; readonly isDryRun: boolean }
): Promise<string | undefined> {
  const change = changeOfInstance(
    instances.find((each) => each.name === name),
    { spec }
  )
  if (change === undefined) return undefined
  const params = { project: remote.project }
  const asked = wish(isDryRun)
  await asking(remote, (client) => client.instances.create({ params, ...asked, payload: { name, spec } }))
  return change
}
