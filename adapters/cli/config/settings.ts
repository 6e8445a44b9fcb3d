/** Every setting of the processes that run a control plane. */
import * as Flag from "effect/cli/Flag"
import type * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as StaticPlace from "../../../core/bucket/StaticPlace.ts"
import type { Limit } from "../../../core/identity/RateLimit.ts"
import {
  bucketGroupCount,
  failuresMax,
  instanceStartMillis,
  instanceStartMillisMax,
  ratePrincipal,
  rateProject
} from "../../../core/Limits.ts"
import { type Role, roles } from "../../../core/node/Role.ts"
import type { JwtOptions } from "../../node/JwtVerifier.ts"
import * as parse from "./parse.ts"
import type { Setting, Settings, Values } from "./Setting.ts"

export const portDefault = 8_081
const addressDefault = `http://localhost:${portDefault}`
const portMax = 65_535
const weightMax = 1_000
const failuresMaxMax = 1_000

const logLevels = ["all", "trace", "debug", "info", "warn", "error", "fatal", "none"] as const
type LogLevelName = (typeof logLevels)[number]

/** Gives it its type. */
const setting = <A>(given: Setting<A>): Setting<A> => given

const id = { flag: "id", parse: parse.name, default: "local" } as const

const directory: Setting<string> = {
  flag: "directory",
  variable: "STORMGLASS_DIRECTORY",
  what: "Where this process keeps what it must find again",
  parse: parse.anyText,
  default: "./data"
}

const command: Setting<ReadonlyArray<string>> = {
  flag: "command",
  variable: "STORMGLASS_COMMAND",
  what: "What runs for each instance: words, in which {uid}, {image} and {size} are replaced",
  parse: parse.words,
  default: ["sleep", "1000000000"],
  show: (words) => words.join(" ")
}

const startMillis: Setting<number> = {
  flag: "start-millis",
  variable: "STORMGLASS_START_MILLIS",
  what: "How long a process must have lived for its instance to be running; what ends before has failed to start",
  parse: parse.integer({ min: 0, max: instanceStartMillisMax }),
  default: instanceStartMillis
}

/** A file in PEM; what is in it is shown to nobody. */
const pem = (flag: string, variable: string, what: string): Setting<string | undefined> => ({
  flag,
  variable,
  what,
  parse: parse.file,
  default: undefined,
  show: () => "a file"
})

/** Which database. */
export const databaseSettings = {
  databaseUrl: setting<Redacted.Redacted | undefined>({
    flag: undefined,
    variable: "DATABASE_URL",
    what: "The Postgres server; an embedded database, if unset",
    parse: parse.serverUrl,
    default: undefined,
    isSecret: true,
    show: (url) => parse.showServer(url as Redacted.Redacted)
  }),
  directory
}

/** What a process tells of itself, and whom. */
const telemetrySettings = {
  logFormat: setting<"auto" | "json" | "pretty">({
    flag: "log-format",
    variable: "STORMGLASS_LOG_FORMAT",
    what: "Logs as lines of JSON, or for people (pretty); auto is pretty on a terminal",
    parse: parse.oneOf(["auto", "json", "pretty"]),
    default: "auto"
  }),
  logLevel: setting<LogLevelName>({
    // The command line has one of its own for every command.
    flag: undefined,
    variable: "STORMGLASS_LOG_LEVEL",
    what: "The least that is logged; also --log-level",
    parse: parse.oneOf(logLevels),
    default: "info"
  }),
  otlpEndpoint: setting<string | undefined>({
    flag: "otlp-endpoint",
    variable: "OTEL_EXPORTER_OTLP_ENDPOINT",
    what: "An OpenTelemetry collector for traces and logs, by OTLP over HTTP; none, if unset",
    parse: parse.address,
    default: undefined
  }),
  otlpHeaders: setting<Readonly<Record<string, Redacted.Redacted>>>({
    flag: undefined,
    variable: "OTEL_EXPORTER_OTLP_HEADERS",
    what: "Headers for the collector: name=value,name=value",
    parse: parse.headers,
    default: {},
    isSecret: true,
    show: (headers) =>
      Object.keys(headers)
        .map((name) => `${name}=redacted`)
        .join(",") || "none"
  }),
  serviceName: setting<string>({
    flag: "service-name",
    variable: "OTEL_SERVICE_NAME",
    what: "What the process is called in traces and logs",
    parse: parse.anyText,
    default: "stormglass"
  })
}

export const serveSettings = {
  id: setting<string>({ ...id, variable: "NODE_ID", what: "The name of the node" }),
  host: setting<string | undefined>({
    flag: "host",
    variable: "STORMGLASS_HOST",
    what: "The interface to listen on; all, if unset",
    parse: parse.anyText,
    default: undefined
  }),
  port: setting<number>({
    flag: "port",
    variable: "PORT",
    what: "The port to listen on",
    parse: parse.integer({ min: 0, max: portMax }),
    default: portDefault
  }),
  address: setting<string | undefined>({
    flag: "address",
    variable: "STORMGLASS_ADDRESS",
    what: "Where others reach the node; the port on this machine, if unset",
    parse: parse.address,
    default: undefined
  }),
  weight: setting<number>({
    flag: "weight",
    variable: "STORMGLASS_WEIGHT",
    what: "Its share of the work, relative to the other nodes",
    parse: parse.integer({ min: 1, max: weightMax }),
    default: 1
  }),
  roles: setting<ReadonlyArray<Role>>({
    flag: "roles",
    variable: "STORMGLASS_ROLES",
    what: "What the node does: api (requests, sessions, streams), worker (leads, works on its share), or both",
    parse: parse.someOf(roles),
    default: roles,
    show: (given) => given.join(",")
  }),
  profile: setting<"default" | "conservative">({
    flag: "profile",
    variable: "STORMGLASS_PROFILE",
    what: "Timing of leases: 6 s (default), or 15 s for databases that stall (conservative)",
    parse: parse.oneOf(["default", "conservative"]),
    default: "default"
  }),
  failuresMax: setting<number>({
    flag: "failures-max",
    variable: "STORMGLASS_FAILURES_MAX",
    what: "How often in a row work on a fleet or an instance may fail before it is parked; the same on every node",
    parse: parse.integer({ min: 1, max: failuresMaxMax }),
    default: failuresMax
  }),
  ...databaseSettings,
  staticIndex: setting<number | undefined>({
    flag: "static-index",
    variable: "NODE_INDEX",
    what: "For development: owns the buckets of this index, from 0, whoever else is there",
    parse: parse.integer({ min: 0, max: bucketGroupCount - 1 }),
    default: undefined
  }),
  staticCount: setting<number | undefined>({
    flag: "static-count",
    variable: "TOTAL_NODES",
    what: "How many nodes there are, each with an index of its own; together with the index",
    parse: parse.integer({ min: 1, max: bucketGroupCount }),
    default: undefined
  }),
  open: setting<boolean>({
    flag: "open",
    variable: "STORMGLASS_OPEN",
    what: "Asks nobody for a key: for networks that nobody else reaches",
    parse: parse.truth,
    default: false,
    isSwitch: true
  }),
  printKey: setting<boolean>({
    flag: "print-key",
    variable: "STORMGLASS_PRINT_KEY",
    what: "Writes the first key to standard error also where that is no terminal, but a log that is kept",
    parse: parse.truth,
    default: false,
    isSwitch: true
  }),
  ratePrincipal: setting<Limit>({
    flag: "rate-principal",
    variable: "STORMGLASS_RATE_PRINCIPAL",
    what: "Requests of each principal, on all nodes: so many a second, so many at once",
    parse: parse.rate,
    default: ratePrincipal,
    show: parse.showRate
  }),
  rateProject: setting<Limit>({
    flag: "rate-project",
    variable: "STORMGLASS_RATE_PROJECT",
    what: "Requests for each project, on all nodes: so many a second, so many at once",
    parse: parse.rate,
    default: rateProject,
    show: parse.showRate
  }),
  tlsCert: pem("tls-cert", "STORMGLASS_TLS_CERT", "The certificate of the node, a file in PEM; plain HTTP, if unset"),
  tlsKey: pem("tls-key", "STORMGLASS_TLS_KEY", "Its key, a file in PEM"),
  tlsClientCa: pem(
    "tls-client-ca",
    "STORMGLASS_TLS_CLIENT_CA",
    "Who signs the certificates of agents, a file in PEM: they need no key then"
  ),
  jwtKeys: setting<string | undefined>({
    flag: "jwt-keys",
    variable: "STORMGLASS_JWT_KEYS",
    what: "Where an identity provider publishes its keys: tokens signed by them let in, too",
    parse: parse.address,
    default: undefined
  }),
  jwtIssuer: setting<string | undefined>({
    flag: "jwt-issuer",
    variable: "STORMGLASS_JWT_ISSUER",
    what: "The issuer that such tokens must name",
    parse: parse.anyText,
    default: undefined
  }),
  jwtAudience: setting<string | undefined>({
    flag: "jwt-audience",
    variable: "STORMGLASS_JWT_AUDIENCE",
    what: "The audience that such tokens must name",
    parse: parse.anyText,
    default: undefined
  }),
  migrate: setting<boolean>({
    flag: "migrate",
    variable: "STORMGLASS_MIGRATE",
    what: "Brings the schema of a server up to date first",
    parse: parse.truth,
    default: false,
    isSwitch: true
  }),
  agent: setting<boolean>({
    flag: "agent",
    variable: "STORMGLASS_AGENT",
    what: "Runs instances, too, as processes of this machine",
    parse: parse.truth,
    default: false,
    isSwitch: true
  }),
  command,
  startMillis,
  ...telemetrySettings
}

export const serveRelations = (values: Values<typeof serveSettings>): ReadonlyArray<string> => {
  const { staticCount, staticIndex } = values
  if ((staticCount === undefined) !== (staticIndex === undefined)) {
    return ["--static-index and --static-count (NODE_INDEX, TOTAL_NODES): give both, or neither"]
  }
  if (values.agent && !values.roles.includes("api")) {
    return [
      "--agent (STORMGLASS_AGENT): it asks its own node for work; give that --roles api, or start a `stormglass agent`"
    ]
  }
  if (staticIndex !== undefined && !values.roles.includes("worker")) {
    return ["--static-index (NODE_INDEX): only a worker owns buckets; leave it out, or give --roles worker"]
  }
  const { tlsCert, tlsClientCa, tlsKey } = values
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    return ["--tls-cert and --tls-key (STORMGLASS_TLS_CERT, STORMGLASS_TLS_KEY): give both, or neither"]
  }
  if (tlsClientCa !== undefined && tlsCert === undefined) {
    return [
      "--tls-client-ca (STORMGLASS_TLS_CLIENT_CA): certificates are shown over TLS alone; give --tls-cert and --tls-key"
    ]
  }
  const { jwtAudience, jwtIssuer, jwtKeys } = values
  const given = [jwtAudience, jwtIssuer, jwtKeys].filter((value) => value !== undefined).length
  if (given !== 0 && given !== 3) {
    return ["--jwt-keys, --jwt-issuer and --jwt-audience (STORMGLASS_JWT_…): give all three, or none"]
  }
  const place = staticPlaceOf(values)
  const wrong = place === undefined ? undefined : StaticPlace.problem(place)
  return wrong === undefined ? [] : [`--static-index (NODE_INDEX): ${wrong}`]
}

export const staticPlaceOf = ({
  staticCount,
  staticIndex
}: Values<typeof serveSettings>): StaticPlace.StaticPlace | undefined =>
  staticCount === undefined || staticIndex === undefined ? undefined : { index: staticIndex, count: staticCount }

export const jwtOf = ({ jwtAudience, jwtIssuer, jwtKeys }: Values<typeof serveSettings>): JwtOptions | undefined =>
  jwtAudience === undefined || jwtIssuer === undefined || jwtKeys === undefined
    ? undefined
    : { audience: jwtAudience, issuer: jwtIssuer, keysUrl: jwtKeys }

export const tlsOf = ({ tlsCert, tlsClientCa, tlsKey }: Values<typeof serveSettings>) =>
  tlsCert === undefined || tlsKey === undefined
    ? undefined
    : {
        certificate: tlsCert,
        key: tlsKey,
        ...(tlsClientCa === undefined ? {} : { clientAuthority: tlsClientCa })
      }

export const agentSettings = {
  // Two that were given no name would be taken for one that has moved.
  id: setting<string>({ ...id, variable: "AGENT_ID", what: "The name of the agent", isRequired: true }),
  server: setting<ReadonlyArray<string>>({
    flag: "server",
    variable: "STORMGLASS_SERVER",
    what: "Nodes of the control plane, separated by commas",
    parse: parse.addresses,
    default: [addressDefault],
    show: (addresses) => addresses.join(",")
  }),
  tlsCa: pem(
    "tls-ca",
    "STORMGLASS_TLS_CA",
    "Who signs the certificates of nodes, a file in PEM; the system's, if unset"
  ),
  tlsCert: pem("tls-cert", "STORMGLASS_TLS_CERT", "The certificate that it shows, a file in PEM"),
  tlsKey: pem("tls-key", "STORMGLASS_TLS_KEY", "Its key, a file in PEM"),
  key: setting<Redacted.Redacted | undefined>({
    flag: undefined,
    variable: "STORMGLASS_KEY",
    what: "The API key that it shows; one with the verb `agent`",
    parse: parse.key,
    default: undefined,
    isSecret: true
  }),
  directory,
  command,
  startMillis,
  ...telemetrySettings
}

export const agentRelations = ({ tlsCert, tlsKey }: Values<typeof agentSettings>): ReadonlyArray<string> =>
  (tlsCert === undefined) === (tlsKey === undefined)
    ? []
    : ["--tls-cert and --tls-key (STORMGLASS_TLS_CERT, STORMGLASS_TLS_KEY): give both, or neither"]

/** As typed flags of a command: all optional texts, so that what is wrong with them is said together with the rest. */
export const flagsOf = <const S extends Settings>(
  settings: S
): { readonly [K in keyof S]: Flag.Flag<Option.Option<string | boolean>> } =>
  Object.fromEntries(
    Object.entries(settings)
      .filter(([, { flag }]) => flag !== undefined)
      .map(([key, { flag, isSwitch, variable, what }]) => {
        const described = `${what} (${variable})`
        return [
          key,
          isSwitch === true
            ? Flag.Boolean(flag!).pipe(Flag.withDescription(described), Flag.optional)
            : Flag.String(flag!).pipe(Flag.withDescription(described), Flag.optional)
        ]
      })
  ) as never
