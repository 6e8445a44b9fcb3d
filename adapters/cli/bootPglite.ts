/**
 * What a worker loads for runs on PGlite: the optional package is asked for only then.
 */
import * as Pglite from "../pglite/Pglite.ts"
import { make } from "../../sim/pglite/PgliteDatabases.ts"
import type { Databases } from "../../sim/storage/Databases.ts"

/** Takes seconds; not inside a run. */
export const boot = async (): Promise<Databases> => make(await Pglite.open())
