/**
 * The kinds of fault that come with the simulator. Scenarios add their own.
 */
import type { FaultKind } from "./FaultKind.ts"
import * as clients from "./kinds/clients.ts"
import * as clock from "./kinds/clock.ts"
import * as controlled from "./kinds/controlled.ts"
import * as disk from "./kinds/disk.ts"
import * as network from "./kinds/network.ts"
import * as process from "./kinds/process.ts"
import * as storage from "./kinds/storage.ts"

/** What can strike any cluster with a database: the swarm of `everything` draws from these. */
export const commonKinds: ReadonlyArray<FaultKind> = [
  ...network.all,
  ...process.all,
  ...clock.all,
  ...storage.all,
  ...clients.all,
  ...controlled.all
]

/** Besides, what only some worlds can suffer: those with disks, with followers of the change feed, or that can do without their last commits. */
export const faultKinds: ReadonlyArray<FaultKind> = [
  ...commonKinds,
  storage.failover,
  storage.lostNotification,
  ...disk.all
]

/** The kinds of the areas or names given: "network", "process/kill". */
export const kindsOf = (...names: ReadonlyArray<string>): ReadonlyArray<FaultKind> =>
  faultKinds.filter((kind) => names.some((name) => kind.name === name || kind.name.startsWith(`${name}/`)))
