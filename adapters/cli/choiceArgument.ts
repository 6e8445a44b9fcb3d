/** A positional argument that is one of a few words; its help says which. */
import * as Argument from "effect/cli/Argument"

export const choiceArgument = <const Choices extends ReadonlyArray<string>>(
  name: string,
  choices: Choices,
  what: string
): Argument.Argument<Choices[number]> =>
  Argument.Literals(name, choices).pipe(Argument.withDescription(`${what}: ${choices.join(", ")}`))
