/**
 * The server for programs that bring SQL of their own: what is in it before the story begins, and what queries of the scenario see of
 * each commit. Between two transactions of the one session nobody is in the middle of anything.
 */
import { textsOf } from "../../adapters/pglite/Backend.ts"
import { RequestProblem } from "../run/Simulation.ts"
import type { SqlSetting } from "../storage/Databases.ts"
import type { Observed, Row } from "../storage/Observed.ts"
import { type DatabaseWorld, defaultOptions } from "../storage/SimDatabase.ts"
import type { Instance } from "./Instance.ts"
import { noSessionLocks, PgliteServer } from "./PgliteServer.ts"
import * as Wire from "./Wire.ts"

/** Dies with `RequestProblem` when the schema is refused, or a query on it. */
export const make = (
  instance: Instance,
  world: DatabaseWorld,
  { observe = {}, schema = "" }: SqlSetting
): PgliteServer => {
  const queries = Object.entries(observe)
  const answers = new Map<string, string>()
  const look = () => {
    for (const [of, query] of queries) {
      const answer = server.ask(asJson(query), `the query ${of}`).find(({ type }) => type === "D")!
      const [json] = textsOf(answer) as [string]
      if (answers.get(of) === json) continue
      answers.set(of, json)
      const { facts } = world.network.kernel
      const rows = JSON.parse(json) as ReadonlyArray<Row>
      facts.cause = facts.tell<Observed>(server.startedNode, { _tag: "Observed", of, rows })
    }
  }
  const server: PgliteServer = new PgliteServer(
    instance,
    world,
    defaultOptions,
    queries.length === 0 ? undefined : { committed: look }
  )
  instance.clear()
  const locking = Wire.sessionLockOf(schema)
  if (locking !== undefined) throw new RequestProblem(`the schema has ${locking}: ${noSessionLocks}`)
  try {
    server.ask(schema, "the schema")
    look()
  } catch (error) {
    throw new RequestProblem((error as Error).message)
  }
  return server
}

const asJson = (query: string): string => `select coalesce(json_agg(answer), '[]') from (${query}) as answer`
