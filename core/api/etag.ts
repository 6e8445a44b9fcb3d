/**
 * Entity tags (RFC 9110, 8.8.3) of the documents that the API shows: "<version>.<counters>".
 *
 * The version is what people change: of a fleet which one it is and its generation, of an instance its revision. The counters are what the
 * control plane tells besides. Whoever asks whether a document has changed (If-None-Match) asks for all of it; whoever changes something
 * on condition (If-Match) means the version, as a count that comes in between is no reason to refuse.
 */
import { fnv1a32 } from "../hash/fnv1a32.ts"
import { canonicalJson } from "../json/canonicalJson.ts"
import type { FleetView, InstanceView } from "./Views.ts"

export const ofFleet = ({ createdAt, failures, generation, parkedAt, status }: FleetView): string =>
  tagOf(`${createdAt.toString(36)}-${generation}`, [status, failures, parkedAt])

export const ofInstance = ({ failures, lastHeartbeatAt, revision }: InstanceView): string =>
  tagOf(`${revision}`, [lastHeartbeatAt, failures])

const tagOf = (version: string, counters: unknown): string =>
  `"${version}.${fnv1a32(canonicalJson(counters)).toString(36)}"`

/** What stands in If-Match or If-None-Match; undefined when it is no list of tags. */
export const parse = (header: string): ReadonlyArray<string> | "*" | undefined => {
  const text = header.trim()
  if (text === "*") return "*"
  const tags = text.split(",").map((tag) => tag.trim())
  return tags.every((tag) => /^(W\/)?"[\x21\x23-\x7e]*"$/.test(tag)) ? tags : undefined
}

/** If-None-Match: the document is one of those that the caller has. Weak tags count. */
export const isKnown = (asked: ReadonlyArray<string> | "*", tag: string): boolean =>
  asked === "*" || asked.some((each) => each.replace(/^W\//, "") === tag)

/** If-Match: what is there, if anything, has one of the versions that the caller has seen. Weak tags never do. */
export const holds = (asked: ReadonlyArray<string> | "*", tag: string | undefined): boolean => {
  if (tag === undefined) return false
  return asked === "*" || asked.some((each) => versionOf(each) === versionOf(tag))
}

const versionOf = (tag: string): string => tag.slice(0, tag.lastIndexOf("."))
