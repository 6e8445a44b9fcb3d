/**
 * A lock that expires, with a token for each holder that is higher than all before (a lease with fencing).
 *
 * - K1 It is granted where it is free, was given back, or may have expired. Refused where it is held and may not have expired.
 * - K2 What a holder does under its token is accepted as long as no later token has been granted, expired or not.
 * - K3 Where it is told who asks, the holder is granted it again whenever it likes, and nobody else does anything under its token.
 * - K4 Time is exact: from when each operation may have happened follows when the lock may have expired, over the whole order, since
 *   only the present and the expiry matter (the zones of timed automata, Alur and Dill 1994, with these two clocks). Where a history has
 *   no times, a lock with a time to live may have expired at any moment.
 */
import { type Dialect, Misspelt, requireNumber } from "../Dialect.ts"
import type { Model, Times } from "../Model.ts"
import { hashText, showValue, type Value } from "../Value.ts"

export type Input = {
  /** Who asks, where it is told. */
  readonly holder?: string
} & (
  | /** `lifetime` is in the unit of the history's times; without it the lock does not expire. */
    { readonly _tag: "Acquire"; readonly lifetime: number | undefined }
  | { readonly _tag: "Renew"; readonly token: number; readonly lifetime: number | undefined }
  | { readonly _tag: "Release"; readonly token: number }
  /** Something that is done under the lock, and refused to those who hold it no more. */
  | { readonly _tag: "Use"; readonly token: number }
)

/** Of `Acquire` the token, or false where it was refused; of the others whether it was accepted. */
export type Output = number | boolean

/** When it may be now, and when the lock may expire: bounds of each, and of the time between. */
interface Zone {
  readonly now: Bounds
  readonly expiry: Bounds
  /** From now to the expiry. */
  readonly left: Bounds
}

interface Bounds {
  readonly least: number
  readonly most: number
}

interface State {
  readonly isHeld: boolean
  /** Who was last granted it, where that was told. */
  readonly holder: string | undefined
  /** The highest that was granted; of one whose answer was lost it is only known that it is higher than `below`. */
  readonly token: number | undefined
  readonly below: number
  /** How long it was last granted or renewed for: a renewal that does not say means the same. */
  readonly lifetime: number | undefined
  readonly zone: Zone
}

const anywhere: Bounds = { least: -Infinity, most: Infinity }
const nowhere: Zone = { now: anywhere, expiry: anywhere, left: anywhere }

export const lock: Model<State, Input, Output> = {
  name: "lock",
  initial: { isHeld: false, holder: undefined, token: -Infinity, below: -Infinity, lifetime: undefined, zone: nowhere },
  step: (before, input, output, times) => {
    const zone = passed(before.zone, times)
    if (zone === undefined) return undefined
    const state = { ...before, zone }
    return input._tag === "Acquire" ? acquire(state, input, output) : act(state, input, output)
  },
  equals: (left, right) =>
    left.isHeld === right.isHeld &&
    left.holder === right.holder &&
    left.token === right.token &&
    left.below === right.below &&
    left.lifetime === right.lifetime &&
    isSame(left.zone.now, right.zone.now) &&
    isSame(left.zone.expiry, right.zone.expiry) &&
    isSame(left.zone.left, right.zone.left),
  hash: ({ below, holder, isHeld, lifetime, token, zone: { expiry, left, now } }) => {
    let hash = holder === undefined ? 0 : hashText(holder)
    hash = mixed(mixed(hash, isHeld ? 1 : 0), token ?? -1)
    hash = mixed(mixed(hash, below), lifetime ?? -1)
    hash = mixed(mixed(hash, now.least), now.most)
    hash = mixed(mixed(hash, expiry.least), expiry.most)
    return mixed(mixed(hash, left.least), left.most)
  },
  // Whatever is answered tells when it is, and so when the lock may expire.
  changesNothing: ({ _tag }, output) => _tag === "Use" && output === undefined,
  describe: (input, output) => {
    const until = "lifetime" in input && input.lifetime !== undefined ? ` for ${input.lifetime}` : ""
    const what = `${input._tag.toLowerCase()}${"token" in input ? ` ${input.token}` : ""}${until}`
    if (output === undefined) return `${what}, unanswered`
    if (typeof output === "number") return `${what} → token ${output}`
    return `${what} → ${output ? "accepted" : "refused"}`
  },
  describeState: ({ isHeld, token, zone: { expiry } }) => {
    if (!isHeld)
      return Number.isFinite(token ?? 0)
        ? `the lock is free, and was last granted with token ${token}`
        : "the lock is free"
    const known = token === undefined ? "under a token that nobody was told" : `under token ${token}`
    if (expiry.least === -Infinity) return `the lock is held ${known}`
    if (expiry.least === Infinity) return `the lock is held ${known}, without end`
    const [least, most] = [shown(expiry.least), shown(expiry.most)]
    const until = least === most ? `at ${least}` : `between ${least} and ${most}`
    return `the lock is held ${known}, to expire ${until}`
  }
}

export const dialect: Dialect<Input, Output> = {
  operations: {
    acquire:
      "how long for, in the unit of `time`, or null, or [how long for, by whom]: who holds it may have it again; the answer's is the token, and fail where it was refused",
    renew: "the token, or [token, how long for]; the answer is ok or fail",
    release: "the token; the answer is ok or fail",
    use: "the token under which something was done; the answer is ok or fail"
  },
  decode: ({ answer, answered, f, hasError, value }) => {
    if (answer === "fail" && hasError) return "nothing"
    const accepted = answer === "unknown" ? undefined : answer === "ok"
    if (f === "acquire") {
      const [asked, holder, ...more]: ReadonlyArray<Value> = Array.isArray(value) ? value : [value]
      if (more.length > 0 || (holder !== undefined && typeof holder !== "string"))
        throw new Misspelt(`its value is how long for, or [how long for, by whom], not ${showValue(value)}`)
      const lifetime = asked === null || asked === undefined ? undefined : requireNumber("its value", asked)
      const output = accepted === true ? requireNumber("the token", answered) : accepted
      const input: Input = { _tag: "Acquire", lifetime }
      return { input: holder === undefined ? input : { ...input, holder }, output }
    }
    if (f === "renew") {
      const [token, lifetime, ...more]: ReadonlyArray<Value> = Array.isArray(value) ? value : [value]
      if (more.length > 0) throw new Misspelt(`its value is [token, how long for], not ${showValue(value)}`)
      const input: Input = {
        _tag: "Renew",
        token: requireNumber("the token", token ?? null),
        lifetime: lifetime === undefined ? undefined : requireNumber("the time", lifetime)
      }
      return { input, output: accepted }
    }
    const token = requireNumber("its value", value)
    return { input: { _tag: f === "use" ? "Use" : "Release", token }, output: accepted }
  }
}

function acquire(
  state: State,
  { holder, lifetime }: Input & { readonly _tag: "Acquire" },
  output: Output | undefined
): State | undefined {
  const { isHeld, zone } = state
  const isOwn = holder !== undefined && holder === state.holder
  if (output === false || output === true) {
    const unexpired =
      isHeld && !isOwn ? tight({ ...zone, left: cut(zone.left, { least: 0, most: Infinity }) }) : undefined
    return output || unexpired === undefined ? undefined : { ...state, zone: unexpired }
  }
  const expired = isHeld && !isOwn ? tight({ ...zone, left: cut(zone.left, { least: -Infinity, most: 0 }) }) : zone
  const highest = state.token ?? state.below
  if (expired === undefined || (output !== undefined && output <= highest)) return undefined
  return { isHeld: true, holder, token: output, below: highest, lifetime, zone: until(expired, lifetime) }
}

function act(
  state: State,
  input: Exclude<Input, { readonly _tag: "Acquire" }>,
  output: Output | undefined
): State | undefined {
  const { below, isHeld, zone } = state
  const isAnothers = input.holder !== undefined && state.holder !== undefined && input.holder !== state.holder
  const isNewest = !isAnothers && (state.token === undefined ? input.token > below : input.token === state.token)
  if (output === false) {
    if (!isNewest || !isHeld) return state
    const expired = tight({ ...zone, left: cut(zone.left, { least: -Infinity, most: 0 }) })
    return expired === undefined ? undefined : { ...state, zone: expired }
  }
  if (!isNewest || (input._tag !== "Use" && !isHeld)) return undefined
  const known = { ...state, token: input.token, below: -Infinity }
  if (input._tag === "Use") return known
  if (input._tag === "Release")
    return { ...known, isHeld: false, zone: { now: zone.now, expiry: anywhere, left: anywhere } }
  const lifetime = input.lifetime ?? state.lifetime
  return { ...known, lifetime, zone: until(zone, lifetime) }
}

/** Time has gone on to some moment between the call and the answer. */
function passed({ expiry, left, now }: Zone, times: Times | undefined): Zone | undefined {
  const between = times === undefined ? anywhere : { least: times.called, most: times.returned }
  return tight({
    now: cut({ least: now.least, most: Infinity }, between),
    expiry,
    left: { least: -Infinity, most: left.most }
  })
}

/** Held from now on, for so long. */
function until({ now }: Zone, lifetime: number | undefined): Zone {
  if (lifetime === undefined)
    return { now, expiry: { least: Infinity, most: Infinity }, left: { least: Infinity, most: Infinity } }
  // Without times nothing is known of the expiry.
  if (now.least === -Infinity) return { now, expiry: anywhere, left: anywhere }
  return {
    now,
    expiry: { least: now.least + lifetime, most: now.most + lifetime },
    left: { least: lifetime, most: lifetime }
  }
}

/** What each of the bounds says about the others; `undefined` where they leave no moment. */
function tight(zone: Zone): Zone | undefined {
  const { left, now } = zone
  let { expiry } = zone
  if (expiry.least === Infinity) return isEmpty(left) || isEmpty(now) || left.most < Infinity ? undefined : zone
  expiry = cut(expiry, { least: now.least + left.least, most: now.most + left.most })
  const after = cut(now, { least: expiry.least - left.most, most: expiry.most - left.least })
  const between = cut(left, { least: expiry.least - after.most, most: expiry.most - after.least })
  return isEmpty(expiry) || isEmpty(after) || isEmpty(between) ? undefined : { now: after, expiry, left: between }
}

function cut(bounds: Bounds, { least, most }: Bounds): Bounds {
  return { least: Math.max(bounds.least, least), most: Math.min(bounds.most, most) }
}

function isEmpty({ least, most }: Bounds): boolean {
  return least > most
}

/** Sums of fractions have digits that nobody wants to read. */
function shown(time: number): number {
  return Number(time.toFixed(6))
}

function isSame(left: Bounds, right: Bounds): boolean {
  return left.least === right.least && left.most === right.most
}

function mixed(hash: number, number: number): number {
  // Beyond 32 bits the high part counts too; what is infinite has a word of its own.
  const word = Number.isFinite(number) ? number ^ ((number / 4_294_967_296) | 0) : number > 0 ? 0x2b7e1516 : 0x28aed2a6
  const low = Math.imul(hash ^ word, 0x9e3779b1)
  return low ^ (low >>> 15)
}
