/** Control planes by name, and the keys for them. */
import { constants } from "node:os"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Prompt from "effect/cli/Prompt"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { key as parseKey } from "./config/parse.ts"
import { added, chosen, contextsFile, readContexts, removed, used, withKey, writeContexts } from "./remote/contexts.ts"
import { addressesOf, contextFlag, contextNameOf, requireName } from "./remote/remoteFlags.ts"
import { table } from "./remote/table.ts"
import { print } from "./printed.ts"
import { attempt } from "./runCommand.ts"
import { UsageError } from "./Usage.ts"

const nameArgument = Argument.String("name").pipe(Argument.withDescription("The name of a context"))

const list = Command.make(
  "list",
  { json: Flag.Boolean("json").pipe(Flag.withDescription("Without keys"), Flag.withDefault(false)) },
  ({ json }) =>
    attempt(async () => {
      const { contexts, current } = readContexts()
      const shown = Object.entries(contexts).map(([name, { key, project, servers }]) => ({
        name,
        isCurrent: name === current,
        servers,
        project,
        hasKey: key !== undefined
      }))
      const rows = shown.map(({ hasKey, isCurrent, name, project, servers }) => [
        isCurrent ? "*" : "",
        name,
        servers.join(","),
        project,
        hasKey ? "yes" : "no: stormglass login"
      ])
      print(json ? JSON.stringify(shown, null, 2) : table(["", "context", "servers", "project", "key"], rows))
    })
).pipe(Command.withDescription("All of them; the one in use has a *"))

const add = Command.make(
  "add",
  {
    name: nameArgument,
    server: Flag.String("server").pipe(Flag.withDescription("Nodes, separated by commas")),
    project: Flag.String("project").pipe(Flag.withDefault("default"))
  },
  ({ name, project, server }) =>
    attempt(async () => {
      const servers = addressesOf(Option.some(server)) ?? []
      if (servers.length === 0) throw new UsageError("--server: at least one node")
      const context = { servers, project: requireName("--project", project) }
      writeContexts(added(readContexts(), requireName("context", name), context))
      print(`${name}: added; \`stormglass login --context ${name}\` keeps a key for it`)
    })
).pipe(
  Command.withDescription("A control plane, by a name of your own; the first is used from then on"),
  Command.withExamples([
    { command: "stormglass context add shop --server https://n1:8081,https://n2:8081 --project shop", description: "" }
  ])
)

const use = Command.make("use", { name: nameArgument }, ({ name }) =>
  attempt(async () => {
    writeContexts(used(readContexts(), name))
    print(`${name}: used from now on, where no server is named`)
  })
).pipe(Command.withDescription("The one that commands mean from now on"))

const remove = Command.make("remove", { name: nameArgument }, ({ name }) =>
  attempt(async () => {
    writeContexts(removed(readContexts(), name))
    print(`${name}: removed, and its key with it`)
  })
).pipe(Command.withDescription("Forgets it, and its key"))

const context = Command.make("context").pipe(
  Command.withDescription("Control planes by name: where they are, which project is meant, and the key for them"),
  Command.withSubcommands([list, use, add, remove]),
  Command.withExamples([
    { command: "stormglass context add shop --server https://n1:8081 --project shop", description: "then login" },
    { command: "stormglass context use shop", description: "from now on" }
  ])
)

const login = Command.make("login", { context: contextFlag }, (options) =>
  Effect.gen(function* () {
    const name = yield* Effect.sync(() => {
      const found = chosen(readContexts(), contextNameOf(options.context))
      if (found !== undefined) return found.name
      throw new UsageError("login: to which control plane? `stormglass context add NAME --server …` first")
    })
    const typed = process.stdin.isTTY ? yield* asked(name) : Redacted.make(yield* Effect.promise(readAll))
    yield* attempt(() => keep(name, typed))
  })
).pipe(
  Command.withDescription("Keeps a key for a context: typed, or read from standard input; it is tried first"),
  Command.withExamples([{ command: "stormglass login --context shop < key", description: "or without < key, typed" }])
)

/** Nothing of what is typed is shown, not even how long it is. Ctrl-C ends the process as the signal would, and nothing is kept. */
const asked = (name: string) =>
  Prompt.run(Prompt.Hidden({ message: `The key for ${name} (it is not shown)` })).pipe(
    Effect.catchTag("QuitError", () =>
      Effect.sync((): never => {
        process.stdout.write("\n")
        return process.exit(128 + constants.signals.SIGINT)
      })
    )
  )

const readAll = async (): Promise<string> => {
  let text = ""
  for await (const chunk of process.stdin) text += String(chunk)
  return text.trim()
}

/** Once the control plane knows it. */
const keep = async (name: string, typed: Redacted.Redacted): Promise<void> => {
  const parsed = parseKey(Redacted.value(typed) as string)
  if (Result.isFailure(parsed)) throw new UsageError(`login: ${parsed.failure}`)
  const { triedKey } = await import("./remote/remoteCommands.ts")
  const { project, servers } = chosen(readContexts(), name)!
  const said = await triedKey({ addresses: servers, project, key: parsed.success })
  writeContexts(withKey(readContexts(), name, Redacted.value(parsed.success) as string))
  print(`${name}: ${said}; kept in ${contextsFile()}`)
}

export const contextCommands = [context, login] as const
