/**
 * One watch stream as its reader sees it: whether it lives, how old what it told is, and when to try again. Pure; the reader's clock is an
 * argument.
 *
 * A stream that is silent for `silentMillis` is lost, as a live one says something every few seconds. The first try after a stream that
 * lived is at once; then pauses double, with a part that is drawn, up to `pauseMillisMax`.
 */

/** The control plane sends a bookmark every 5 s; see `core/Limits.ts`. */
export const silentMillis = 15_000
/** A bookmark is missing. */
export const lateMillis = 8_000
export const pauseMillisMin = 500
export const pauseMillisMax = 10_000
/** As late as a node may ask for. */
export const retryAfterMillisMax = 60_000

export interface Connection {
  readonly phase:
    | { readonly _tag: "Opening"; readonly sinceMillis: number }
    | { readonly _tag: "Live"; readonly sinceMillis: number }
    /** Until the next try. */
    | { readonly _tag: "Waiting"; readonly untilMillis: number; readonly why: string }
    /** Nobody looks. */
    | { readonly _tag: "Resting" }
    /** A key is asked for. */
    | { readonly _tag: "SignedOut"; readonly why: string }
    /** Asking again would not help. */
    | { readonly _tag: "Refused"; readonly why: string }
  /** When it told anything last; undefined: never. */
  readonly heardMillis: number | undefined
  /** Tries in a row that told nothing. */
  readonly failures: number
}

export type Happening =
  | { readonly _tag: "Opened" }
  | { readonly _tag: "Heard" }
  /** The status of an answer that is no stream, what it says, and when it wants to be asked again, if it says so. */
  | { readonly _tag: "Answered"; readonly status: number; readonly why: string; readonly retryAfterMillis?: number }
  | { readonly _tag: "Lost"; readonly why: string }
  | { readonly _tag: "Hidden" }
  /** It is looked at again, a key was given, or the reader wants it now. */
  | { readonly _tag: "Wanted" }

export const begin = (nowMillis: number): Connection => ({
  phase: { _tag: "Opening", sinceMillis: nowMillis },
  heardMillis: undefined,
  failures: 0
})

/** `fraction` in [0, 1) is drawn. */
export const next = (connection: Connection, happening: Happening, nowMillis: number, fraction: number): Connection => {
  const { failures } = connection
  switch (happening._tag) {
    case "Opened":
      return { ...connection, phase: { _tag: "Live", sinceMillis: nowMillis } }
    case "Heard":
      return { phase: { _tag: "Live", sinceMillis: nowMillis }, heardMillis: nowMillis, failures: 0 }
    case "Hidden":
      return { ...connection, phase: { _tag: "Resting" } }
    case "Wanted":
      return { ...connection, phase: { _tag: "Opening", sinceMillis: nowMillis }, failures: 0 }
    case "Answered":
      if (happening.status === 401) return { ...connection, phase: { _tag: "SignedOut", why: happening.why } }
      // 408 and 429 pass; 410 is over with the token, which the caller gives up.
      if (happening.status >= 400 && happening.status < 500 && ![408, 410, 429].includes(happening.status)) {
        return { ...connection, phase: { _tag: "Refused", why: happening.why } }
      }
      return waiting(
        connection,
        happening.why,
        nowMillis +
          Math.max(pauseMillis(failures, fraction), Math.min(retryAfterMillisMax, happening.retryAfterMillis ?? 0))
      )
    case "Lost":
      return waiting(connection, happening.why, nowMillis + pauseMillis(failures, fraction))
  }
}

function waiting(connection: Connection, why: string, untilMillis: number): Connection {
  return { ...connection, phase: { _tag: "Waiting", untilMillis, why }, failures: connection.failures + 1 }
}

/** 0 after a stream that told something. */
export const pauseMillis = (failures: number, fraction: number): number =>
  failures === 0 ? 0 : (0.5 + fraction / 2) * Math.min(pauseMillisMax, pauseMillisMin * 2 ** Math.min(failures, 10))

/** Also while it is opened: who does not answer is silent. */
export const isSilent = ({ phase }: Connection, nowMillis: number): boolean =>
  (phase._tag === "Opening" || phase._tag === "Live") && nowMillis - phase.sinceMillis > silentMillis

export interface Health {
  readonly level: "live" | "waiting" | "lost" | "resting" | "refused"
  readonly text: string
  /** For how long nothing was heard; undefined: nothing yet. */
  readonly ageMillis: number | undefined
}

/** For people: of several streams the one that is worst. */
export const healthOf = (connections: ReadonlyArray<Connection>, nowMillis: number): Health => {
  const each = connections.map((connection) => health(connection, nowMillis))
  const worst = order.map((level) => each.find((one) => one.level === level)).find((one) => one !== undefined)
  const ages = each.flatMap(({ ageMillis }) => ageMillis ?? [])
  const oldest = ages.length < each.length ? undefined : Math.max(...ages)
  return { ...(worst ?? { level: "waiting", text: "connecting" }), ageMillis: oldest }
}

const order = ["lost", "waiting", "resting", "live", "refused"] as const

function health(connection: Connection, nowMillis: number): Health {
  const { failures, heardMillis, phase } = connection
  const ageMillis = heardMillis === undefined ? undefined : Math.max(0, nowMillis - heardMillis)
  const isOld = ageMillis !== undefined && ageMillis > silentMillis
  switch (phase._tag) {
    case "Live":
      return (ageMillis ?? 0) > lateMillis
        ? { level: "waiting", text: "silent", ageMillis }
        : { level: "live", text: "live", ageMillis }
    case "Opening":
      // The first try after a loss is at once, and mostly all that there is to see of it.
      return failures > 1 || isOld
        ? { level: "lost", text: "stream lost, asking again", ageMillis }
        : { level: "waiting", text: "connecting", ageMillis }
    case "Waiting": {
      const seconds = Math.max(0, Math.ceil((phase.untilMillis - nowMillis) / 1_000))
      return failures > 1 || isOld
        ? { level: "lost", text: `stream lost (${phase.why}), next try in ${seconds} s`, ageMillis }
        : { level: "waiting", text: "connecting", ageMillis }
    }
    case "Resting":
      return { level: "resting", text: "paused while hidden", ageMillis }
    case "SignedOut":
      return { level: "refused", text: "signed out", ageMillis }
    case "Refused":
      // Why is said where that would be which it refuses.
      return { level: "refused", text: "refused", ageMillis }
  }
}
