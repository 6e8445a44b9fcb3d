/** When to dial again, and what a failure to says: pure. */
import { redialMillisMax, redialMillisMin } from "../Limits.ts"
import * as Dial from "../ports/Dial.ts"
import type * as Socket from "effect/socket/Socket"

/**
 * Full jitter: anywhere from now until a time that grows with the failures in a row, so that whoever failed together does not come back
 * together (Brooker, "Exponential Backoff And Jitter", 2015). Who was asked to stay away for so long does, and that long besides.
 */
export const pauseMillis = (options: {
  /** In a row, at least 1: to lose a session is one. */
  readonly failures: number
  readonly retryAfterSeconds: number
  /** Of chance, from 0 to 1. */
  readonly fraction: number
}): number => {
  const longest = Math.min(redialMillisMax, redialMillisMin * 2 ** Math.min(30, options.failures - 1))
  return options.retryAfterSeconds * 1_000 + options.fraction * longest
}

/** What whoever refused asked for; 0 when nothing. */
export const retryAfterSecondsOf = (error: Socket.SocketError): number => {
  const reason = Dial.dialErrorOf(error)?.reason
  return reason?._tag === "Rejected" ? (reason.retryAfterSeconds ?? 0) : 0
}

/** Something answers there that does not upgrade, and will not: a program without sessions, or a proxy before it. */
export const cannotUpgrade = (error: Socket.SocketError): boolean => {
  const reason = Dial.dialErrorOf(error)?.reason
  return reason?._tag === "Rejected" && [200, 400, 404, 405, 426, 501].includes(reason.status)
}

export const closeCodeOf = ({ reason }: Socket.SocketError): number | undefined =>
  reason._tag === "SocketCloseError" ? reason.code : undefined
