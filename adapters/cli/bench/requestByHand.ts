/**
 * An idempotent request as somebody would write it in SQL who trusts his callers: the claim, then the new instance and the answer in one
 * transaction; of a key that is known, its answer. Sent through the same driver as the port's, constants but for what varies.
 */
import * as PgPool from "@effect/sql-pg/PgPool"
import * as Effect from "effect/Effect"
import { makeCodecs } from "../../postgres/Codecs.ts"
import type { ConnectionSettings } from "../../postgres/PostgresStorage.ts"

const connectionsMax = 10

export const makeRequestByHand = (connection: ConnectionSettings) =>
  Effect.map(PgPool.make({ ...connection, types: makeCodecs(), maxConnections: connectionsMax }), (pool) => ({
    create: (key: string, name: string) =>
      pool.use((session) =>
        Effect.gen(function* () {
          yield* session.query(claim, [scope, key, "f", "h"])
          yield* session.query("begin")
          yield* session.query(insert, [`${name}-hand`, name, spec])
          yield* session.query(finish, [scope, key, answer])
          yield* session.query("commit")
        })
      ),
    replay: (key: string) => pool.use((session) => session.query(look, [scope, key]))
  }))

const scope = "bench/by-hand"
const spec = '{"image":"web:1","size":"small"}'
const answer = JSON.stringify({ uid: "web-0123456789abcdef", project: "bench", state: "PENDING", spec, revision: 1 })

const claim = `insert into idempotency_keys (scope, key, fingerprint, state, holder, epoch, "claimedAt", "claimExpiresAt", "createdAt", "expiresAt")
  values ($1, $2, $3, 'executing', $4, 1, clock_timestamp(), clock_timestamp() + interval '5 s', clock_timestamp(),
    clock_timestamp() + interval '1 day')
  on conflict (scope, key) do nothing returning epoch`

const insert = `insert into instances (uid, project, name, "liveName", bucket, "bucketGroup", state, spec, revision, attempt,
    "createdAt", "updatedAt", "dueAt")
  values ($1, 'by-hand', $2, $2, 0, 0, 'PENDING', $3::jsonb, 1, 0, clock_timestamp(), clock_timestamp(), null)
  on conflict (project, "liveName") do nothing returning uid, state, revision`

const finish = `update idempotency_keys set state = 'finished', status = 202, body = $3
  where scope = $1 and key = $2 and state = 'executing' and epoch = 1 returning epoch`

const look = `select state, fingerprint, status, body from idempotency_keys where scope = $1 and key = $2`
