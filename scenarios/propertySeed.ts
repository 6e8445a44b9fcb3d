/**
 * Property tests draw the same cases on every run, so that a red build is red for its change; `STORMGLASS_SEED` draws others,
 * and `STORMGLASS_SEED=random` new ones each time.
 */
import * as fc from "fast-check"

const seed = process.env["STORMGLASS_SEED"] ?? "1"
if (seed !== "random") fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(seed) })
