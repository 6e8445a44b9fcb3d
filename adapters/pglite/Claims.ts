/**
 * Which one of several processes gets something, decided by files alone: each writes a claim of its own, looks for the
 * others', and takes what it claims, waits, or withdraws.
 *
 * - K1 Two never hold at once. Whoever takes has written its claim before it looked and has found no living other; of any two,
 *   the one that wrote later finds the earlier's claim. A claim is removed by its owner, or by others once that is dead.
 * - K2 Of those that begin together one gets it: the first by name waits for the others, and they withdraw for it.
 * - K3 A claim names one process and one attempt for ever: by process id, when the process began, and a token. A process id
 *   used again is not mistaken for the one before, and who buries a claim never removes another's.
 * Absent: who is alive. That is for `Processes.ts`.
 */

export interface Claim {
  readonly pid: number
  /** When the process began, equal for equal processes only; "" where that cannot be learned. */
  readonly began: string
  /** Lower-case letters and digits, another one each time. */
  readonly token: string
}

/** A claim of another, and whether its process still lives. */
export interface Seen {
  readonly claim: Claim
  readonly isAlive: boolean
}

export type Decision =
  /** It is ours; these claims are nobody's any more. */
  | { readonly _tag: "Take"; readonly bury: ReadonlyArray<Claim> }
  /** Look again soon: those that are there will withdraw, or one of them holds it. */
  | { readonly _tag: "Wait"; readonly for: Claim }
  | { readonly _tag: "Withdraw"; readonly for: Claim }

/** What to do when, with one's own claim written, these others are there. */
export const decide = (own: Claim, others: ReadonlyArray<Seen>): Decision => {
  const living = others.filter(({ isAlive }) => isAlive).map(({ claim }) => claim)
  const earlier = living.find((claim) => nameOf(claim) < nameOf(own))
  if (earlier !== undefined) return { _tag: "Withdraw", for: earlier }
  const [later] = living
  if (later !== undefined) return { _tag: "Wait", for: later }
  return { _tag: "Take", bury: others.map(({ claim }) => claim) }
}

/** As part of a file's name. */
export const nameOf = ({ began, pid, token }: Claim): string => `${pid}.${encodeURIComponent(began)}.${token}`

/** Undefined for what is no claim. */
export const parse = (name: string): Claim | undefined => {
  const [, pid, began = "", token = ""] = /^(\d+)\.([^.]*)\.([0-9a-z]+)$/.exec(name) ?? []
  if (pid === undefined) return undefined
  try {
    return { pid: Number(pid), began: decodeURIComponent(began), token }
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}
