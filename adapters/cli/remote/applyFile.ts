/** Makes what a file wants, one document after the other, and says what changes. */
import crypto from "node:crypto"
import fs from "node:fs"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { InstanceView } from "../../../core/api/Views.ts"
import { reasonOf } from "../../../reports/saveFailure.ts"
import { UsageError, UsageErrors } from "../Usage.ts"
import { changeOfFleet, changeOfInstance, type FleetDocument, parse, type WantedDocument } from "./manifest.ts"
import { asking, get, type Remote } from "./remoteCommands.ts"

export interface Applied {
  readonly kind: WantedDocument["kind"]
  readonly project: string
  readonly name: string
  /** Null: it was so already. */
  readonly change: string | null
}

/** "-" is standard input. Throws `UsageErrors` with all that is wrong with the file. */
export const readManifest = (file: string): ReadonlyArray<WantedDocument> => {
  const name = file === "-" ? "standard input" : file
  let text: string
  try {
    text = fs.readFileSync(file === "-" ? 0 : file, "utf8")
  } catch (error) {
    throw new UsageError(`--file ${name}: cannot be read: ${reasonOf(error)}`)
  }
  const parsed = parse(text)
  if (Result.isFailure(parsed)) throw new UsageErrors(parsed.failure.map((problem) => `${name}: ${problem}`))
  return parsed.success
}

/** Tells of each as it is done. A dry run asks the control plane as well, which keeps nothing of it. */
export async function* applyAll(
  remote: Remote,
  documents: ReadonlyArray<WantedDocument>,
  isDryRun: boolean
): AsyncGenerator<Applied> {
  for (const [index, document] of documents.entries()) {
    const { kind, name, project = remote.project } = document
    const of = { ...remote, project }
    const applying =
      document.kind === "fleet" ? applyFleet(of, document, isDryRun) : applyInstance(of, document, isDryRun)
    const change = await applying.catch((error: unknown) => {
      if (!(error instanceof UsageError)) throw error
      const before = isDryRun || index === 0 ? "" : ` (${index} of ${documents.length} were applied before it)`
      throw new UsageError(`${kind} ${project}/${name}: ${error.message}${before}`)
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

async function applyInstance(
  remote: Remote,
  { name, spec }: Exclude<WantedDocument, FleetDocument>,
  isDryRun: boolean
): Promise<string | undefined> {
  const isIt = (each: InstanceView) => each.name === name && each.fleet === null && each.deletionRequestedAt === null
  const found = (await get(remote, "instances")).documents.find((each) => isIt(each as InstanceView))
  const change = changeOfInstance(found as InstanceView | undefined, { spec })
  if (change === undefined) return undefined
  const params = { project: remote.project }
  const asked = wish(isDryRun)
  await asking(remote, (client) => client.instances.create({ params, ...asked, payload: { name, spec } }))
  return change
}
