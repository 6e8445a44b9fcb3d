/**
 * What an object may answer when its operations happen one at a time: the yardstick that a concurrent history is judged by.
 *
 * Write one for any object: a state, and the function that says what an operation makes of it. Everything is pure; states are
 * never altered in place.
 */

/** Called and answered, or called only. `called` and `returned` order the history; what bears one number overlaps. */
export interface Operation<Input, Output> {
  /** Names its client in explanations. */
  readonly process: string
  readonly input: Input
  /** `undefined` where no answer came, or none that says whether it happened: it may have, at any time since, or never. */
  readonly output: Output | undefined
  readonly called: number
  /** Infinity where `output` is `undefined`. */
  readonly returned: number
  /** By the clock of whoever took the history down, in any unit: only models in which time passes look at them. */
  readonly times?: Times
  /** Where it stands, for explanations: "lines 7 and 9". */
  readonly where?: string
}

export interface Times {
  readonly called: number
  /** Infinity where there was no answer. */
  readonly returned: number
}

export interface Model<State, Input, Output> {
  readonly name: string
  readonly initial: State
  /**
   * The state after the operation; `undefined` where it could not have been answered so. An operation without an answer is given
   * as one that happened: the case that it never did is not the model's.
   */
  readonly step: (state: State, input: Input, output: Output | undefined, times?: Times) => State | undefined
  readonly equals: (left: State, right: State) => boolean
  /** 32 bits, equal for equal states. */
  readonly hash: (state: State) => number
  /** About how many bytes a state holds that others do not share, where that may be more than a few hundred: the bound of memory needs it. */
  readonly bytes?: (state: State) => number
  /** Operations in different parts never concern each other (keys, names of locks): each part begins with `initial`. */
  readonly partition?: (input: Input) => string
  /** Whether it leaves every state as it is, whatever that is: then it is placed as early as it can be. */
  readonly changesNothing?: (input: Input, output: Output | undefined) => boolean
  /** "write 3", "read → 3", "read, unanswered". */
  readonly describe: (input: Input, output: Output | undefined) => string
  /** "the value is 3". */
  readonly describeState: (state: State) => string
}
