/**
 * Where a run could have gone another way, told while it runs to whoever asks: a task among several, a fiber that could be preempted, a
 * hazard that could strike, an instant in which a node acts or a packet leaves. Telling it changes no run.
 */

export type ChoicePoint =
  /** The node acted at this instant, once or more. */
  | { readonly _tag: "Acted"; readonly atMicros: number; readonly node: string }
  /** A packet left one host for another. */
  | { readonly _tag: "Packet"; readonly atMicros: number; readonly source: string; readonly target: string }
  /** One of `count` runnable tasks was taken; `name` is a deviation without its end: "n1/1@12". */
  | { readonly _tag: "Task"; readonly atMicros: number; readonly name: string; readonly count: number }
  /** A fiber has called a port, and `others` tasks would run before it if it were preempted: "n1/1#45". */
  | { readonly _tag: "PortCall"; readonly atMicros: number; readonly name: string; readonly others: number }
  /** A hazard of the kind could have struck this occurrence: "n1>database/0/opener#5". */
  | { readonly _tag: "Hazard"; readonly atMicros: number; readonly kind: string; readonly occurrence: string }

export type OnChoicePoint = (point: ChoicePoint) => void
