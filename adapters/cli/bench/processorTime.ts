/** What processes have taken of the processors, as Linux counts it: in hundredths of a second. */
import fs from "node:fs"

/** Of a process and all that it has started, in microseconds; of those that have ended, too. */
export const processorMicros = (root: number): number => {
  const children = new Map<number, Array<number>>()
  const ticks = new Map<number, number>()
  for (const entry of fs.readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue
    const stat = statOf(entry)
    if (stat === undefined) continue
    // After the name, which may hold anything: state, parent, …; user and system time, and those of children that were waited for.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    const pid = Number(entry)
    const parent = Number(fields[1])
    children.set(parent, [...(children.get(parent) ?? []), pid])
    ticks.set(
      pid,
      fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
    )
  }
  const total = (pid: number): number =>
    (children.get(pid) ?? []).reduce((sum, child) => sum + total(child), ticks.get(pid) ?? 0)
  return total(root) * microsPerTick
}

const microsPerTick = 10_000

/** Undefined when it has ended since it was listed. */
function statOf(pid: string): string | undefined {
  try {
    return fs.readFileSync(`/proc/${pid}/stat`, "utf8")
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined
    throw error
  }
}
