/** One figure, in this process: prints what it took as one line of JSON. */
// oxlint-disable-next-line import/no-unassigned-import -- what must precede Effect is imported for its effect alone
import "../../../sim/host/withoutAsyncHooks.ts"
import { figures, type Work } from "./figures.ts"

export interface Measured extends Work {
  readonly millis: number
  readonly peakMegabytes: number
}

const [group, name] = process.argv.slice(2)
const figure = figures.find((candidate) => candidate.group === group && candidate.name === name)
if (figure === undefined) throw new Error(`there is no figure ${name} in ${group}`)
const work = await figure.load()
const from = performance.now()
const done = await work()
const measured: Measured = {
  ...done,
  millis: done.millis ?? performance.now() - from,
  peakMegabytes: process.resourceUsage().maxRSS / 1024
}
process.stdout.write(`${JSON.stringify(measured)}\n`)
