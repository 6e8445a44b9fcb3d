/**
 * Every kind of fault that comes with the simulator. Scenarios add their own.
 */
import type { FaultKind } from "./FaultKind.ts"
import * as clients from "./kinds/clients.ts"
import * as clock from "./kinds/clock.ts"
import * as controlled from "./kinds/controlled.ts"
import * as network from "./kinds/network.ts"
import * as process from "./kinds/process.ts"
import * as storage from "./kinds/storage.ts"

export const faultKinds: ReadonlyArray<FaultKind> = [
  ...network.all,
  ...process.all,
  ...clock.all,
  ...storage.all,
  ...clients.all,
  ...controlled.all
]

/** The kinds of the areas or names given: "network", "process/kill". */
export const kindsOf = (...names: ReadonlyArray<string>): ReadonlyArray<FaultKind> =>
  faultKinds.filter((kind) => names.some((name) => kind.name === name || kind.name.startsWith(`${name}/`)))
