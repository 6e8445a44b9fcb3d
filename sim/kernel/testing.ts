/**
 * A kernel with nodes for the tests of this folder: no network, no plan.
 */
import type { Envelope } from "../../core/facts/Envelope.ts"
import { Kernel, type Limits } from "./Kernel.ts"
import * as NodeServices from "./NodeServices.ts"
import * as Schedule from "./Schedule.ts"
import type { NodeOptions, Program, SimNode } from "./SimNode.ts"

export interface TestKernel {
  readonly kernel: Kernel
  readonly add: (name: string, program: Program, onExit?: NodeOptions["onExit"]) => SimNode
  /** Every fact so far, in order. */
  readonly heard: ReadonlyArray<Envelope>
}

export const makeKernel = (
  options: {
    readonly seed?: string
    readonly strategy?: Schedule.Strategy
    readonly limits?: Limits
    readonly isTracking?: boolean
  } = {}
): TestKernel => {
  const kernel = new Kernel({
    seed: options.seed ?? "1",
    ...(options.limits === undefined ? {} : { limits: options.limits })
  })
  const heard: Array<Envelope> = []
  kernel.facts.subscribeDetailed((envelope) => heard.push(envelope))
  return {
    kernel,
    heard,
    add: (name, program, onExit = () => undefined) =>
      kernel.addNode(name, {
        program,
        strategy: options.strategy ?? Schedule.fifo,
        isTracking: options.isTracking ?? true,
        services: (node) => NodeServices.make(node, { mark: () => undefined, visit: () => ({ _tag: "Pass" }) }),
        onExit
      })
  }
}
