/** What the process that is stopped and the one that takes over have in common. */
import type { LeaseProfile } from "../../core/lease/Lease.ts"
import { leases } from "../../core/ports/Storage.ts"
import { type Table, integer, make } from "../../core/ports/Table.ts"

export const accounts = make("accounts", { columns: { id: integer, value: integer }, primaryKey: ["id"] })
export const tables: ReadonlyArray<Table<unknown>> = [accounts, leases]
export const leaseKey = "leader"
export const profile: LeaseProfile = { durationMillis: 3_000, renewDeadlineMillis: 2_000, retryPeriodMillis: 250 }
