/** What every command for a control plane that runs somewhere is told: where it is, and which project is meant. */
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Name } from "../../../core/api/Views.ts"
import { agentSettings } from "../config/settings.ts"
import { UsageError } from "../Usage.ts"
import { keyFor } from "./calling.ts"
import type { Remote } from "./remoteCommands.ts"

export const remoteFlags = {
  server: Flag.String("server").pipe(
    Flag.withDescription("Nodes, separated by commas: STORMGLASS_SERVER, or else http://localhost:8081"),
    Flag.optional
  ),
  project: Flag.String("project").pipe(Flag.withDescription("STORMGLASS_PROJECT, or else default"), Flag.optional)
}

interface RemoteFlags {
  readonly server: Option.Option<string>
  readonly project: Option.Option<string>
}

export function remoteOf({ project, server }: RemoteFlags): Remote {
  const addresses = addressesOf(server)
  return {
    addresses,
    key: keyFor(addresses),
    project: requireName(
      "--project",
      Option.getOrElse(project, () => process.env["STORMGLASS_PROJECT"] ?? "default")
    )
  }
}

function addressesOf(server: Option.Option<string>): ReadonlyArray<string> {
  const { parse, variable } = agentSettings.server
  const said = process.env[variable]?.trim() ?? ""
  const text = Option.getOrElse(server, () => said)
  if (text === "") return agentSettings.server.default
  const parsed = parse(text)
  if (Result.isSuccess(parsed)) return parsed.success
  throw new UsageError(`${Option.isSome(server) ? "--server" : variable} "${text}": ${parsed.failure}`)
}

export function requireName(flag: string, text: string): string {
  if (Schema.is(Name)(text)) return text
  throw new UsageError(`${flag} "${text}": a name is lower case letters, digits and inner hyphens, at most 63`)
}
