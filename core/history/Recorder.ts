/**
 * The histories of many objects of one kind, taken down while they are made: calls and answers out of whatever tells of them.
 *
 * - R1 A history that is too long is cut at one moment: what had not been answered by then stays open, what is called later is left out.
 *   What is kept is a history as well, and whatever it shows is shown by the whole.
 */
import type { Operation, Times } from "./Model.ts"

/** A call, which waits for its answer at first. `called` and `returned` rise with every telling, `calledAt` and `returnedAt` are of a clock. */
export class Call<Input, Output> {
  readonly process: string
  readonly input: Input
  readonly called: number
  readonly calledAt: number
  output: Output | undefined
  returned = Infinity
  returnedAt = Infinity
  /** It certainly did not happen, or says nothing. */
  isDropped = false
  readonly #history: History<Input, Output>

  constructor(history: History<Input, Output>, process: string, input: Input, called: number, calledAt: number) {
    this.#history = history
    this.process = process
    this.input = input
    this.called = called
    this.calledAt = calledAt
  }

  answer(output: Output, returned: number, returnedAt: number): void {
    if (this.#history.isCut || this.returned !== Infinity) return
    this.output = output
    this.returned = returned
    this.returnedAt = returnedAt
  }
}

interface History<Input, Output> {
  calls: Array<Call<Input, Output>>
  isCut: boolean
}

/** One object's, in the order of the calls. */
export interface Recorded<Input, Output> {
  readonly operations: ReadonlyArray<RecordedOperation<Input, Output>>
  readonly isCut: boolean
}

export interface RecordedOperation<Input, Output> extends Operation<Input, Output> {
  /** By the clock of the tellings; Infinity where there was no answer. */
  readonly returnedAt: number
}

export class Recorder<Input, Output> {
  readonly #histories = new Map<string, History<Input, Output>>()
  readonly #operationsMax: number

  /** Of one object at most so many operations. */
  constructor(operationsMax: number) {
    this.#operationsMax = operationsMax
  }

  call(object: string, process: string, input: Input, called: number, calledAt: number): Call<Input, Output> {
    let history = this.#histories.get(object)
    if (history === undefined) this.#histories.set(object, (history = { calls: [], isCut: false }))
    const call = new Call(history, process, input, called, calledAt)
    if (history.isCut) return call
    if (history.calls.length >= this.#operationsMax) history.calls = history.calls.filter(({ isDropped }) => !isDropped)
    history.isCut = history.calls.length >= this.#operationsMax
    if (!history.isCut) history.calls.push(call)
    return call
  }

  /** By the names of the objects. With `timesOf` the operations have times: from that of the call to that of the answer. */
  histories(
    timesOf?: (calledAt: number, returnedAt: number) => Times | undefined
  ): ReadonlyMap<string, Recorded<Input, Output>> {
    const recorded = new Map<string, Recorded<Input, Output>>()
    for (const [name, { calls, isCut }] of this.#histories) {
      const operations: Array<RecordedOperation<Input, Output>> = []
      for (const { called, calledAt, input, isDropped, output, process, returned, returnedAt } of calls) {
        if (isDropped) continue
        const times = timesOf?.(calledAt, returnedAt)
        const operation = { process, input, output, called, returned, returnedAt }
        operations.push(times === undefined ? operation : { ...operation, times })
      }
      recorded.set(name, { operations, isCut })
    }
    return recorded
  }
}
