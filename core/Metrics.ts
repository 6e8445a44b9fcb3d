/**
 * Every metric of a node, with Effect's `Metric`; an exporter reads them from the registry. `docs/control-plane.md` lists them.
 *
 * Each series carries the attribute `node`, and the simulator gives each process a registry of its own, so that two nodes
 * in one process never add up. Nothing is decided by a metric.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"

const counter = (name: string, description: string) => Metric.counter(name, { description, incremental: true })

/** From a millisecond to half a minute. */
const seconds = (name: string, description: string) =>
  Metric.histogram(name, {
    description,
    boundaries: Metric.exponentialBoundaries({ start: 0.001, factor: 2, count: 16 })
  })

/** One series for each value of an attribute. */
const each = <Input, State, Key extends string>(
  metric: Metric.Metric<Input, State>,
  attribute: string,
  values: ReadonlyArray<Key>
): Readonly<Record<Key, Metric.Metric<Input, State>>> =>
  Object.fromEntries(values.map((value) => [value, Metric.withAttributes(metric, { [attribute]: value })])) as never

export const leasesHeld = Metric.gauge("stormglass_leases_held", { description: "Leases that the node holds" })
export const leaseAcquisitions = counter("stormglass_lease_acquisitions_total", "Leases that were granted to the node")
export const leaseRenewals = each(
  counter("stormglass_lease_renewals_total", "Leases in renewals, by what became of them"),
  "outcome",
  ["kept", "lost"]
)
export const leaseRenewalsUnanswered = counter(
  "stormglass_lease_renewals_unanswered_total",
  "Renewals (of all leases at once) that failed or were not answered in time"
)
export const leaseRenewalSeconds = seconds("stormglass_lease_renewal_seconds", "From a renewal to its answer")
export const leasesLost = each(
  counter("stormglass_leases_lost_total", "Leases given up unwillingly: to another, or because the deadline came"),
  "cause",
  ["another", "deadline"]
)
export const leaseOverruns = counter(
  "stormglass_lease_overruns_total",
  "Times that work outlived its lease and ended the node"
)
export const writesFenced = counter(
  "stormglass_writes_fenced_total",
  "Transactions and statements that were refused, as the lease under which they were to write is another's by now"
)
export const leaderEpoch = Metric.gauge("stormglass_leader_epoch", {
  description: "The epoch under which the node leads; 0 while it does not"
})

export const queueDepth = Metric.gauge("stormglass_reconcile_queue_depth", {
  description: "Keys that wait for their turn, their backoff included"
})
export const queueWaitSeconds = seconds("stormglass_reconcile_queue_wait_seconds", "From a key's time to its turn")
export const reconciles = each(counter("stormglass_reconciles_total", "Looks at one key, by outcome"), "outcome", [
  "Done",
  "Again",
  "Failed",
  "late",
  "panicked"
])
export const reconcileSeconds = seconds("stormglass_reconcile_seconds", "How long a look at one key took")
export const reconcileWorkers = Metric.gauge("stormglass_reconcile_active_workers", {
  description: "Keys that are being looked at"
})

const parkedGauge = Metric.gauge("stormglass_parked", {
  description:
    "Fleets and instances that nobody works on any more, as they failed too often; as the leader last counted"
})
export const parked = each(parkedGauge, "kind", ["fleet", "instance"])

const fleetInstances = Metric.gauge("stormglass_fleet_instances", {
  description: "Instances of a fleet as the leader last counted them, by state; `desired` is what is wanted"
})
export const instancesOf = (fleet: string, state: "desired" | "live" | "running" | "error" | "deleting" | "parked") =>
  Metric.withAttributes(fleetInstances, { fleet, state })

export const idempotentRequests = each(
  counter("stormglass_idempotent_requests_total", "Requests with an idempotency key, by outcome"),
  "outcome",
  ["executed", "replayed", "Mismatch", "InProgress", "Unavailable"]
)
export const requestsRefused = each(
  counter("stormglass_requests_refused_total", "Requests that never came to their handler, by why"),
  "reason",
  ["Unauthenticated", "Forbidden", "TooManyRequests", "Unavailable"]
)
export const handshakes = each(
  counter("stormglass_handshakes_total", "Handshakes of sessions and streams: let in, or asked to come later"),
  "outcome",
  ["admitted", "refused"]
)
export const auditSealed = counter("stormglass_audit_entries_sealed_total", "Entries that joined the audit log")
export const keysPurged = counter("stormglass_idempotency_keys_purged_total", "Keys purged after their retention")

export const heartbeats = each(
  counter("stormglass_heartbeats_total", "Instances in heartbeats: heard, another agent's, or unknown"),
  "outcome",
  ["heard", "elsewhere", "unknown"]
)
export const staleInstances = Metric.gauge("stormglass_stale_instances", {
  description: "Instances that are silent for too long, as the leader last looked"
})
export const staleSeconds = seconds(
  "stormglass_heartbeat_staleness_seconds",
  "How long an instance had been silent when it was given up"
)
export const brakeEngaged = Metric.gauge("stormglass_brake_engaged", {
  description: "1 while so many are late together that nothing is given up"
})

export const increment = (metric: Metric.Metric<number, unknown>, by = 1): Effect.Effect<void> =>
  Metric.update(metric, by)

/** What only a leader knows is for the next one to say. */
export const leadsNoMore = Effect.gen(function* () {
  yield* Metric.update(leaderEpoch, 0)
  yield* Metric.remove(staleInstances)
  yield* Metric.remove(brakeEngaged)
  for (const series of Object.values(parked)) yield* Metric.remove(series)
  const registry = yield* Metric.MetricRegistry
  const own = yield* Metric.CurrentMetricAttributes
  for (const [key, { attributes, id }] of registry) {
    if (id === fleetInstances.id && attributes?.["node"] === own["node"]) registry.delete(key)
  }
})

/** Names the node in all that is measured within, beside what the host says of itself. */
export const ofNode = (node: string): Layer.Layer<never> =>
  Layer.effect(
    Metric.CurrentMetricAttributes,
    Effect.map(Metric.CurrentMetricAttributes, (attributes) => ({ ...attributes, node }))
  )
