/**
 * `stormglass serve`: one node of the control plane as a process, on a Postgres server or on an embedded database.
 *
 * Asked to stop (SIGTERM, SIGINT) it is not ready from that moment on, takes no new connections, finishes what is under way, releases its
 * leases, and ends with 0; what has not ended by the deadline is cut off, with 1.
 */
import { rootCertificates } from "node:tls"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as MetricsRoutes from "../../../core/api/MetricsRoutes.ts"
import type { StaticPlace } from "../../../core/bucket/StaticPlace.ts"
import * as ControlPlane from "../../../core/ControlPlane.ts"
import * as Gate from "../../../core/identity/Gate.ts"
import { everyProject } from "../../../core/identity/Access.ts"
import * as ApiKey from "../../../core/identity/ApiKey.ts"
import type { Verifier } from "../../../core/identity/Credentials.ts"
import type { LeaseProfile } from "../../../core/lease/Lease.ts"
import { LeaseStorage } from "../../../core/lease/LeaseStorage.ts"
import type { Role } from "../../../core/node/Role.ts"
import * as AgentProvider from "../../../core/placement/AgentProvider.ts"
import { Feed } from "../../../core/ports/Feed.ts"
import type { NodeExit } from "../../../core/ports/NodeExit.ts"
import { Storage } from "../../../core/ports/Storage.ts"
import type { Table } from "../../../core/ports/Table.ts"
import * as ConsoleRoutes from "../../console/ConsoleRoutes.ts"
import * as ClientCertificates from "../../node/ClientCertificates.ts"
import * as HttpServing from "../../node/HttpServing.ts"
import * as JwtVerifier from "../../node/JwtVerifier.ts"
import { announce, type Choice } from "../../pglite/chooseDatabase.ts"
import { runtimeRole } from "../../pglite/runtimeRole.ts"
import { migrate, requireReady, unguarded } from "../../postgres/migrate.ts"
import * as PostgresFeed from "../../postgres/Feed.ts"
import * as FeedClient from "../../postgres/FeedClient.ts"
import * as FeedHints from "../../postgres/FeedHints.ts"
import * as PostgresStorage from "../../postgres/PostgresStorage.ts"
import { reasonOf } from "../../../reports/saveFailure.ts"
import { openerOf } from "../openDatabase.ts"
import { removeAddresses, writeAddresses } from "../remote/startedHere.ts"
import { UsageError } from "../Usage.ts"
import { type AgentSettings, agentProgram, saysWhatRunsOn } from "./agentCommand.ts"
import * as DocsRoutes from "./DocsRoutes.ts"
import { firstKey, makeToken, warnUnadministered } from "./keyStore.ts"
import { untilStopped } from "./untilStopped.ts"

export interface ServeSettings {
  readonly id: string
  readonly database: Choice
  /** Who names the server: a variable, or a file. */
  readonly databaseOrigin: string
  readonly host: string | undefined
  readonly port: number
  /** Where others reach it. Default: the port on this machine. */
  readonly address: string | undefined
  readonly weight: number
  /** How the process ends itself. */
  readonly exit: Layer.Layer<NodeExit>
  readonly profile: LeaseProfile
  /** How often in a row work may fail before it is parked. */
  readonly failuresMax: number
  readonly roles: ReadonlyArray<Role>
  /** For development. Undefined: a share among the members. */
  readonly staticPlace: StaticPlace | undefined
  /** Brings the schema of a server up to date first; that of the embedded database always is. */
  readonly isMigrating: boolean
  /** Of what this process keeps. */
  readonly directory: string
  /** Undefined: plain HTTP. */
  readonly tls: Pick<HttpServing.TlsOptions, "certificate" | "key" | "clientAuthority"> | undefined
  /** The identity provider whose tokens let in, too. */
  readonly jwt: JwtVerifier.JwtOptions | undefined
  /** How many requests each may make, with a key. Undefined: nobody is asked for one. */
  readonly limits: Pick<Gate.GateOptions, "principal" | "project"> | undefined
  /** Whether the first key, where this process makes it, is written to standard error, and not only to its file. */
  readonly isKeyShown: boolean
  /** Runs instances, too; undefined: those of agents elsewhere. */
  readonly agent: Omit<AgentSettings, "addresses" | "key" | "tls"> | undefined
}

/** `around` says what becomes of its log and its traces. */
export const serveCommand = async (
  settings: ServeSettings,
  around: (program: Effect.Effect<never>) => Effect.Effect<never>
): Promise<void> => {
  const { database: choice, failuresMax, host, id, port, profile, roles, weight } = settings
  const open = await openerOf(choice)
  const address = settings.address ?? `${settings.tls === undefined ? "http" : "https"}://localhost:${port}`
  const stopping = { isStopping: false }
  const servesApi = roles.includes("api")

  const connection = Effect.gen(function* () {
    yield* Effect.logInfo(announce(choice, settings.databaseOrigin))
    const opened = yield* open
    if (choice._tag === "Embedded" || settings.isMigrating) {
      const its = choice._tag === "Embedded" ? { runtimeRole } : {}
      const { from, to } = yield* migrate({ connection: opened, ...its })
      if (from !== to) yield* Effect.logInfo(`database: the schema went from version ${from} to ${to}`)
    } else yield* requireReady({ connection: opened })
    if (choice._tag === "Embedded") return { ...opened, username: runtimeRole }
    const why = yield* unguarded({ connection: opened })
    if (why !== undefined) yield* Effect.logWarning(`database: ${why}`)
    return opened
  }).pipe(
    Effect.catch((refused) =>
      Effect.die(
        new UsageError(
          choice._tag === "Embedded" && refused._tag === "DatabaseRefused"
            ? `${choice.directory}: ${refused.detail}`
            : refused.message
        )
      )
    )
  )

  const tables = ControlPlane.tables as unknown as ReadonlyArray<Table<unknown>>
  const storage = Layer.unwrap(
    Effect.map(connection, (opened) => {
      const telling = (options: Pick<PostgresStorage.PostgresOptions, "connection" | "connectionsMax">) =>
        Layer.fresh(FeedHints.layer).pipe(Layer.provide(PostgresStorage.layer({ ...options, tables })))
      const ofLeases = telling({
        connection: { ...opened, applicationName: "stormglass leases" },
        connectionsMax: leaseSessionsMax
      })
      return Layer.mergeAll(
        telling({ connection: opened }),
        Layer.effect(LeaseStorage, Storage).pipe(Layer.provide(ofLeases)),
        PostgresFeed.layer({ tables })
      ).pipe(Layer.provide(FeedClient.layer({ connection: opened })))
    })
  )
  const certificates = ClientCertificates.make()
  const tls = settings.tls === undefined ? undefined : { ...settings.tls, vouch: certificates.vouch }
  // The agent of this process is let in by a token that nobody else has seen.
  const own = ApiKey.format(makeToken())
  const gate = Layer.unwrap(
    Effect.gen(function* () {
      const { directory, jwt, limits } = settings
      if (limits === undefined) {
        yield* Effect.logWarning("nobody is asked for a key (--open): whoever reaches this port may do everything")
        return Gate.open
      }
      yield* Effect.orDie(choice._tag === "Embedded" ? firstKey(directory, settings.isKeyShown) : warnUnadministered)
      const agent = { name: id, keyId: null, verbs: ["agent"], projects: [everyProject] } as const
      const byToken = jwt === undefined ? undefined : JwtVerifier.make(jwt)
      const others: Verifier = (token) =>
        Effect.flatMap(certificates.verifier(token), (known) =>
          known === undefined && byToken !== undefined ? byToken(token) : Effect.succeed(known)
        )
      return Gate.keyed({ ...limits, others, own: new Map([[own, agent]]) })
    })
  )
  const node = Layer.unwrap(
    Effect.map(Feed, ({ hintsOf }) =>
      ControlPlane.layer({
        id,
        address,
        weight,
        roles,
        profile,
        failuresMax,
        ...(settings.staticPlace === undefined ? {} : { staticPlace: settings.staticPlace }),
        hints: hintsOf,
        isStopping: () => stopping.isStopping,
        routes: servesApi ? Layer.merge(MetricsRoutes.layer, pages) : MetricsRoutes.layer
      })
    )
  ).pipe(Layer.provide([AgentProvider.layer, settings.exit, gate]), Layer.provide(storage))
  // For commands that are typed in the same directory.
  const telling = Effect.acquireRelease(
    Effect.sync(() =>
      writeAddresses(settings.directory, [...new Set([`${new URL(address).protocol}//localhost:${port}`, address])])
    ),
    () => Effect.sync(() => removeAddresses(settings.directory))
  )
  const serving = Effect.gen(function* () {
    // First of all: who finds the port taken has touched nothing. Until there is something to serve, 503 is what it answers.
    const server = yield* Layer.build(HttpServing.layer({ port, ...(host === undefined ? {} : { host }), tls }))
    yield* Effect.provideContext(Layer.build(node), server)
    if (servesApi) yield* telling
    yield* Effect.logInfo(
      servesApi
        ? `${id} serves ${address}: a console at ${address}/console, its API described at ${address}/docs`
        : `${id} works; its health is at ${address}`
    )
    if (settings.agent === undefined) return yield* Effect.never
    // Its own node is trusted also when nobody else has signed for it.
    const authority = tls === undefined ? undefined : [tls.certificate, ...rootCertificates].join("\n")
    return yield* agentProgram({ ...settings.agent, addresses: [address], key: Redacted.make(own), tls: { authority } })
  }).pipe(Effect.catchTag("ServeError", ({ cause }) => Effect.die(new UsageError(unservable(port, cause)))))
  const stopped = Effect.logInfo("stopping: finishes what is under way and releases its leases")
  const { agent } = settings
  const runsOn = agent === undefined ? Effect.void : saysWhatRunsOn(agent)
  const whole = Effect.onInterrupt(Effect.scoped(Effect.onInterrupt(serving, () => stopped)), () => runsOn)
  await untilStopped(around(whole), {
    onStop: () => {
      stopping.isStopping = true
    }
  })
}

function unservable(port: number, cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code === "EADDRINUSE"
    ? `--port ${port}: another process listens there; give another port (--port, PORT), or end that process`
    : `--port ${port}: cannot be listened on: ${reasonOf(cause)}`
}

/** One for what is wanted, one for what is held. */
const leaseSessionsMax = 2

/** For people and their tools. */
const pages = Layer.merge(ConsoleRoutes.layer, DocsRoutes.layer)
