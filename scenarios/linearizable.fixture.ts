/** Every scenario with nothing but one of the rules about histories to judge it: "leases-linearizable of everything". */
import { leasesLinearizable } from "../core/invariants/leasesLinearizable.ts"
import * as Scenarios from "./catalogue.ts"
import { fleetsLinearizable } from "./fleetsLinearizable.ts"
import { keysLinearizable } from "./keysLinearizable.ts"

const rules = [leasesLinearizable, keysLinearizable, fleetsLinearizable]

/** Loaded by workers, by its address. @public */
export const catalogue: ReadonlyArray<Scenarios.Entry> = rules.flatMap((rule) =>
  Scenarios.catalogue.map((entry) => ({
    name: `${rule.name} of ${entry.name}`,
    load: async () => ({ ...(await entry.load()), invariants: [rule] })
  }))
)
