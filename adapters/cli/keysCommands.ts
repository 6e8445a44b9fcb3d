/** The commands for who may do what, and for what was done. */
import fs from "node:fs"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { AuditView, KeyId } from "../../core/api/Views.ts"
import { clusterVerbs, everyProject, PrincipalName, Scope, vainVerb, Verb, verbs } from "../../core/identity/Access.ts"
import { reasonOf } from "../../reports/saveFailure.ts"
import { configFlag, readConfig } from "./config/readConfig.ts"
import { databaseSettings, flagsOf } from "./config/settings.ts"
import { choiceOf } from "./openDatabase.ts"
import type { KeyAsked } from "./remote/keyCommands.ts"
import { remoteFlags, remoteOf } from "./remote/remoteFlags.ts"
import { print, say } from "./printed.ts"
import { attempt } from "./runCommand.ts"
import { durationMicros, UsageError } from "./Usage.ts"

const json = Flag.Boolean("json").pipe(
  Flag.withDescription("One JSON document on standard output"),
  Flag.withDefault(false)
)
const keyArgument = Argument.String("key").pipe(Argument.withDescription("Its id: 16 hexadecimal digits"))

/** Throws `UsageError` for a key that could do nothing with one of its verbs, as the control plane would refuse it. */
const requireUseful = <A extends Pick<KeyAsked, "projects" | "verbs">>(asked: A): A => {
  const vain = vainVerb(asked.verbs, asked.projects)
  if (vain === undefined) return asked
  throw new UsageError(`--projects ${asked.projects.join(",")}: ${vain}`)
}

/** The token alone goes to standard output, for a pipe or a file; it is never shown again. */
const printMade = async (
  made: Promise<{ readonly key: { readonly id: string; readonly principal: string }; readonly token: string }>,
  isJson: boolean
) => {
  const { key, token } = await made
  if (isJson) return print(JSON.stringify({ ...key, token }, null, 2))
  say(`key ${key.id} of ${key.principal}, shown this once:`)
  print(token)
}

const create = Command.make(
  "create",
  {
    principal: Flag.String("principal").pipe(Flag.withDescription("Who comes with it; keys of one share its limits")),
    verbs: Flag.String("verbs").pipe(
      Flag.withDescription(
        `Of ${verbs.join(", ")}, separated by commas; ${clusterVerbs.join(" and ")} need every project (*)`
      )
    ),
    projects: Flag.String("projects").pipe(
      Flag.withDescription("Separated by commas; * is all, and what belongs to none"),
      Flag.withDefault(everyProject)
    ),
    expires: Flag.String("expires").pipe(
      Flag.withDescription("Its end from now on: 720h. Default: none"),
      Flag.optional
    ),
    ...remoteFlags,
    json
  },
  (options) =>
    attempt(async () => {
      const { createKey } = await import("./remote/keyCommands.ts")
      const asked = requireUseful({
        principal: require("--principal", PrincipalName, options.principal, "a name without spaces and slashes"),
        verbs: require("--verbs", Schema.Array(Verb), wordsOf(options.verbs), `any of ${verbs.join(", ")}`),
        projects: require("--projects", Scope, wordsOf(options.projects), "names of projects, or *"),
        expiresInSeconds: Option.getOrUndefined(Option.map(options.expires, (text) => secondsOf("--expires", text)))
      })
      await printMade(createKey(remoteOf(options), asked), options.json)
    })
).pipe(
  Command.withDescription("Makes an API key; its secret is shown once, and the control plane never sees it"),
  Command.withExamples([
    {
      command: "stormglass keys create --principal ci --verbs read,write --projects shop --expires 720h",
      description: "for one project, for thirty days"
    },
    { command: "stormglass keys create --principal agents --verbs agent", description: "for agents: STORMGLASS_KEY" }
  ])
)

const list = Command.make("list", { ...remoteFlags, json }, (options) =>
  attempt(async () => {
    const { listKeys } = await import("./remote/keyCommands.ts")
    const { documents, text } = await listKeys(remoteOf(options))
    print(options.json ? JSON.stringify(documents, null, 2) : text)
  })
).pipe(Command.withDescription("Every key that was made, with what it opens and when it ends; no secret"))

const rotate = Command.make(
  "rotate",
  {
    key: keyArgument,
    overlap: Flag.String("overlap").pipe(
      Flag.withDescription("For how long the old one works on: 24h"),
      Flag.withDefault("24h")
    ),
    ...remoteFlags,
    json
  },
  (options) =>
    attempt(async () => {
      const { rotateKey } = await import("./remote/keyCommands.ts")
      const overlapSeconds = secondsOf("--overlap", options.overlap)
      await printMade(rotateKey(remoteOf(options), requireKey(options.key), overlapSeconds), options.json)
    })
).pipe(
  Command.withDescription("Makes the key that follows one, with the same rights; the old one ends after an overlap"),
  Command.withExamples([
    { command: "stormglass keys rotate 0123456789abcdef --overlap 1h", description: "one hour to bring it everywhere" }
  ])
)

const revoke = Command.make("revoke", { key: keyArgument, ...remoteFlags }, (options) =>
  attempt(async () => {
    const { revokeKey } = await import("./remote/keyCommands.ts")
    const { id, principal } = await revokeKey(remoteOf(options), requireKey(options.key))
    print(`key ${id} of ${principal} is refused everywhere within ten seconds`)
  })
).pipe(Command.withDescription("Ends a key, at once and for ever"))

const first = Command.make(
  "first",
  {
    again: Flag.Boolean("again").pipe(
      Flag.withDescription("Although somebody has one: all that have were lost"),
      Flag.withDefault(false)
    ),
    ...flagsOf(databaseSettings),
    ...configFlag
  },
  ({ again, ...given }) =>
    attempt(async () => {
      const { origins, values } = readConfig(databaseSettings, given)
      const { firstKeyCommand } = await import("./serve/firstKeyCommand.ts")
      const token = await firstKeyCommand({
        choice: choiceOf(values),
        origin: origins.databaseUrl.name,
        isAgain: again,
        say
      })
      print(token)
    })
).pipe(
  Command.withDescription("Makes the first key of a control plane in its database, for whoever may do everything"),
  Command.withExamples([
    { command: "DATABASE_URL=postgres://… stormglass keys first", description: "then: export STORMGLASS_KEY=sg_…" }
  ])
)

export const keys = Command.make("keys").pipe(
  Command.withDescription("Who may do what: API keys"),
  Command.withSubcommands([create, list, rotate, revoke, first])
)

const tail = Command.make(
  "tail",
  {
    limit: Flag.Int("limit").pipe(Flag.withDescription("How many entries, 1 to 1000"), Flag.withDefault(20)),
    ...remoteFlags,
    json
  },
  (options) =>
    attempt(async () => {
      const { auditTail } = await import("./remote/keyCommands.ts")
      const { documents, text } = await auditTail(remoteOf(options), options.limit)
      print(options.json ? JSON.stringify(documents, null, 2) : text)
    })
).pipe(Command.withDescription("What was done last, by whom"))

const exportAll = Command.make(
  "export",
  {
    after: Flag.Int("after").pipe(Flag.withDescription("Only entries after this number"), Flag.withDefault(0)),
    ...remoteFlags
  },
  (options) =>
    attempt(async () => {
      const { auditPages } = await import("./remote/keyCommands.ts")
      for await (const page of auditPages(remoteOf(options), options.after)) {
        for (const entry of page) print(JSON.stringify(entry))
      }
    })
).pipe(
  Command.withDescription("Every entry of the audit log, a line of JSON each"),
  Command.withExamples([{ command: "stormglass audit export > audit.ndjson", description: "all of it" }])
)

const verify = Command.make(
  "verify",
  {
    file: Flag.String("file").pipe(
      Flag.withDescription("What was exported. Default: asks the control plane"),
      Flag.optional
    ),
    hash: Flag.String("hash").pipe(Flag.withDescription("One that was kept: it must be of an entry"), Flag.optional),
    ...remoteFlags
  },
  (options) =>
    attempt(async () => {
      const { auditPages, verifyAudit } = await import("./remote/keyCommands.ts")
      const pages = Option.match(options.file, {
        onNone: () => auditPages(remoteOf(options), 0),
        onSome: (file) => pagesOf(file)
      })
      print(await verifyAudit(pages, Option.getOrUndefined(options.hash)))
    })
).pipe(
  Command.withDescription("Whether the audit log is one chain of hashes, from its first entry on"),
  Command.withExamples([
    { command: "stormglass audit verify --hash 3f1a…", description: "and still has what this hash was of" }
  ])
)

export const audit = Command.make("audit").pipe(
  Command.withDescription("What was done, by whom: an append-only log, chained by hashes"),
  Command.withSubcommands([tail, exportAll, verify])
)

async function* pagesOf(file: string): AsyncGenerator<ReadonlyArray<typeof AuditView.Type>> {
  let text: string
  try {
    text = fs.readFileSync(file, "utf8")
  } catch (error) {
    throw new UsageError(`--file ${file}: cannot be read: ${reasonOf(error)}`)
  }
  const entries = text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return []
    try {
      return [Schema.decodeUnknownSync(Schema.fromJsonString(AuditView))(line)]
    } catch {
      throw new UsageError(`${file}:${index + 1}: not an entry of an audit log`)
    }
  })
  if (entries.length === 0) throw new UsageError(`--file ${file}: no entry is in it; was what exported it cut off?`)
  yield entries
}

const requireKey = (id: string): string =>
  require("key", KeyId, id, "16 hexadecimal digits; see `stormglass keys list`")

const wordsOf = (text: string): ReadonlyArray<string> => text.split(",").map((word) => word.trim())

const secondsOf = (flag: string, text: string): number => Math.floor(durationMicros(flag, text) / 1_000_000)

function require<A>(flag: string, schema: Schema.Codec<A, unknown>, value: unknown, right: string): A {
  const decoded = Schema.decodeUnknownOption(schema)(value)
  if (Option.isSome(decoded)) return decoded.value
  throw new UsageError(`${flag} "${Array.isArray(value) ? value.join(",") : String(value)}": ${right}`)
}
