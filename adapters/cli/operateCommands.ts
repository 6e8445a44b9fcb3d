/** The commands that run a control plane, and those that talk to one. What they need is loaded by those who need it. */
import { constants } from "node:os"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Desired } from "../../core/api/Views.ts"
import { states } from "../../core/instance/Instance.ts"
import { profileConservative, profileDefault } from "../../core/lease/Lease.ts"
import { Spec } from "../../core/ports/Provider.ts"
import { choiceArgument } from "./choiceArgument.ts"
import { configText } from "./config/configCommand.ts"
import { configFlag, readConfig } from "./config/readConfig.ts"
import type { Relations, Settings } from "./config/Setting.ts"
import {
  agentRelations,
  agentSettings,
  flagsOf,
  jwtOf,
  serveRelations,
  serveSettings,
  staticPlaceOf,
  tlsOf
} from "./config/settings.ts"
import { contextCommands } from "./contextCommands.ts"
import { exitCodeOf } from "./exitCodes.ts"
import { HelpSection } from "./HelpSection.ts"
import { choiceOf } from "./openDatabase.ts"
import { print, say } from "./printed.ts"
import { attempt } from "./runCommand.ts"
import { remoteFlags, remoteOf, requireName } from "./remote/remoteFlags.ts"
import type { Definitions } from "./remote/explain.ts"
import { kinds, listAsked } from "./remote/listings.ts"
import { type FleetDocument, manifestExample, manifestOf } from "./remote/manifest.ts"
import { CommandError, durationMicros, UsageError } from "./Usage.ts"

/** With what `--log-level` says, which is a flag of every command. */
const attemptAt = (body: (logLevel: Option.Option<string>) => Promise<void>) =>
  Effect.flatMap(GlobalFlag.LogLevel, (level) => attempt(() => body(Option.map(level, (text) => text.toLowerCase()))))

export const serve = Command.make("serve", { ...flagsOf(serveSettings), ...configFlag }, (given) =>
  attemptAt(async (logLevel) => {
    const { origins, values } = readConfig(serveSettings, { ...given, logLevel }, serveRelations)
    const { address, command, directory, failuresMax, host, id, migrate, open, port, profile, roles, weight } = values
    const { exiting, observed } = await import("./serve/observed.ts")
    const { serveCommand } = await import("./serve/serveCommand.ts")
    await serveCommand(
      {
        id,
        database: choiceOf(values),
        databaseOrigin: origins.databaseUrl.name,
        host,
        port,
        address,
        weight,
        roles,
        failuresMax,
        staticPlace: staticPlaceOf(values),
        profile: profile === "default" ? profileDefault : profileConservative,
        isMigrating: migrate,
        directory,
        jwt: jwtOf(values),
        tls: tlsOf(values),
        isKeyShown: values.printKey || process.stderr.isTTY === true,
        limits: open ? undefined : { principal: values.ratePrincipal, project: values.rateProject },
        exit: exiting(values),
        agent: values.agent
          ? { id, directory: `${directory}/agent`, exit: exiting(values), command, startMillis: values.startMillis }
          : undefined
      },
      (program) => observed(values, program)
    )
  })
).pipe(
  Command.withDescription("One node of the control plane, on the server of DATABASE_URL or an embedded database"),
  Command.withExamples([
    { command: "stormglass serve --agent", description: "all in one process, to try it" },
    { command: "DATABASE_URL=postgres://… stormglass serve --id n1", description: "one of several nodes" }
  ])
)

export const agent = Command.make("agent", { ...flagsOf(agentSettings), ...configFlag }, (given) =>
  attemptAt(async (logLevel) => {
    const { values } = readConfig(agentSettings, { ...given, logLevel }, agentRelations)
    const { command, directory, id, key, server, startMillis, tlsCa, tlsCert, tlsKey } = values
    const tls = { authority: tlsCa, certificate: tlsCert, key: tlsKey }
    const { exiting, observed } = await import("./serve/observed.ts")
    const { agentCommand } = await import("./serve/agentCommand.ts")
    const settings = { id, addresses: server, directory, exit: exiting(values), command, startMillis, key, tls }
    await agentCommand(settings, (program) => observed(values, program))
  })
).pipe(
  Command.withDescription("Runs instances as processes of this machine; they outlive it"),
  Command.withExamples([
    {
      command: "stormglass agent --id a1 --server http://n1:8081,http://n2:8081",
      description: "asks whichever node answers"
    }
  ])
)

const json = Flag.Boolean("json").pipe(
  Flag.withDescription("One JSON document on standard output"),
  Flag.withDefault(false)
)

const fleetArgument = Argument.String("fleet").pipe(Argument.withDescription("The name of a fleet"))

export const get = Command.make(
  "get",
  {
    kind: choiceArgument("kind", kinds, "What is listed"),
    state: Flag.Literals("state", states).pipe(Flag.withDescription("Only instances in this state"), Flag.optional),
    fleet: Flag.String("fleet").pipe(Flag.withDescription("Only instances or events of this fleet"), Flag.optional),
    instance: Flag.String("instance").pipe(
      Flag.withDescription("Only events of the instance with this uid, also of one that is gone"),
      Flag.optional
    ),
    limit: Flag.Int("limit").pipe(
      Flag.withDescription("So many at most; all, the default, but of operations and events the last 100"),
      Flag.optional
    ),
    fields: Flag.String("fields").pipe(
      Flag.withDescription("With --json: only these members of each document, as name,desired"),
      Flag.optional
    ),
    ...remoteFlags,
    json
  },
  (options) =>
    attempt(async () => {
      const { get } = await import("./remote/remoteCommands.ts")
      const { kind } = options
      const asked = listAsked(kind, {
        fields: Option.getOrUndefined(options.fields),
        fleet: Option.getOrUndefined(Option.map(options.fleet, (name) => requireName("--fleet", name))),
        instance: Option.getOrUndefined(options.instance),
        limit: Option.getOrUndefined(options.limit),
        state: Option.getOrUndefined(options.state),
        json: options.json
      })
      const { documents, isCut, text } = await get(remoteOf(options), kind, asked)
      print(options.json ? JSON.stringify(documents, null, 2) : text)
      if (isCut && Option.isSome(options.limit)) say(`there are more ${kind} than ${documents.length}: --limit`)
    })
).pipe(
  Command.withDescription("What a control plane has, a line or a document each"),
  Command.withExamples([
    { command: "stormglass get fleets", description: "desired, running, and what is missing" },
    { command: "stormglass get instances --fleet web --state ERROR", description: "those of one fleet that failed" },
    { command: "stormglass get fleets --json --fields name,desired --limit 10", description: "for programs" },
    {
      command: "stormglass get events --fleet web",
      description: "what happened to it, when and why, the newest first"
    },
    { command: "stormglass get dead-letters", description: "what failed too often, and why" }
  ])
)

export const describe = Command.make(
  "describe",
  {
    kind: choiceArgument("kind", ["fleet", "instance"], "What it is"),
    name: Argument.String("name").pipe(Argument.withDescription("The name of a fleet, or the uid of an instance")),
    ...remoteFlags,
    json
  },
  (options) =>
    attempt(async () => {
      const { describeFleet, describeInstance } = await import("./remote/describe.ts")
      const remote = remoteOf(options)
      const { document, text } =
        options.kind === "fleet"
          ? await describeFleet(remote, requireName("fleet", options.name))
          : await describeInstance(remote, options.name)
      print(options.json ? JSON.stringify(document, null, 2) : text)
    })
).pipe(
  Command.withDescription(
    "One fleet or instance: what is wanted, why it is not done, what happened to it, and what was asked of it last"
  ),
  Command.withExamples([{ command: "stormglass describe fleet web", description: "on one screen" }])
)

export const apply = Command.make(
  "apply",
  {
    fleet: fleetArgument.pipe(Argument.optional),
    desired: Flag.Int("desired").pipe(Flag.withDescription("How many instances"), Flag.optional),
    image: Flag.String("image").pipe(Flag.withDescription("What each of them runs"), Flag.optional),
    size: Flag.Literals("size", ["small", "medium", "large"]).pipe(Flag.withDefault("small" as const)),
    file: Flag.String("file").pipe(
      Flag.withAlias("f"),
      Flag.withDescription("Fleets and instances, JSON: one document or a list of them; - is standard input"),
      Flag.optional
    ),
    dryRun: Flag.Boolean("dry-run").pipe(
      Flag.withDescription("Shows what would change, as the control plane sees it, and keeps nothing"),
      Flag.withDefault(false)
    ),
    ...remoteFlags,
    json
  },
  (options) =>
    attempt(async () => {
      if (Option.isNone(options.file) && !options.dryRun) {
        const { apply, fleetLine } = await import("./remote/remoteCommands.ts")
        const { kind: _, ...wanted } = fleetTyped(options)
        const fleet = await apply(remoteOf(options), wanted)
        return print(options.json ? JSON.stringify(fleet, null, 2) : fleetLine(fleet))
      }
      const { applyAll, readManifest } = await import("./remote/applyFile.ts")
      const documents = Option.isSome(options.file)
        ? readManifest(requireAlone(options.file.value, options))
        : [fleetTyped(options)]
      const remote = remoteOf(options)
      const all: Array<object> = []
      for await (const applied of applyAll(remote, documents, options.dryRun)) {
        all.push(applied)
        const { change, kind, name, project } = applied
        if (!options.json)
          print(`${kind} ${project}/${name}: ${change ?? "unchanged"}${options.dryRun ? " (dry run)" : ""}`)
      }
      if (options.json) print(JSON.stringify(all, null, 2))
    })
).pipe(
  Command.withDescription("Makes what is wanted: a fleet that is typed, or the fleets and instances of a file"),
  Command.withExamples([
    { command: "stormglass apply web --desired 3 --image web:1", description: "three of them" },
    { command: "stormglass apply -f shop.json --dry-run", description: "what would change" },
    {
      command: `echo '{"kind":"fleet","name":"web","desired":3,"spec":{"image":"web:1","size":"small"}}' | stormglass apply -f -`,
      description: "from standard input"
    }
  ]),
  Command.annotate(HelpSection, {
    title: "A FILE (--file)",
    lines: [
      ...manifestExample.split("\n"),
      "",
      "One document, or a list of them. `project` may be left out: --project, then. `paused` may be added to a fleet.",
      "An instance by itself has no `desired`. `stormglass explain fleet-wanted` says what the fields mean."
    ]
  })
)

interface FleetTyped {
  readonly fleet: Option.Option<string>
  readonly desired: Option.Option<number>
  readonly image: Option.Option<string>
  readonly size: FleetDocument["spec"]["size"]
}

function fleetTyped({ desired, fleet, image, size }: FleetTyped): FleetDocument {
  if (Option.isNone(fleet)) throw new UsageError("apply: which fleet? or --file FILE")
  if (Option.isNone(desired)) throw new UsageError("apply: --desired: how many instances?")
  if (Option.isNone(image)) throw new UsageError("apply: --image: what does each of them run?")
  const spec = { image: image.value, size }
  if (!Schema.is(Spec)(spec)) throw new UsageError(`--image "${image.value}": not an image`)
  return { kind: "fleet", name: requireName("fleet", fleet.value), desired: requireDesired(desired.value), spec }
}

/** A file says all of it. */
function requireAlone(file: string, { desired, fleet, image }: FleetTyped): string {
  if (Option.isNone(fleet) && Option.isNone(desired) && Option.isNone(image)) return file
  throw new UsageError("apply: a file, or a fleet with --desired and --image: one of the two")
}

const explain = Command.make(
  "explain",
  { type: Argument.String("type").pipe(Argument.withDescription("A type, or a field of it: fleet, fleet.spec.image")) },
  ({ type }) =>
    attempt(async () => {
      const { explain } = await import("./remote/explain.ts")
      const { document } = await import("../../core/api/openApi.ts")
      print(explain(document.components.schemas as Definitions, type))
      const manifest = manifestOf(type)
      if (manifest !== undefined) print(`\nAs \`stormglass apply --file\` takes it:\n${manifest}`)
    })
).pipe(
  Command.withDescription("What a document of the API is made of, and what its fields mean"),
  Command.withExamples([
    { command: "stormglass explain fleet", description: "its fields" },
    { command: "stormglass explain fleet.status.parked", description: "one of them" }
  ])
)

export const scale = Command.make(
  "scale",
  { fleet: fleetArgument, desired: Argument.Int("desired"), ...remoteFlags, json },
  (options) =>
    attempt(async () => {
      const { fleetLine, scale } = await import("./remote/remoteCommands.ts")
      const fleet = await scale(remoteOf(options), requireName("fleet", options.fleet), requireDesired(options.desired))
      print(options.json ? JSON.stringify(fleet, null, 2) : fleetLine(fleet))
    })
).pipe(
  Command.withDescription("Sets how many instances a fleet shall have"),
  Command.withExamples([{ command: "stormglass scale web 10", description: "ten of them" }])
)

const pausing = (name: "pause" | "resume", what: string) =>
  Command.make(name, { fleet: fleetArgument, ...remoteFlags, json }, (options) =>
    attempt(async () => {
      const { fleetLine, pause } = await import("./remote/remoteCommands.ts")
      const fleet = await pause(remoteOf(options), requireName("fleet", options.fleet), name === "pause")
      print(options.json ? JSON.stringify(fleet, null, 2) : fleetLine(fleet))
    })
  ).pipe(
    Command.withDescription(what),
    Command.withExamples([{ command: `stormglass ${name} web`, description: "see `stormglass describe fleet web`" }])
  )

const pause = pausing("pause", "Leaves a fleet as it is: nothing is created for it and nothing taken away")
const resume = pausing("resume", "Ends the pause of a fleet")

export const remove = Command.make(
  "delete",
  {
    kind: choiceArgument("kind", ["fleet", "instance", "agent"], "What it is"),
    name: Argument.String("name").pipe(
      Argument.withDescription("The name of a fleet, the uid of an instance, or the name of an agent")
    ),
    ...remoteFlags
  },
  (options) =>
    attempt(async () => {
      const { forgetAgent, remove, removeFleet } = await import("./remote/remoteCommands.ts")
      const { kind, name } = options
      if (kind === "instance") {
        await remove(remoteOf(options), name)
        return print(`${name}: its end was asked for`)
      }
      if (kind === "fleet") {
        await removeFleet(remoteOf(options), requireName("fleet", name))
        return print(`${name}: its end was asked for; it leaves after the last of its instances`)
      }
      await forgetAgent(remoteOf(options), requireName("agent", name))
      print(`${name}: what ran there is taken for gone, and will run elsewhere`)
    })
).pipe(
  Command.withDescription(
    "Asks for the end of a fleet or of one instance, or says that the host of an agent is gone for good"
  ),
  Command.withExamples([
    { command: "stormglass delete fleet web", description: "and all of its instances" },
    {
      command: "stormglass delete instance web-0-43d263974474bf64",
      description: "its fleet makes another; see `stormglass get instances`"
    },
    { command: "stormglass delete agent a1", description: "only when nothing runs on its host any more" }
  ])
)

const most = (name: string, what: string) =>
  Flag.String(name).pipe(Flag.withDescription(`${what}, a number or unlimited. Default: as it is`), Flag.optional)

const projectArgument = Argument.String("project").pipe(Argument.withDescription("The name of a project"))
const { context, server } = remoteFlags
const clusterFlags = { context, server }
const remoteOfProject = (options: Pick<Parameters<typeof remoteOf>[0], "context" | "server">, project: string) =>
  remoteOf({ ...options, project: Option.some(requireName("project", project)) })

const setQuota = Command.make(
  "set",
  {
    project: projectArgument,
    fleets: most("fleets", "How many fleets it may have"),
    instances: most("instances", "How many instances it may want"),
    ...clusterFlags,
    json
  },
  ({ fleets, instances, json, project, ...options }) =>
    attempt(async () => {
      const { quotaLine, setQuota } = await import("./remote/remoteCommands.ts")
      if (Option.isNone(fleets) && Option.isNone(instances)) {
        throw new UsageError("quota set: --fleets or --instances: how many? `stormglass quota delete` takes both away")
      }
      const limits = {
        ...(Option.isNone(fleets) ? {} : { fleetsMax: requireMost("--fleets", fleets.value) }),
        ...(Option.isNone(instances) ? {} : { instancesMax: requireMost("--instances", instances.value) })
      }
      const quota = await setQuota(remoteOfProject(options, project), project, limits)
      print(json ? JSON.stringify(quota, null, 2) : quotaLine(quota))
    })
).pipe(
  Command.withDescription("How much a project may want; what is there stays, also where it is more"),
  Command.withExamples([
    { command: "stormglass quota set shop --fleets 10 --instances 100", description: "403 for whoever asks for more" },
    { command: "stormglass quota set shop --instances unlimited", description: "fleets as they were" }
  ])
)

const deleteQuota = Command.make("delete", { project: projectArgument, ...clusterFlags }, ({ project, ...options }) =>
  attempt(async () => {
    const { quotaLine, setQuota } = await import("./remote/remoteCommands.ts")
    const limits = { fleetsMax: null, instancesMax: null }
    print(quotaLine(await setQuota(remoteOfProject(options, project), project, limits)))
  })
).pipe(Command.withDescription("Takes the limits of a project away: it may want what it likes"))

const quota = Command.make("quota").pipe(
  Command.withDescription("How much projects may want, for whoever administers all of them; see also `get quotas`"),
  Command.withSubcommands([setQuota, deleteQuota])
)

const redrive = Command.make(
  "redrive",
  {
    kind: choiceArgument("kind", ["fleet", "instance", "all"], "What it is"),
    name: Argument.String("name").pipe(
      Argument.withDescription("The name of a fleet, or the uid of an instance; nothing with all"),
      Argument.optional
    ),
    ...remoteFlags
  },
  (options) =>
    attempt(async () => {
      const { redrive, redriveAll } = await import("./remote/remoteCommands.ts")
      const { kind } = options
      const name = Option.getOrUndefined(options.name)
      if (kind === "all") {
        if (name !== undefined) throw new UsageError(`redrive all: "${name}" is one too many`)
        const count = await redriveAll(remoteOf(options))
        return print(count === 0 ? "nothing is parked" : `${count} are tried again`)
      }
      if (name === undefined) throw new UsageError(`redrive ${kind}: which one? see \`stormglass get dead-letters\``)
      const wasParked = await redrive(remoteOf(options), kind, kind === "fleet" ? requireName("fleet", name) : name)
      print(wasParked ? `${name}: is tried again` : `${name}: nothing of it is parked`)
    })
).pipe(
  Command.withDescription(
    "A new try for what failed too often and is parked: a fleet and its instances, an instance, or all"
  ),
  Command.withExamples([
    { command: "stormglass redrive fleet web", description: "once its image is mended" },
    { command: "stormglass redrive all", description: "all dead letters of the project" }
  ])
)

export const wait = Command.make(
  "wait",
  {
    fleet: fleetArgument,
    for: Flag.Literals("for", ["stable"]).pipe(Flag.withDefault("stable" as const)),
    timeout: Flag.String("timeout").pipe(Flag.withDescription("60s, the default"), Flag.withDefault("60s")),
    ...remoteFlags
  },
  (options) =>
    attempt(async () => {
      const { fleetLine, followFleet } = await import("./remote/remoteCommands.ts")
      const { unstable } = await import("../../core/fleet/unstable.ts")
      endAtSignals()
      let why: string | undefined
      const isStable = await followFleet(remoteOf(options), requireName("fleet", options.fleet), {
        forMillis: durationMicros("--timeout", options.timeout) / 1_000,
        onFleet: (fleet) => {
          why = unstable(fleet)
          if (why === undefined) print(fleetLine(fleet))
          else if (process.stderr.isTTY) say(fleetLine(fleet))
          return why === undefined
        },
        onUnreached: sayUnreached
      })
      if (isStable) return
      throw new CommandError(
        `${options.fleet} is not stable after ${options.timeout}: ${why ?? "nothing was heard of it"}`,
        "late"
      )
    })
).pipe(
  Command.withDescription("Waits until a fleet is as it is wanted, and has been counted since"),
  Command.withExamples([
    {
      command: "stormglass wait web --for stable --timeout 30s",
      description: `exit code 0 when it is, ${exitCodeOf("late")} when it is not by then`
    }
  ])
)

export const watch = Command.make("watch", { fleet: fleetArgument, ...remoteFlags, json }, (options) =>
  attempt(async () => {
    const { fleetLine, followFleet } = await import("./remote/remoteCommands.ts")
    endAtSignals()
    await followFleet(remoteOf(options), requireName("fleet", options.fleet), {
      forMillis: Infinity,
      onFleet: (fleet) => {
        print(options.json ? JSON.stringify(fleet) : `${new Date().toISOString()}  ${fleetLine(fleet)}`)
        return false
      },
      onUnreached: sayUnreached
    })
  })
).pipe(
  Command.withDescription("Shows what becomes of a fleet, a line for each change, until it is stopped"),
  Command.withExamples([{ command: "stormglass watch web", description: "in a second terminal" }])
)

const sayUnreached = (): void => say("no answer; asks again")

/** Who only looks has nothing to finish. */
function endAtSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => process.exit(128 + constants.signals[signal]))
  }
}

const configOf = <const S extends Settings>(
  name: string,
  process: "serve" | "agent",
  settings: S,
  relations?: Relations<S>
) => {
  const flags: Readonly<Record<string, Flag.Flag<Option.Option<string | boolean>>>> = flagsOf(settings)
  return Command.make(name, { given: { ...flags, ...configFlag }, json }, ({ given, json }) =>
    attemptAt(async (logLevel) =>
      print(configText(settings, readConfig(settings, { ...given, logLevel }, relations), json))
    )
  ).pipe(
    Command.withDescription(
      `Every setting of \`stormglass ${process}\`: its value, and whether a flag, the environment or a file gave it`
    )
  )
}

export const config = configOf("config", "serve", serveSettings, serveRelations).pipe(
  Command.withSubcommands([
    configOf("serve", "serve", serveSettings, serveRelations),
    configOf("agent", "agent", agentSettings)
  ]),
  Command.withExamples([
    { command: "stormglass config serve --config node.json", description: "what `serve --config node.json` would do" },
    { command: "stormglass config agent --json", description: "for programs" }
  ])
)

export const operateCommands = [
  serve,
  agent,
  config,
  get,
  describe,
  apply,
  explain,
  ...contextCommands,
  scale,
  pause,
  resume,
  remove,
  quota,
  redrive,
  wait,
  watch
] as const

function requireDesired(desired: number): number {
  if (Schema.is(Desired)(desired)) return desired
  throw new UsageError(`desired: ${desired} is no number of instances; they go from 0 to 1000`)
}

/** Null: as many as it likes. */
function requireMost(flag: string, text: string): number | null {
  if (text === "unlimited") return null
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new UsageError(`${flag} "${text}": a number from 0 on, or unlimited`)
}
