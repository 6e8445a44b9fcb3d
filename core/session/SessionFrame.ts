/**
 * What agents and nodes say to each other over a session: text messages, each a JSON frame. Pure.
 *
 * - V1 The agent says `Hello` first, and nothing else before it was answered with `Welcome`. Both name the version of the protocol.
 * - V2 `Welcome` gives the session its incarnation: what the agent said over an earlier session, and comes late, does not count.
 * - V3 The node answers each `Report` with `Work`: all that the agent is to run and to stop, the report considered. It sends more `Work` when
 *   that changes. `Work` names the last report that it considers; the agent passes over what is older than its last one, so that
 *   between what it says it sees and the answer to that it changes nothing.
 * - V4 `Beat` is not answered.
 * - V5 What a node takes in frames beyond what each node of this version does, it names in `Welcome`. An agent says no more, as a node ends the
 *   session of who says what it does not know; an agent passes over what it does not know.
 */
import * as Schema from "effect/Schema"
import { Beat as BeatPayload, Exchange, Features, HostName, PlacementView } from "../api/Views.ts"
import { sessionFrameBytesMax } from "../Limits.ts"
import { bytesOf } from "../socket/LiveSocket.ts"
import { SessionEnd } from "./SessionEnd.ts"

export const version = 1

const Hello = Schema.TaggedStruct("Hello", {
  version: Schema.Literal(version),
  /** See `core/agent/Agent.ts`. */
  host: HostName,
  /** A name that the process of the agent has made for itself. */
  process: HostName,
  /** True once this process was welcomed: it is the agent, unless another has registered since. */
  isKnown: Schema.Boolean
})
const Beat = Schema.TaggedStruct("Beat", { uids: BeatPayload.fields.uids })
const Report = Schema.TaggedStruct("Report", {
  /** Counts the reports of the session, from 1. */
  number: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
  reports: Exchange.fields.reports
})
export const AgentFrame = Schema.Union([Hello, Beat, Report])
export type AgentFrame = typeof AgentFrame.Type

const Welcome = Schema.TaggedStruct("Welcome", {
  version: Schema.Literal(version),
  incarnation: Schema.Int,
  features: Features
})
const Work = Schema.TaggedStruct("Work", {
  /** 0: none yet. */
  report: Schema.Int,
  placements: Schema.Array(PlacementView)
})
export const NodeFrame = Schema.Union([Welcome, Work])
export type NodeFrame = typeof NodeFrame.Type
export type Work = typeof Work.Type

export const encode = (frame: AgentFrame | NodeFrame): string => JSON.stringify(frame)

const readText = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Unknown))
const readAgentFrame = Schema.decodeUnknownResult(AgentFrame, { onExcessProperty: "error" })
const readNodeFrame = Schema.decodeUnknownResult(NodeFrame)

/** What an agent sent, or why its session ends. */
export const fromAgent = (message: Uint8Array | string): AgentFrame | SessionEnd => {
  const value = valueOf(message)
  if (value instanceof SessionEnd) return value
  const said = value as { readonly _tag?: unknown; readonly version?: unknown } | null
  if (said?._tag === "Hello" && said.version !== version) {
    return new SessionEnd("versionUnknown", `this node speaks version ${version} of the protocol`)
  }
  const frame = readAgentFrame(value)
  return frame._tag === "Success" ? frame.success : new SessionEnd("outOfProtocol", "this is no frame of an agent")
}

/** What a node sent, or why the session ends. What a later node says besides is passed over. */
export const fromNode = (message: Uint8Array | string): NodeFrame | SessionEnd => {
  const value = valueOf(message)
  if (value instanceof SessionEnd) return value
  const frame = readNodeFrame(value)
  return frame._tag === "Success" ? frame.success : new SessionEnd("outOfProtocol", "this is no frame of a node")
}

function valueOf(message: Uint8Array | string): unknown {
  if (typeof message !== "string") return new SessionEnd("notText", "frames are text")
  if (bytesOf(message, sessionFrameBytesMax) > sessionFrameBytesMax) {
    return new SessionEnd("tooLarge", `a frame has at most ${sessionFrameBytesMax} bytes`)
  }
  const value = readText(message)
  return value._tag === "Some" ? value.value : new SessionEnd("unreadable", "this is no JSON")
}
