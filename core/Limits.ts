/**
 * Every limit of the control plane, and the relations between them, checked when this file is loaded.
 *
 * Durations that a profile may change (T, R and P of a lease) live in `lease/Lease.ts`; what is here holds for every
 * profile, and `Lease.problems` refuses a profile that breaks it.
 */
import { assert } from "./assert.ts"

/** Sharding: buckets are fixed for the life of a deployment, because every stored row carries its bucket. */
export const bucketCount = 1024
/** A group is the unit of ownership: one lease and one epoch for its `bucketCount / bucketGroupCount` buckets. */
export const bucketGroupCount = 32
export const bucketsPerGroup = bucketCount / bucketGroupCount
/** How far above its fair share of groups a member may be loaded. */
export const bucketLoadSlackRatio = 0.1

/** How wrong the rate of a node's monotonic clock may be against the database's; beyond it, only fencing holds. */
export const clockDriftRatioMax = 0.05

/** Who wants a lease and hears that something was committed looks again, at most so often. */
export const leaseHintMillis = 20

/** Sessions of the database; a silent client holds its locks no longer than these. */
export const statementTimeoutMillis = 1_000
export const lockTimeoutMillis = 750
export const idleInTransactionTimeoutMillis = 1_000

/** A member that has just joined gets buckets only after it has stayed this long, so that flapping moves nothing. */
export const memberJoinDebounceMillis = 3_000

/** Heartbeats of agents; stale is judged by the database's clock. */
export const heartbeatIntervalMillis = 10_000
export const heartbeatStaleMillis = 30_000
/** Late, but not yet stale: what the brake counts, so that it is on before the first of a common failure is stale. */
export const heartbeatLateMillis = heartbeatStaleMillis - heartbeatIntervalMillis
/** How long the agent of an instance is silent before another one is heard for it: the instance has moved. */
export const heartbeatMoveMillis = 15_000
export const heartbeatSweepIntervalMillis = 2_000
export const heartbeatUidsMax = 1_000
/** How long an agent waits for one address before it tries the next. */
export const heartbeatTimeoutMillis = 3_000
/** The brake: when more than this share, and at least this many, are late together, nothing is replaced. */
export const brakeRatio = 0.3
export const brakeCountMin = 3

/** Agents that run instances: how often each asks for work, and for how long after that it is given new work. */
export const agentsMax = 1_000
export const agentExchangeIntervalMillis = 1_000
/** The shortest pause after which an agent looks again at what it has begun or ended, besides at once. */
export const agentLookMillisMin = 50
export const agentLiveMillis = 15_000
/** That an agent was heard is written this often at most. */
export const agentHeardMillis = 5_000
export const placementsPerAgentMax = 1_000
/** What an agent says of how an instance ended. */
export const reportCauseCharsMax = 200
/** A process runs when it has lived for so long; an agent may say otherwise, up to the most. */
export const instanceStartMillis = 1_000
export const instanceStartMillisMax = 20_000

/** Idempotency keys (the IETF draft leaves both to the server; 255 and 24 h are the common promise). */
export const idempotencyKeyCharsMax = 255
export const idempotencyRetentionMillis = 24 * 3_600_000
/** How long a claim protects a request that is being executed. */
export const idempotencyClaimMillis = 5_000
export const idempotencyPurgeIntervalMillis = 60_000
export const idempotencyPurgeBatchMax = 1_000
/** How many keys a node remembers having seen, to look for their answers first. */
export const recentKeysMax = 65_536

/** Reconciling: how a key is retried, and the rate of retries of a node, all keys together: the defaults of client-go. */
export const reconcileBackoffMillisMin = 5
export const reconcileBackoffMillisMax = 1_000_000
export const reconcileBurst = 100
export const reconcileRatePerSecond = 10
export const reconcileWorkers = 8
export const reconcileTimeoutMillis = 10_000
/** How often the store is asked what is due in the owned buckets; the longest that a lost hint can cost. */
export const reconcilePollMillis = 1_000
/** Who works and hears that something is due looks again, at most so often. */
export const reconcileHintMillis = 50
export const reconcileBatchMax = 200
/** How often it is looked whether a full batch has had its turn, so that the next is asked for. */
export const reconcileDrainMillis = 50
/** How often a settled resource is looked at again, as nothing tells us of what happens outside; later when a node has more than this rate allows. */
export const reconcileResyncMillis = 60_000
export const reconcileResyncRatePerSecond = 200
/** How soon to look again at an outside resource that is on its way. */
export const reconcileProgressMillis = 1_000
/** The longest pause between two looks at it, when it takes longer. */
export const reconcileWaitMillisMax = 5_000
/** A resource that is starting for so long has failed to. */
export const startTimeoutMillis = 30_000
export const providerCallTimeoutMillis = 5_000

/** Work that fails: how often in a row before it is parked; the pauses before a start is tried again; and how long what was started must run to have succeeded. */
export const failuresMax = 8
export const restartMillisMin = 1_000
export const restartMillisMax = 60_000
export const stableMillis = 600_000
/** What is stored of why something failed. */
export const causeCharsMax = 500

/** For how long it is kept what happened to fleets and instances; how many are told of in one statement, and forgotten at once. */
export const eventRetentionMillis = 24 * 3_600_000
export const eventInsertMax = 1_000
export const eventPurgeBatchMax = 1_000
export const eventPurgeIntervalMillis = 60_000

/** The leader's global work. */
export const fleetStatusIntervalMillis = 2_000
/** Who counts and hears that something has changed looks again, at most so often. */
export const fleetStatusHintMillis = 100
export const fleetStatusRecountMillis = 60_000
export const orphanSweepIntervalMillis = 30_000
export const parkedCountIntervalMillis = 15_000
/** Several rounds of the leader's work in turn may not take longer than this each. */
export const leaderRoundTimeoutMillis = 5_000

/** Sessions on WebSockets: one message, how long an upgrade may take, and when a silent end is lost. */
export const socketFrameBytesMax = 4 * 1_024 * 1_024
export const socketOpenTimeoutMillis = 5_000
export const socketPingIntervalMillis = 4_000
export const socketSilentIntervalsMax = 3
/** What a writer may have waiting in its own process before it waits itself. */
export const socketBufferBytesMax = 262_144
/** How long the answer to a close frame is waited for. */
export const socketCloseTimeoutMillis = 5_000

/** How many handshakes a node takes a second, at once after a quiet while, and how many sessions and streams it holds. */
export const handshakesPerSecond = 200
export const handshakesBurst = 50
export const sessionsMax = 20_000
/** The longest that somebody is asked to stay away. */
export const handshakeRetrySecondsMax = 60
/** Who dials again waits at most this for the first time, twice as much each time after, and so on up to the longest. */
export const redialMillisMin = 500
export const redialMillisMax = 10_000
/** Sessions of agents: one frame, how long the first may take, how long the other end may take nothing, and how often all is told anew. */
export const sessionFrameBytesMax = 1_048_576
export const sessionHelloTimeoutMillis = 5_000
export const sessionWriteTimeoutMillis = 5_000
export const sessionResyncMillis = 3_000
/** How often the key of a session is looked at again, and for how long it is trusted when nobody can say. */
export const sessionKeyCheckMillis = 2_500
export const sessionKeyTrustMillis = 4_000
export const sessionKeyAgainMillis = 500

/** HTTP: the phases of a request, connections, and how a server stops. */
export const httpHeadersTimeoutMillis = 10_000
export const httpRequestTimeoutMillis = 30_000
export const httpBodyBytesMax = 1_048_576
export const httpConnectTimeoutMillis = 3_000
export const httpConnectionsPerServerMax = 64
export const httpClientKeepAliveMillis = 4_000
export const httpServerKeepAliveMillis = 10_000
export const httpStopDeadlineMillis = 15_000

/** The change feed: how many changes come at once, and how often it is asked without a hint: what a lost one can cost. */
export const feedChangesMax = 1_000
export const feedPollMillis = 1_000
/** At most one hint is sent in so long by each process, whatever it commits. */
export const feedHintMillis = 10
/** For how long a change is kept for those who follow: who was away for longer lists again. */
export const feedRetentionMillis = 3_600_000
export const feedForgetIntervalMillis = 60_000

/** Watching: how long a stream is silent at most, and when a watcher gives up one that is. */
export const watchBookmarkMillis = 5_000
export const watchSilentMillis = 15_000
/** How many commits may wait for a watcher before it is cut off, to go on from its token; and how many may watch on a node. */
export const watchBufferMax = 256
export const watchersMax = 10_000
/** The most rows of a listing in one frame. */
export const watchListingMax = 500

/** How long the store may take to answer a node that is asked whether it is ready. */
export const healthTimeoutMillis = 1_000

/** Identity: for how long what a key may do is remembered, of how many keys, and how many keys that nobody knows are looked up. */
export const keyCacheMillis = 5_000
export const keyCacheMax = 10_000
export const keyLookupsPerSecond = 50
export const keyLookupsBurst = 200
export const projectsPerKeyMax = 100
/** For how long at most an old key works on beside the one that follows it. */
export const keyOverlapSecondsMax = 30 * 86_400
/** Limits of requests unless they are configured; a node takes a share of them for so long, for so many principals and projects. */
export const ratePrincipal = { perSecond: 500, burst: 1_000 }
export const rateProject = { perSecond: 2_000, burst: 4_000 }
export const rateSliceMillis = 1_000
export const rateScopesMax = 10_000
/** A limit that nobody has used for so long is forgotten. */
export const rateKeptMillis = 60_000

/** The audit log: how often what was done is sealed, how much at a time, and how much of it is shown at once. */
export const auditSealIntervalMillis = 1_000
export const auditBatchMax = 500
export const auditPageMax = 1_000

/** Requests. */
export const fleetDesiredMax = 1_000
export const nameCharsMax = 63
export const hostCharsMax = 255
/** It is part of an indexed key, with a project, a route and the idempotency key. */
export const principalCharsMax = 255
/** How long an answer is held back for a fleet to become as it is wanted. */
export const waitSecondsDefault = 30
export const waitSecondsMax = 300
/** Of one page of a list; and how many changes may be undone to show it as it was when the list began. */
export const listRowsMax = 1_000
/** Each is looked for by a statement or two. */
export const projectsPageMax = 100
export const listChangesMax = 10_000
export const transactionAttemptsMax = 4

assert(Number.isInteger(bucketsPerGroup), "groups have equally many buckets")
assert(lockTimeoutMillis <= statementTimeoutMillis, "a statement may wait for a lock and still answer")
assert(heartbeatStaleMillis >= 3 * heartbeatIntervalMillis, "an agent may lose two heartbeats before it is stale")
assert(heartbeatLateMillis > heartbeatIntervalMillis, "an agent that beats in time is never late")
assert(heartbeatMoveMillis > heartbeatIntervalMillis, "an agent that beats in time keeps its instances")
assert(
  heartbeatMoveMillis + heartbeatIntervalMillis < heartbeatStaleMillis,
  "an instance that has moved is heard before it is given up"
)
assert(heartbeatSweepIntervalMillis <= heartbeatIntervalMillis, "a sweep sees every agent late before it sees it stale")
assert(3 * heartbeatTimeoutMillis <= heartbeatIntervalMillis, "an agent can try three addresses within one interval")
assert(
  agentHeardMillis + agentExchangeIntervalMillis + 2 * heartbeatTimeoutMillis < agentLiveMillis,
  "an agent that finds its first two addresses dead is still given work"
)
assert(placementsPerAgentMax <= heartbeatUidsMax, "one heartbeat tells of everything that an agent runs")
assert(
  // Three bytes for each unit at most, and what is around it.
  placementsPerAgentMax * (3 * reportCauseCharsMax + 300) <= Math.min(sessionFrameBytesMax, httpBodyBytesMax),
  "one report tells how everything that an agent runs has ended"
)
assert(nameCharsMax + reportCauseCharsMax + 100 <= causeCharsMax, "what an agent says of an end is stored whole")
assert(
  idempotencyClaimMillis > statementTimeoutMillis + idleInTransactionTimeoutMillis,
  "a claim outlives the transaction that it protects"
)
assert(idempotencyRetentionMillis > 10 * idempotencyClaimMillis, "a key never expires while it is executed")
assert(eventRetentionMillis > 10 * eventPurgeIntervalMillis, "what is kept is hardly more than what was promised")
assert(reconcileTimeoutMillis > providerCallTimeoutMillis, "a reconcile survives one provider call that times out")
assert(
  restartMillisMin < restartMillisMax && restartMillisMax < stableMillis,
  "what is tried again has its time to run"
)
assert(reconcileProgressMillis >= reconcilePollMillis, "looking again is not faster than asking what is due")
assert(reconcileWaitMillisMax >= reconcileProgressMillis, "what takes long is not looked at more often")
assert(
  2 * reconcileWaitMillisMax < startTimeoutMillis,
  "what is starting is looked at several times before it is given up"
)
assert(
  instanceStartMillis <= instanceStartMillisMax &&
    instanceStartMillisMax + heartbeatIntervalMillis <= startTimeoutMillis,
  "what has lived for as long as its agent asks is told to run before it is given up"
)
assert(
  (socketSilentIntervalsMax + 1) * socketPingIntervalMillis + socketOpenTimeoutMillis < heartbeatStaleMillis,
  "a session that went dead is noticed and opened anew before its agent is stale"
)
assert(socketSilentIntervalsMax >= 2, "one look that comes too soon, after a pause, loses nobody")
assert(
  keyCacheMillis + statementTimeoutMillis < 10_000,
  "a key that is revoked is refused everywhere within ten seconds"
)
assert(
  sessionKeyCheckMillis < sessionKeyTrustMillis &&
    (keyCacheMillis + sessionKeyTrustMillis) * (1 + clockDriftRatioMax) < 10_000,
  "a session outlives its key by less than ten seconds"
)
assert(
  agentHeardMillis + sessionResyncMillis + 2 * heartbeatTimeoutMillis < agentLiveMillis,
  "an agent whose session has gone silent, and that finds another, is still given work"
)
assert(httpHeadersTimeoutMillis <= httpRequestTimeoutMillis, "headers are a part of a request")
assert(
  httpClientKeepAliveMillis < httpServerKeepAliveMillis,
  "a client never sends on a connection that its server is about to close"
)
assert(feedRetentionMillis > 10 * feedForgetIntervalMillis, "what is kept is hardly more than what was asked for")
assert(feedRetentionMillis > 100 * feedPollMillis, "who follows never lists again for a poll or two that were lost")
assert(socketCloseTimeoutMillis < httpStopDeadlineMillis, "a session can say goodbye before a stop ends it")
assert(
  2 * watchBookmarkMillis <= 10_000,
  "a watcher knows every ten seconds where it stands, also when one bookmark is late"
)
assert(watchSilentMillis > 2 * watchBookmarkMillis, "a watcher may miss a bookmark before it goes elsewhere")
