/** The commands that run a control plane, and those that talk to one. What they need is loaded by those who need it. */
import { constants } from "node:os"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Desired, Name } from "../../core/api/Views.ts"
import { profileConservative, profileDefault } from "../../core/lease/Lease.ts"
import { Spec } from "../../core/ports/Provider.ts"
import { wordsOf } from "../node/InstanceCommand.ts"
import { attempt } from "./runCommand.ts"
import { type Kind, kinds, type Remote } from "./remote/remoteCommands.ts"
import { durationMicros, UsageError } from "./Usage.ts"

const say = (line: string): void => void process.stderr.write(`${line}\n`)
const print = (text: string): void => void process.stdout.write(`${text}\n`)

const portDefault = 8_081
const commandDefault = "sleep 1000000000"

const directory = Flag.String("directory").pipe(
  Flag.withDescription("Where this process keeps what it must find again"),
  Flag.withDefault("./data")
)
const instanceCommand = Flag.String("command").pipe(
  Flag.withDescription("What runs for each instance: words, in which {uid}, {image} and {size} are replaced"),
  Flag.withDefault(commandDefault)
)

export const serve = Command.make(
  "serve",
  {
    id: Flag.String("id").pipe(Flag.withDescription("The name of the node: NODE_ID, or else local"), Flag.optional),
    host: Flag.String("host").pipe(Flag.withDescription("The interface to listen on. Default: all"), Flag.optional),
    port: Flag.Int("port").pipe(Flag.withDescription("PORT, or else 8081"), Flag.optional),
    address: Flag.String("address").pipe(Flag.withDescription("Where others reach it"), Flag.optional),
    weight: Flag.Int("weight").pipe(Flag.withDescription("Its share of the work"), Flag.withDefault(1)),
    profile: Flag.Literals("profile", ["default", "conservative"]).pipe(
      Flag.withDescription("Timing of leases: 6 s, or 15 s for databases that stall"),
      Flag.withDefault("default" as const)
    ),
    directory,
    migrate: Flag.Boolean("migrate").pipe(
      Flag.withDescription("Brings the schema of a server up to date first"),
      Flag.withDefault(false)
    ),
    agent: Flag.Boolean("agent").pipe(
      Flag.withDescription("Runs instances, too, as processes of this machine"),
      Flag.withDefault(false)
    ),
    command: instanceCommand
  },
  (options) =>
    attempt(async () => {
      const id = requireName(
        "--id",
        Option.getOrElse(options.id, () => process.env["NODE_ID"] ?? "local")
      )
      const port = requirePort(Option.getOrElse(options.port, () => Number(process.env["PORT"] ?? portDefault)))
      if (options.weight < 1) throw new UsageError(`--weight: ${options.weight} is no share; the least is 1`)
      const { serveCommand } = await import("./serve/serveCommand.ts")
      await serveCommand({
        id,
        host: Option.getOrUndefined(options.host),
        port,
        address: Option.getOrUndefined(Option.map(options.address, (text) => requireAddress("--address", text))),
        weight: options.weight,
        profile: options.profile === "default" ? profileDefault : profileConservative,
        directory: options.directory,
        isMigrating: options.migrate,
        agent: options.agent
          ? { id, directory: `${options.directory}/agent`, command: requireWords(options.command), say }
          : undefined,
        say
      })
    })
).pipe(
  Command.withDescription("One node of the control plane, on the server of DATABASE_URL or an embedded database"),
  Command.withExamples([
    { command: "stormglass serve --agent", description: "all in one process, to try it" },
    { command: "DATABASE_URL=postgres://… stormglass serve --id n1", description: "one of several nodes" }
  ])
)

export const agent = Command.make(
  "agent",
  {
    id: Flag.String("id").pipe(Flag.withDescription("The name of the agent")),
    server: Flag.String("server").pipe(
      Flag.withDescription("Nodes of the control plane, separated by commas: STORMGLASS_SERVER"),
      Flag.optional
    ),
    directory,
    command: instanceCommand
  },
  (options) =>
    attempt(async () => {
      const { agentCommand } = await import("./serve/agentCommand.ts")
      await agentCommand({
        id: requireName("--id", options.id),
        addresses: addressesOf(options.server),
        directory: options.directory,
        command: requireWords(options.command),
        say
      })
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

const remoteFlags = {
  server: Flag.String("server").pipe(
    Flag.withDescription("Nodes, separated by commas: STORMGLASS_SERVER, or else http://localhost:8081"),
    Flag.optional
  ),
  project: Flag.String("project").pipe(Flag.withDescription("STORMGLASS_PROJECT, or else default"), Flag.optional)
}

const json = Flag.Boolean("json").pipe(
  Flag.withDescription("One JSON document on standard output"),
  Flag.withDefault(false)
)

const fleetArgument = Argument.String("fleet").pipe(Argument.withDescription("The name of a fleet"))

export const get = Command.make("get", { kind: Argument.Literals("kind", kinds), ...remoteFlags, json }, (options) =>
  attempt(async () => {
    const { get } = await import("./remote/remoteCommands.ts")
    const { documents, text } = await get(remoteOf(options), options.kind as Kind)
    print(options.json ? JSON.stringify(documents, null, 2) : text)
  })
).pipe(
  Command.withDescription("What a control plane has: fleets, instances, members, leases or agents"),
  Command.withExamples([{ command: "stormglass get fleets", description: "desired, running, and what is missing" }])
)

export const apply = Command.make(
  "apply",
  {
    fleet: fleetArgument,
    desired: Flag.Int("desired").pipe(Flag.withDescription("How many instances")),
    image: Flag.String("image").pipe(Flag.withDescription("What each of them runs")),
    size: Flag.Literals("size", ["small", "medium", "large"]).pipe(Flag.withDefault("small" as const)),
    ...remoteFlags,
    json
  },
  (options) =>
    attempt(async () => {
      const { apply, fleetLine } = await import("./remote/remoteCommands.ts")
      const name = requireName("fleet", options.fleet)
      const spec = { image: options.image, size: options.size }
      if (!Schema.is(Spec)(spec)) throw new UsageError(`--image "${options.image}": not an image`)
      const fleet = await apply(remoteOf(options), { name, desired: requireDesired(options.desired), spec })
      print(options.json ? JSON.stringify(fleet, null, 2) : fleetLine(fleet))
    })
).pipe(
  Command.withDescription("Makes a fleet, or sets how many instances it shall have"),
  Command.withExamples([{ command: "stormglass apply web --desired 3 --image web:1", description: "three of them" }])
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

export const remove = Command.make(
  "delete",
  {
    kind: Argument.Literals("kind", ["instance", "agent"]),
    name: Argument.String("name").pipe(Argument.withDescription("The uid of an instance, or the name of an agent")),
    ...remoteFlags
  },
  (options) =>
    attempt(async () => {
      const { forgetAgent, remove } = await import("./remote/remoteCommands.ts")
      const { kind, name } = options
      if (kind === "instance") {
        await remove(remoteOf(options), name)
        return print(`${name}: its end was asked for`)
      }
      await forgetAgent(remoteOf(options), requireName("agent", name))
      print(`${name}: what ran there is taken for gone, and will run elsewhere`)
    })
).pipe(
  Command.withDescription("Asks for the end of one instance, or says that the host of an agent is gone for good"),
  Command.withExamples([
    {
      command: "stormglass delete instance web-0-43d263974474bf64",
      description: "its fleet makes another; see `stormglass get instances`"
    },
    { command: "stormglass delete agent a1", description: "only when nothing runs on its host any more" }
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
      const { fleetLine, followFleet, unstable } = await import("./remote/remoteCommands.ts")
      endAtSignals()
      const isStable = await followFleet(remoteOf(options), requireName("fleet", options.fleet), {
        forMillis: durationMicros("--timeout", options.timeout) / 1_000,
        onFleet: (fleet) => {
          const isDone = unstable(fleet) === undefined
          if (isDone) print(fleetLine(fleet))
          else if (process.stderr.isTTY) say(fleetLine(fleet))
          return isDone
        },
        onUnreached: sayUnreached
      })
      if (isStable) return
      throw new UsageError(`${options.fleet} is not stable after ${options.timeout}`)
    })
).pipe(
  Command.withDescription("Waits until a fleet is as it is wanted, and has been counted since"),
  Command.withExamples([
    { command: "stormglass wait web --for stable --timeout 30s", description: "exit code 0 when it is" }
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

export const operateCommands = [serve, agent, get, apply, scale, remove, wait, watch] as const

interface RemoteFlags {
  readonly server: Option.Option<string>
  readonly project: Option.Option<string>
}

function remoteOf({ project, server }: RemoteFlags): Remote {
  return {
    addresses: addressesOf(server),
    project: requireName(
      "--project",
      Option.getOrElse(project, () => process.env["STORMGLASS_PROJECT"] ?? "default")
    )
  }
}

function addressesOf(server: Option.Option<string>): ReadonlyArray<string> {
  const text = Option.getOrElse(server, () => process.env["STORMGLASS_SERVER"] ?? `http://localhost:${portDefault}`)
  return text.split(",").map((each) => requireAddress("--server", each.trim()))
}

function requireAddress(flag: string, text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new UsageError(`${flag} "${text}": not an address such as http://localhost:8081`)
  }
  return text.replace(/\/$/, "")
}

function requireName(flag: string, text: string): string {
  if (Schema.is(Name)(text)) return text
  throw new UsageError(`${flag} "${text}": a name is lower case letters, digits and inner hyphens, at most 63`)
}

function requirePort(port: number): number {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  throw new UsageError(`--port: ${port} is no port; they go from 0 to 65535`)
}

function requireDesired(desired: number): number {
  if (Schema.is(Desired)(desired)) return desired
  throw new UsageError(`desired: ${desired} is no number of instances; they go from 0 to 1000`)
}

export function requireWords(text: string): ReadonlyArray<string> {
  const words = wordsOf(text)
  if (typeof words === "string") throw new UsageError(`--command "${text}": ${words}`)
  return words
}
