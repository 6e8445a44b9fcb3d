/** What the operating system tells of processes: whether one is the one that was started. */
import { execFileSync } from "node:child_process"
import fs from "node:fs"
import { uidVariable } from "./InstanceCommand.ts"

const hasProc = process.platform === "linux"

/** When a process was started, in the system's own words, the same for as long as it lives; undefined when there is none. */
export const startTimeOf = (pid: number): string | undefined => {
  if (!hasProc) return startTimeByPs(pid)
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8")
    // The name, in parentheses, may hold anything; state is the first word behind it, the start time the twentieth.
    const words = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return words[0] === "Z" ? undefined : words[19]
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

export const isAlive = (pid: number, startTime: string | null): boolean => {
  const now = startTimeOf(pid)
  return now !== undefined && now === startTime
}

/** Stopped by SIGSTOP. False when there is no such process. */
export const isStopped = (pid: number): boolean => {
  try {
    if (!hasProc) return execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).startsWith("T")
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8")
    return stat.slice(stat.lastIndexOf(")") + 2).startsWith("T")
  } catch {
    // There is none.
    return false
  }
}

/** The oldest process that was started for the instance; undefined where it cannot be looked for. */
export const processOfInstance = (uid: string): number | undefined => {
  if (!hasProc) return undefined
  const wanted = `${uidVariable}=${uid}`
  return fs
    .readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .toSorted((a, b) => a - b)
    .find((pid) => environmentOf(pid).includes(wanted) && startTimeOf(pid) !== undefined)
}

function environmentOf(pid: number): ReadonlyArray<string> {
  try {
    return fs.readFileSync(`/proc/${pid}/environ`, "utf8").split("\0")
  } catch (error) {
    // Of another user, or gone.
    if (isGone(error) || (error as NodeJS.ErrnoException).code === "EACCES") return []
    throw error
  }
}

function startTimeByPs(pid: number): string | undefined {
  try {
    const [state, ...started] = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], { encoding: "utf8" })
      .trim()
      .split(/\s+/)
    return state === undefined || state === "" || state.startsWith("Z") ? undefined : started.join(" ")
  } catch {
    // Its exit code says that there is none.
    return undefined
  }
}

function isGone(error: unknown): boolean {
  return ["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")
}
