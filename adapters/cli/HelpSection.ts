/** What the help of a command ends with, where the library has no section for it: an annotation of the command. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as CliOutput from "effect/cli/CliOutput"
import * as Console from "effect/Console"
import { paint } from "./Output.ts"

export interface Section {
  /** "EXIT CODES", as the library writes its own. */
  readonly title: string
  readonly lines: ReadonlyArray<string>
}

export const HelpSection: Context.Reference<Section | undefined> = Context.Reference<Section | undefined>(
  "stormglass/adapters/cli/HelpSection",
  { defaultValue: () => undefined }
)

/** As the library presents what it says, with the section of the command below its help. */
export const presenter: CliOutput.Presenter = {
  present: (event) => {
    const presented = CliOutput.defaultPresenter.present(event)
    const section = event._tag === "Help" ? Context.get(event.helpDoc.annotations, HelpSection) : undefined
    if (section === undefined) return presented
    const lines = section.lines.map((line) => (line === "" ? "" : `  ${line}`))
    return Effect.andThen(presented, Console.log(["", paint("bold", section.title), ...lines].join("\n")))
  }
}
