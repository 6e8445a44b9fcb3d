/** The commands for API keys and the audit log. A secret is drawn here, shown once, and never sent: the control plane is told its hash. */
import crypto from "node:crypto"
import * as Audit from "../../../core/audit/Audit.ts"
import type { AuditView, KeyView } from "../../../core/api/Views.ts"
import type { Verb } from "../../../core/identity/Access.ts"
import * as ApiKey from "../../../core/identity/ApiKey.ts"
import { auditPageMax } from "../../../core/Limits.ts"
import { makeToken } from "../serve/keyStore.ts"
import { CommandError } from "../Usage.ts"
import { asking, type Remote } from "./remoteCommands.ts"
import { ageOf, table } from "./table.ts"

export interface KeyAsked {
  readonly principal: string
  readonly verbs: ReadonlyArray<Verb>
  readonly projects: ReadonlyArray<string>
  readonly expiresInSeconds: number | undefined
}

/** The key as it is shown by the API, and what lets its holder in. */
export interface Made {
  readonly key: KeyView
  readonly token: string
}

const once = () => ({ "idempotency-key": crypto.randomUUID() })

export const createKey = async (remote: Remote, { expiresInSeconds, ...asked }: KeyAsked): Promise<Made> => {
  const token = makeToken()
  const hash = ApiKey.hashOf(token.secret)
  const payload = { ...asked, hash, ...(expiresInSeconds === undefined ? {} : { expiresInSeconds }) }
  const headers = once()
  const key = await asking(remote, (client) => client.keys.put({ params: { key: token.id }, headers, payload }))
  return { key, token: ApiKey.format(token) }
}

export const rotateKey = async (remote: Remote, id: string, overlapSeconds: number): Promise<Made> => {
  const token = makeToken()
  const payload = { id: token.id, hash: ApiKey.hashOf(token.secret), overlapSeconds }
  const headers = once()
  const key = await asking(remote, (client) => client.keys.rotate({ params: { key: id }, headers, payload }))
  return { key, token: ApiKey.format(token) }
}

export const revokeKey = (remote: Remote, id: string): Promise<KeyView> => {
  const headers = once()
  return asking(remote, (client) => client.keys.revoke({ params: { key: id }, headers }))
}

export const listKeys = async (remote: Remote) => {
  const documents = await asking(remote, (client) => client.keys.list())
  const rows = documents.map((each) => [
    each.id,
    each.principal,
    each.verbs.join(","),
    each.projects.join(","),
    ageOf(each.createdAt),
    each.revokedAt !== null ? "revoked" : each.expiresAt === null ? "" : endOf(each.expiresAt)
  ])
  return { documents, text: table(["key", "principal", "verbs", "projects", "made", "ends"], rows) }
}

/** By this machine's clock. */
const endOf = (expiresAtMicros: number, nowMillis = Date.now()): string =>
  expiresAtMicros / 1_000 <= nowMillis ? "expired" : new Date(expiresAtMicros / 1_000).toISOString()

type Entry = typeof AuditView.Type

/** Every entry after this one, the oldest first, a page at a time. */
export async function* auditPages(remote: Remote, after: number): AsyncGenerator<ReadonlyArray<Entry>> {
  for (let from = after; ;) {
    const query = { after: from, limit: auditPageMax }
    const { entries } = await asking(remote, (client) => client.audit.list({ query }))
    if (entries.length > 0) yield entries
    if (entries.length < auditPageMax) return
    from = entries.at(-1)!.seq
  }
}

export const auditTail = async (remote: Remote, limit: number) => {
  const { entries } = await asking(remote, (client) => client.audit.list({ query: { limit } }))
  const rows = entries.map((each) => [
    String(each.seq),
    new Date(each.at / 1_000).toISOString(),
    each.principal,
    each.action,
    each.path,
    String(each.status),
    each.revision === null ? "" : String(each.revision)
  ])
  return { documents: entries, text: table(["seq", "at", "principal", "action", "path", "status", "revision"], rows) }
}

/** What was found, in one line. Throws `CommandError` where the chain is broken. */
export const verifyAudit = async (pages: AsyncIterable<ReadonlyArray<Entry>>, kept: string | undefined) => {
  let last: Pick<Entry, "seq" | "hash"> = Audit.origin
  let isMet = kept === undefined
  for await (const page of pages) {
    const broken = Audit.brokenAt(page, last)
    if (broken !== undefined)
      throw new CommandError(`the audit is broken at entry ${broken.seq}: it does not follow ${last.seq}`, "found")
    isMet ||= page.some(({ hash }) => hash === kept)
    last = page.at(-1)!
  }
  if (!isMet) {
    throw new CommandError(`no entry has the hash ${kept}: what it was of was changed, or this is another log`, "found")
  }
  return `${last.seq} entries, one chain; the last has the hash ${last.hash}`
}
