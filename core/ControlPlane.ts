/**
 * Everything that one node of the control plane runs, composed once. It needs only ports.
 *
 * The order is that of the layers: the node joins, and thereby reads the store, before it may hold a lease; it holds a
 * lease before it works; and nothing that it works on comes from anywhere but the store.
 */
import * as Effect from "effect/Effect"
import type * as Etag from "effect/http/Etag"
import type * as HttpPlatform from "effect/http/HttpPlatform"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServer from "effect/http/HttpServer"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as Path from "effect/Path"
import { assert } from "./assert.ts"
import * as ElsewhereRoutes from "./api/ElsewhereRoutes.ts"
import * as HealthRoutes from "./api/HealthRoutes.ts"
import * as Routes from "./api/Routes.ts"
import * as ServedRoutes from "./api/ServedRoutes.ts"
import * as SessionRoutes from "./api/SessionRoutes.ts"
import * as WatchRoutes from "./api/WatchRoutes.ts"
import * as BucketOwner from "./bucket/BucketOwner.ts"
import * as StaticPlace from "./bucket/StaticPlace.ts"
import * as BucketWork from "./BucketWork.ts"
import { events } from "./event/Event.ts"
import { Label } from "./facts/Label.ts"
import { fleets, fleetStatuses } from "./fleet/Fleet.ts"
import { agents } from "./heartbeat/Heartbeat.ts"
import { idempotencyKeys } from "./idempotency/IdempotencyKey.ts"
import * as KeyRetention from "./idempotency/KeyRetention.ts"
import * as RecentKeys from "./idempotency/RecentKeys.ts"
import { instances } from "./instance/Instance.ts"
import { auditLog, auditPending } from "./audit/Audit.ts"
import { apiKeys } from "./identity/ApiKey.ts"
import type { Gate } from "./identity/Gate.ts"
import { rateLimits } from "./identity/RateLimit.ts"
import * as Leader from "./Leader.ts"
import * as Metrics from "./Metrics.ts"
import { attemptTimeoutMillis, type LeaseProfile, renewIntervalMillis } from "./lease/Lease.ts"
import * as LeaseKeeper from "./lease/LeaseKeeper.ts"
import { idempotencyRetentionMillis, reconcileBackoffMillisMax } from "./Limits.ts"
import { holderOf, members } from "./member/Member.ts"
import * as Membership from "./member/Membership.ts"
import { essential } from "./node/essential.ts"
import { type Role, roles } from "./node/Role.ts"
import { placements } from "./placement/Placement.ts"
import type { Feed, Hints } from "./ports/Feed.ts"
import type { NodeExit } from "./ports/NodeExit.ts"
import type { Provider } from "./ports/Provider.ts"
import { leases, type Storage } from "./ports/Storage.ts"
import type { Topic } from "./ports/Topic.ts"
import * as Parking from "./reconcile/Parking.ts"
import { quotas } from "./quota/Quota.ts"
import * as Admission from "./session/Admission.ts"
import * as AgentSessions from "./session/AgentSessions.ts"
import * as Watch from "./watch/Watch.ts"

/** Every table that the control plane keeps. */
export const tables = [
  leases,
  members,
  agents,
  fleets,
  fleetStatuses,
  instances,
  placements,
  events,
  quotas,
  idempotencyKeys,
  apiKeys,
  rateLimits,
  auditPending,
  auditLog
] as const

export interface ControlPlaneConfig {
  /** The name of the node; no two live processes may have the same. */
  readonly id: string
  /** Where others reach its API. */
  readonly address: string
  /** Its share of the buckets, relative to the other nodes; positive. */
  readonly weight: number
  /** What it does. Default: everything. */
  readonly roles?: ReadonlyArray<Role>
  readonly profile: LeaseProfile
  /** Owns the groups of this index, and no others, whoever else is there: for development. Default: its share among the members. */
  readonly staticPlace?: StaticPlace.StaticPlace
  /** The longest pause after repeated failures of one resource. Default 1000 s. */
  readonly backoffMillisMax?: number
  /** How often in a row work on a resource may fail before it is parked; at least 1. Default 8. */
  readonly failuresMax?: number
  /** For how long an idempotency key is remembered, in ms; the same on every node. Default 24 h. */
  readonly keyRetentionMillis?: number
  /**
   * Of commits of anybody, so that a lease that was released is taken, what is due is worked on and what has changed is counted at once.
   * Default: none, and all of that is found by looks at intervals.
   */
  readonly hints?: (topic: Topic) => Hints
  /** Limits of those who watch. Default: those of `core/Limits.ts`. */
  readonly watch?: Watch.WatchOptions
  /** How many sessions and streams may begin, and be. Default: those of `core/Limits.ts`. */
  readonly admission?: Admission.AdmissionLimits
  /** True from the moment that the process was asked to stop: it is not ready any more. Default: never. */
  readonly isStopping?: () => boolean
  /** What this process serves beside the API: metrics, documentation. */
  readonly routes?: Layer.Layer<never, never, HttpRouter.HttpRouter | Gate>
}

type Serving = HttpServer.HttpServer | HttpPlatform.HttpPlatform | Etag.Generator | FileSystem.FileSystem | Path.Path

/** The node: joins, serves the API, and works on what it owns, as far as these are its roles. */
export const layer = (
  config: ControlPlaneConfig
): Layer.Layer<never, never, Storage | Feed | Provider | NodeExit | Gate | Serving> =>
  Layer.merge(
    has(config, "worker") ? work(config) : beats(config),
    has(config, "api") ? api(config) : health(config)
  ).pipe(Layer.provide([membership(config), keyRetention(config), Metrics.ofNode(config.id)]))

const has = ({ roles: own = roles }: ControlPlaneConfig, role: Role): boolean => own.includes(role)

/** A node that works on nothing is a member all the same: others see it, and nobody else has its name. */
const beats = ({ profile }: ControlPlaneConfig) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { beat } = yield* Membership.Membership
      const round = beat.pipe(
        Effect.timeoutOption(`${attemptTimeoutMillis(profile)} millis`),
        Effect.catchTag("StorageError", (error) => Effect.logDebug(error.message)),
        Effect.andThen(Effect.sleep(`${renewIntervalMillis(profile)} millis`))
      )
      yield* Effect.forkScoped(essential("member/beat", Effect.forever(round)))
    })
  )

const served = <R>(routes: Layer.Layer<never, never, R>) =>
  HttpRouter.serve(ServedRoutes.layer(routes), { disableLogger: true, disableListenLog: true })

/** What a supervisor asks of every node; whoever asks for more is told that it is not to be had here. */
const health = ({ id, isStopping = () => false, roles: own = roles, routes = Layer.empty }: ControlPlaneConfig) =>
  served(Layer.mergeAll(HealthRoutes.layer({ isStopping }), ElsewhereRoutes.layer({ id, roles: own }), routes)).pipe(
    Layer.provide(Layer.succeed(Label, "api"))
  )

const api = ({ admission, isStopping = () => false, routes = Layer.empty, watch }: ControlPlaneConfig) =>
  streamsEndFirst.pipe(
    Layer.provide(
      served(
        Layer.mergeAll(Routes.layer, HealthRoutes.layer({ isStopping }), WatchRoutes.layer, SessionRoutes.layer, routes)
      )
    ),
    Layer.provide(AgentSessions.layer),
    Layer.provide([Watch.layer(watch), Admission.layer(admission), Layer.succeed(Label, "api")])
  )

/** A server that stops waits for the requests under way, and a stream has no end of its own. */
const streamsEndFirst = Layer.effectDiscard(Effect.flatMap(Watch.Watch, ({ stop }) => Effect.addFinalizer(() => stop)))

/** Dies when it is unsound. */
function keyRetention({ keyRetentionMillis = idempotencyRetentionMillis }: ControlPlaneConfig): Layer.Layer<never> {
  const problem = KeyRetention.problem(keyRetentionMillis)
  assert(problem === undefined, `idempotency: ${problem}`)
  return Layer.merge(
    Layer.succeed(KeyRetention.KeyRetention, keyRetentionMillis),
    Layer.sync(RecentKeys.RecentKeys, () => RecentKeys.make())
  )
}

function membership(config: ControlPlaneConfig): Layer.Layer<Membership.Membership, never, Storage | NodeExit> {
  const { id, address, profile } = config
  const weight = has(config, "worker") ? config.weight : 0
  return Membership.layer({ id, address, weight, liveMillis: profile.durationMillis })
}

function work(
  config: ControlPlaneConfig
): Layer.Layer<never, never, Storage | Provider | NodeExit | Membership.Membership> {
  const keeper = Layer.unwrap(
    Effect.map(Membership.Membership, ({ self }) =>
      LeaseKeeper.layer({ holder: holderOf(self), profile: config.profile, hints: config.hints?.("released") })
    )
  )
  const { staticPlace } = config
  const misplaced = staticPlace === undefined ? undefined : StaticPlace.problem(staticPlace)
  assert(misplaced === undefined, `static place: ${misplaced}`)
  const loops = Effect.gen(function* () {
    const { whileHeld } = yield* LeaseKeeper.LeaseKeeper
    const { backoffMillisMax = reconcileBackoffMillisMax, failuresMax = Parking.policyDefault.failuresMax } = config
    const restartMillisMax = Math.min(backoffMillisMax, Parking.policyDefault.restartMillisMax)
    const policy = { failuresMax, restartMillisMax }
    const buckets = yield* BucketWork.make({ backoffMillisMax, policy, hints: config.hints?.("due") })
    const leads = Leader.work({ hints: config.hints?.("moved") })
    // What begins last is stopped first: the leader's lease waits for no group that is still being drained.
    yield* Effect.forkScoped(essential("buckets/own", BucketOwner.run(buckets.serve)))
    yield* Effect.forkScoped(essential("leader", whileHeld(Leader.lease, leads)))
  })
  return Layer.effectDiscard(loops).pipe(Layer.provide([keeper, Layer.succeed(StaticPlace.Configured, staticPlace)]))
}
