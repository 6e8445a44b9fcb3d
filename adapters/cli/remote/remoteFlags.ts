/** What every command for a control plane that runs somewhere is told: where it is, and which project is meant. */
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Name } from "../../../core/api/Views.ts"
import { nameExpected } from "../../../core/ports/Text.ts"
import { agentSettings } from "../config/settings.ts"
import { UsageError } from "../Usage.ts"
import { keyFor } from "./calling.ts"
import { chosen, readContexts } from "./contexts.ts"
import type { Remote } from "./remoteCommands.ts"
import { startedHere } from "./startedHere.ts"

export const contextFlag = Flag.String("context").pipe(
  Flag.withDescription("Which context: STORMGLASS_CONTEXT, or else the one in use"),
  Flag.optional
)

export const remoteFlags = {
  server: Flag.String("server").pipe(
    Flag.withDescription(
      "Nodes, separated by commas: STORMGLASS_SERVER, the context's, the cluster's or the node's that was started in this directory, or else http://localhost:8081"
    ),
    Flag.optional
  ),
  project: Flag.String("project").pipe(
    Flag.withDescription("STORMGLASS_PROJECT, the context's, or else default"),
    Flag.optional
  ),
  context: contextFlag
}

interface RemoteFlags {
  readonly server: Option.Option<string>
  readonly project: Option.Option<string>
  readonly context: Option.Option<string>
}

/** A context counts only where nobody names a server: its key is for its own servers, and its project is one of theirs. */
export function remoteOf({ context: asked, project, server }: RemoteFlags): Remote {
  const named = addressesOf(server)
  const context = named === undefined ? chosen(readContexts(), contextNameOf(asked)) : undefined
  if (named !== undefined && Option.isSome(asked)) {
    throw new UsageError("--context: a server is named as well (--server, STORMGLASS_SERVER): one of the two")
  }
  const addresses = named ?? context?.servers ?? startedHere()[0]!.addresses
  const chosenKey = keyFor(addresses, context)
  // An empty variable is none, as in most shells.
  const said = process.env["STORMGLASS_PROJECT"]?.trim() ?? ""
  return {
    addresses,
    key: chosenKey?.key,
    keyOrigin: chosenKey?.origin,
    project: Option.isSome(project)
      ? requireName("--project", project.value)
      : said === ""
        ? (context?.project ?? "default")
        : requireName("STORMGLASS_PROJECT", said)
  }
}

export const contextNameOf = (asked: Option.Option<string>): string | undefined => {
  const said = process.env["STORMGLASS_CONTEXT"]?.trim() ?? ""
  return Option.getOrElse(asked, () => (said === "" ? undefined : said))
}

/** Undefined where nobody says so. */
export function addressesOf(server: Option.Option<string>): ReadonlyArray<string> | undefined {
  const { parse, variable } = agentSettings.server
  const said = process.env[variable]?.trim() ?? ""
  const text = Option.getOrElse(server, () => said)
  if (text === "") return undefined
  const parsed = parse(text)
  if (Result.isSuccess(parsed)) return parsed.success
  throw new UsageError(`${Option.isSome(server) ? "--server" : variable} "${text}": ${parsed.failure}`)
}

export function requireName(flag: string, text: string): string {
  if (Schema.is(Name)(text)) return text
  throw new UsageError(`${flag} "${text}": a name is ${nameExpected}`)
}
