/**
 * The herd of `herd.ts` at the size of a large control plane, which takes minutes: by its file, and in no sweep.
 *
 *   npx stormglass run scenarios/herdOfTenThousand.ts --seed 1 --patience 30m
 */
import { herdOf } from "./herd.ts"

/** @public */
export default herdOf("sessions/herd-of-10000-after-a-restart", 10_000)
