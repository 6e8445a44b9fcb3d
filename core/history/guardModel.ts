/** A model that says which of its functions threw, and at what: whoever wrote it needs no stack to find it. */
import type { Model } from "./Model.ts"

/** A function of a model or of its dialect threw. One line. */
export class ModelThrew extends Error {
  override readonly name = "ModelThrew"

  /** `at` is an operation and its lines, where they are known. */
  constructor(its: string, at: string | undefined, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : `it threw ${String(cause)}`
    super(`its ${its} throws${at === undefined ? "" : ` at ${at}`}: ${reason}`.split("\n").join(" "), { cause })
  }
}

/** Answers as the model does, and throws only `ModelThrew`. `whereOf` tells the lines of an operation. */
export const guardModel = <State, Input, Output>(
  model: Model<State, Input, Output>,
  whereOf: (input: Input, output: Output | undefined) => string | undefined
): Model<State, Input, Output> => {
  const said = (input: Input, output: Output | undefined): string | undefined => {
    const where = whereOf(input, output)
    try {
      return `${model.describe(input, output)}${where === undefined ? "" : ` (${where})`}`
    } catch {
      // What was thrown first is what is told.
      return where
    }
  }
  const { bytes, changesNothing, partition } = model
  return {
    name: model.name,
    initial: guarded("initial", undefined, () => model.initial),
    // What a search calls all the time makes no closures.
    step: (state, input, output, times) => {
      try {
        return model.step(state, input, output, times)
      } catch (error) {
        throw new ModelThrew("step", said(input, output), error)
      }
    },
    equals: (left, right) => {
      try {
        return model.equals(left, right)
      } catch (error) {
        throw new ModelThrew("equals", undefined, error)
      }
    },
    hash: (state) => {
      try {
        return model.hash(state)
      } catch (error) {
        throw new ModelThrew("hash", undefined, error)
      }
    },
    ...(bytes === undefined ? {} : { bytes: (state) => guarded("bytes", undefined, () => bytes.call(model, state)) }),
    ...(partition === undefined
      ? {}
      : {
          partition: (input) =>
            guarded(
              "partition",
              () => said(input, undefined),
              () => partition.call(model, input)
            )
        }),
    ...(changesNothing === undefined
      ? {}
      : {
          changesNothing: (input, output) =>
            guarded(
              "changesNothing",
              () => said(input, output),
              () => changesNothing.call(model, input, output)
            )
        }),
    describe: (input, output) =>
      guarded(
        "describe",
        () => whereOf(input, output),
        () => model.describe(input, output)
      ),
    describeState: (state) => guarded("describeState", undefined, () => model.describeState(state))
  }
}

function guarded<A>(its: string, at: (() => string | undefined) | undefined, body: () => A): A {
  try {
    return body()
  } catch (error) {
    throw new ModelThrew(its, at?.(), error)
  }
}
