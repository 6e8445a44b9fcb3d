/** Every migration, in order. What has run somewhere is never changed: add another one. */
import { causes } from "./causes.ts"
import { dueIndexes } from "./dueIndexes.ts"
import { events } from "./events.ts"
import { fleetDeletion } from "./fleetDeletion.ts"
import { fleetPause } from "./fleetPause.ts"
import { initial } from "./initial.ts"
import { identity } from "./identity.ts"
import type { Migration } from "./Migration.ts"
import { operations } from "./operations.ts"
import { parking } from "./parking.ts"
import { placements } from "./placements.ts"
import { quotas } from "./quotas.ts"
import { restored } from "./restored.ts"
import { roles } from "./roles.ts"
import { rowChecks } from "./rowChecks.ts"
import { tenants } from "./tenants.ts"
import { unfed } from "./unfed.ts"

export const migrations: ReadonlyArray<Migration> = [
  initial,
  placements,
  rowChecks,
  fleetDeletion,
  identity,
  dueIndexes,
  restored,
  quotas,
  fleetPause,
  unfed,
  parking,
  roles,
  tenants,
  operations,
  causes,
  events
]
