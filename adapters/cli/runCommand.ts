/**
 * Runs a command line: what is wrong with it is a line on standard error and an exit code (`exitCodes.ts`), help is shown where it was
 * asked for, and what the program itself throws keeps its stack.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { orNearest } from "../../sim/nemesis/nearest.ts"
import { Refused } from "../../sim/host/Supervisor.ts"
import { versions } from "../../reports/saveFailure.ts"
import { type Ending, exitCodeOf } from "./exitCodes.ts"
import { presenter } from "./HelpSection.ts"
import { inLine } from "./printed.ts"
import { CommandError } from "./Usage.ts"

/** The handlers are plain functions over worker threads; what they throw comes out as it is. */
export const attempt = (body: () => Promise<void>): Effect.Effect<void> => Effect.promise(body)

/** Resolves with an exit code where the command line itself decides it, and with undefined where the command does. */
export const runCommand = async <Name extends string, Input, Context, E>(
  command: Command.Command<Name, Input, Context, E, NodeServices.NodeServices>,
  args: ReadonlyArray<string> = process.argv.slice(2)
): Promise<number | undefined> => {
  // What the library prints is help: wanted when it was asked for, in the way when something was misspelt.
  const help: Array<string> = []
  const keeping: Console.Console = {
    ...globalThis.console,
    log: (...texts: ReadonlyArray<unknown>) => help.push(texts.join(" "))
  }
  const program = Command.runWith(command, { version: versions().stormglass, renderErrors: false })(args)
  const exit = await Effect.runPromiseExit(
    program.pipe(
      Effect.provideService(Console.Console, keeping),
      Effect.provideService(CliOutput.Presenter, presenter),
      Effect.provide(NodeServices.layer)
    )
  )
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  const ended = endOf(error)
  if (ended !== undefined) {
    for (const line of ended.problems) process.stderr.write(`stormglass: ${oneLine(line)}\n`)
    return exitCodeOf(ended.ending)
  }
  for (const text of help) process.stdout.write(`${text}\n`)
  if (Exit.isSuccess(exit) || isHelp(error)) return undefined
  process.stderr.write(`${Cause.pretty(exit.cause)}\n`)
  return exitCodeOf("found")
}

interface End {
  readonly ending: Ending
  readonly problems: ReadonlyArray<string>
}

/** Undefined where the program itself threw, or help was asked for. */
function endOf(error: unknown): End | undefined {
  if (error instanceof CommandError) return error
  const misuse = misuseOf(error)
  return misuse === undefined ? undefined : { ending: "misused", problems: [misuse] }
}

/** The first thing that is wrong with the command line, if anything is, in words. */
function misuseOf(error: unknown): string | undefined {
  if (error instanceof Refused) return error.message
  if (!CliError.isCliError(error)) return undefined
  const first = error._tag === "ShowHelp" ? error.errors[0] : error
  if (first === undefined || first._tag !== "InvalidValue") return first?.message
  const choices = [...first.expected.matchAll(/"([^"]+)"/g)].map(([, choice]) => choice as string)
  return `${first.message}${orNearest(first.value, choices)}`
}

function isHelp(error: unknown): boolean {
  return CliError.isCliError(error) && error._tag === "ShowHelp"
}

function oneLine(text: string): string {
  return text
    .split("\n")
    .map((line) => inLine(line.trim()))
    .filter((line) => line !== "")
    .join("; ")
}
