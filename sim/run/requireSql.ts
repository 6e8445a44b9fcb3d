import type { SqlServers } from "../storage/Databases.ts"
import { RequestProblem } from "./Simulation.ts"
import type { World } from "./World.ts"

/** How it is asked for, on the command line and in a test. */
export const onPglite = 'with --storage pglite, or storage: "pglite" of simTest'

/** For scenarios of programs with SQL of their own. Dies with `RequestProblem` where the world has none. */
export const requireSql = ({ databases: { sql } }: World): SqlServers => {
  if (sql === undefined) throw new RequestProblem(`its programs have SQL of their own: run it ${onPglite}`)
  return sql
}
