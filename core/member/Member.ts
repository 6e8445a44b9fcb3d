/**
 * The processes of the control plane, as the store knows them: one row for each name, written by its own process only.
 *
 * - M1 An incarnation is given out by the store and never twice, so `holderOf` names one process for all time. The row is the
 *   only memory of it and therefore stays, however long its process has been silent.
 * - M2 A member is live while its row was touched within T, by the database's clock.
 * Absent on purpose: gossip and failure suspicion. A member that cannot reach the store can do no work.
 */
import * as Effect from "effect/Effect"
import { memberJoinDebounceMillis } from "../Limits.ts"
import { add, and, clockTimestamp, eq, ge, gt, isNotNull, isNull, le, or, subtract } from "../ports/Condition.ts"
import type { Storage, StorageError } from "../ports/Storage.ts"
import { type RowOf, integer, make, nullable, text, timestamp } from "../ports/Table.ts"

export const members = make("members", {
  columns: {
    id: text,
    /** Where its API is reached. */
    address: text,
    incarnation: integer,
    /** Its share of the buckets, relative to the others; of 0 it has none, and serves the API alone. */
    weight: integer,
    joinedAt: timestamp,
    seenAt: timestamp,
    leavingAt: nullable(timestamp)
  },
  primaryKey: ["id"],
  indexes: [["seenAt"]],
  checks: { weightIsNotNegative: (row) => ge(row.weight, 0) }
})
export type Member = RowOf<typeof members>

/** The name that a process holds leases under. */
export const holderOf = (member: Pick<Member, "id" | "incarnation">): string => `${member.id}/${member.incarnation}`

/** The name in it. */
export const nameOf = (holder: string): string => holder.slice(0, holder.lastIndexOf("/"))

/**
 * Those who have stayed past the join debounce, by the database's clock. That clock may be set back: whoever was seen to be settled
 * before stays so, by `before` (as `holderOf` names them), and so does who joined at a moment that has yet to come.
 */
export const settledAmong = (
  live: ReadonlyArray<Member>,
  at: { readonly nowMicros: number; readonly before: ReadonlySet<string> }
): ReadonlyArray<Member> => {
  const debounceMicros = memberJoinDebounceMillis * 1_000
  return live.filter(
    (member) => Math.abs(at.nowMicros - member.joinedAt) >= debounceMicros || at.before.has(holderOf(member))
  )
}

/**
 * Who gets buckets, among those who work on any: those who are settled; while nobody is (a cluster that has just started), everybody.
 */
export const shareholders = (live: ReadonlyArray<Member>, settled: ReadonlyArray<Member>): ReadonlyArray<Member> => {
  const sharing = settled.filter(hasShare)
  return sharing.length > 0 ? sharing : live.filter(hasShare)
}

const hasShare = ({ weight }: Member): boolean => weight > 0

/** Names a set of members with their weights; nodes that compute from equal versions compute equal assignments. */
export const versionOf = (live: ReadonlyArray<Member>): string =>
  live
    .map((member) => `${holderOf(member)}*${member.weight}`)
    .toSorted()
    .join(" ")

type Once = Storage["Service"]["once"]

export interface Joining {
  readonly id: string
  readonly address: string
  readonly weight: number
  /** T, after which a silent process of the same name is taken for dead. */
  readonly liveMillis: number
}

/** Takes the name, with the next incarnation; nothing while a live process has it at another address. */
export const join = (once: Once, joining: Joining): Effect.Effect<Member | undefined, StorageError> => {
  const { liveMillis, ...named } = joining
  return Effect.map(
    once(
      (transaction) =>
        transaction.insert(
          members,
          { ...named, incarnation: 1, joinedAt: clockTimestamp, seenAt: clockTimestamp, leavingAt: null },
          {
            onConflict: {
              target: ["id"],
              action: "update",
              set: (existing) => ({
                address: joining.address,
                incarnation: add(existing.incarnation, 1),
                weight: joining.weight,
                joinedAt: clockTimestamp,
                seenAt: clockTimestamp,
                leavingAt: null
              }),
              where: (existing) =>
                or(
                  eq(existing.address, joining.address),
                  le(existing.seenAt, subtract(clockTimestamp, liveMillis * 1_000)),
                  isNotNull(existing.leavingAt)
                )
            }
          }
        ),
      { label: "member/join" }
    ),
    (rows) => rows[0]
  )
}

/** Says "I live"; returns the own row, or nothing when another process has taken the name. */
export const beat = (
  once: Once,
  self: Pick<Member, "id" | "incarnation">
): Effect.Effect<Member | undefined, StorageError> =>
  Effect.map(
    once(
      (transaction) =>
        transaction.update(members, {
          where: (row) => and(eq(row.id, self.id), eq(row.incarnation, self.incarnation)),
          set: () => ({ seenAt: clockTimestamp })
        }),
      { label: "member/beat" }
    ),
    (rows) => rows[0]
  )

/** Those who are live and stay, ordered by name. */
export const live = (once: Once, liveMillis: number): Effect.Effect<ReadonlyArray<Member>, StorageError> =>
  once(
    (transaction) =>
      transaction.select(members, {
        where: (row) => and(gt(row.seenAt, subtract(clockTimestamp, liveMillis * 1_000)), isNull(row.leavingAt)),
        orderBy: ["id"]
      }),
    { label: "member/live" }
  )

/** Says "I go", so that others take over without waiting for silence. */
export const leave = (
  once: Once,
  self: Pick<Member, "id" | "incarnation">
): Effect.Effect<ReadonlyArray<Member>, StorageError> =>
  once(
    (transaction) =>
      transaction.update(members, {
        where: (row) => and(eq(row.id, self.id), eq(row.incarnation, self.incarnation)),
        set: () => ({ leavingAt: clockTimestamp })
      }),
    { label: "member/leave" }
  )
