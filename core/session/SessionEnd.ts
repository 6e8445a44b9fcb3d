/**
 * Why a session or a watch over a WebSocket is ended, as a close code and a reason in words.
 *
 * | Code | Why | Who was told so |
 * |---|---|---|
 * | 1000 | done | – |
 * | 1001 | the node stops, or a watch has lost its place | dials another, and goes on |
 * | 1002 | what came is no WebSocket frame | is broken |
 * | 1003 | binary, where text is meant | is broken |
 * | 1006 | the connection broke, or fell silent | dials another |
 * | 1007 | no UTF-8, or no JSON | is broken |
 * | 1008 | no frame of the protocol, or out of its turn | is broken |
 * | 1009 | longer than a frame may be | is broken |
 * | 1011 | the node failed | dials another |
 * | 1013 | the store does not answer this node | dials another |
 * | 4401 | the key has expired or was revoked | needs another key |
 * | 4403 | the key is not for this any more | needs another key |
 * | 4406 | a version of the protocol that the node does not speak | is upgraded, or polls |
 * | 4408 | too slow: with its first frame, or in taking what it is told | dials again |
 * | 4409 | not the present incarnation of the agent | says hello again; if that is the answer to a hello, ends: another process is the agent |
 * | 4410 | the token of a watch is not kept any more | lists again |
 *
 * Nothing of a frame that ends its session is stored.
 */
export const closeCodes = {
  goOn: 1001,
  notText: 1003,
  unreadable: 1007,
  outOfProtocol: 1008,
  tooLarge: 1009,
  tryElsewhere: 1013,
  keyEnded: 4401,
  keyForbids: 4403,
  versionUnknown: 4406,
  tooSlow: 4408,
  superseded: 4409,
  compacted: 4410
} as const

export type CloseCode = (typeof closeCodes)[keyof typeof closeCodes]

export class SessionEnd {
  readonly _tag = "SessionEnd"
  readonly code: CloseCode
  readonly reason: string
  constructor(why: keyof typeof closeCodes, reason: string) {
    this.code = closeCodes[why]
    this.reason = reason
  }
}

/** What a close frame has room for. */
const reasonBytesMax = 123

/** As much of it as a close frame holds. */
export const reasonOf = ({ reason }: SessionEnd): string => {
  const bytes = new TextEncoder().encode(reason)
  // A character that is cut in the middle is left out.
  return bytes.length <= reasonBytesMax
    ? reason
    : new TextDecoder().decode(bytes.subarray(0, reasonBytesMax)).replace(/\uFFFD+$/, "")
}
