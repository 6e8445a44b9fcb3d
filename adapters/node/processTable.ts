/** What the operating system tells of processes: whether one is the one that was started, and what is left of its group. */
import { execFileSync } from "node:child_process"
import fs from "node:fs"
import { uidVariable } from "./InstanceCommand.ts"

const hasProc = process.platform === "linux"

/** A process for as long as it lives: its number may be given to another afterwards. */
export interface Member {
  readonly pid: number
  readonly startTime: string
}

/** When a process was started, in the system's own words, the same for as long as it lives; undefined when there is none. */
export const startTimeOf = (pid: number): string | undefined =>
  hasProc ? statOf(pid)?.startTime : rowsOfPs(["-p", String(pid)])[0]?.startTime

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

/** Whether anybody is in the process group, those included who have ended and whom nobody has waited for. Cheap. */
export const hasGroup = (group: number): boolean => {
  // 0 and -1 have meanings of their own.
  if (group <= 1) return false
  try {
    process.kill(-group, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"
  }
}

/** Who lives in the process group. Looks at every process. */
export const membersOf = (group: number): ReadonlyArray<Member> => processes().filter((each) => each.group === group)

/** It was started for the instance, or by somebody who was. False where that cannot be seen. */
export const isOfInstance = (pid: number, uid: string): boolean =>
  hasProc && environmentOf(pid).includes(`${uidVariable}=${uid}`)

/** The process that was started for the instance, which leads a group of its number, or has led it; undefined where it cannot be looked for. */
export const processOfInstance = (uid: string): number | undefined => {
  if (!hasProc) return undefined
  const found = processes()
    .filter(({ pid }) => isOfInstance(pid, uid))
    .toSorted((a, b) => Number(a.startTime) - Number(b.startTime) || a.pid - b.pid)
  return (found.find(({ group, pid }) => group === pid) ?? found[0])?.group
}

interface Listed extends Member {
  readonly group: number
}

function processes(): ReadonlyArray<Listed> {
  if (!hasProc) return rowsOfPs(["-A"])
  return fs.readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? (statOf(Number(name)) ?? []) : []))
}

/** Undefined of one that is not there, or has ended. */
function statOf(pid: number): Listed | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8")
    // The name, in parentheses, may hold anything; behind it: state, parent, group, and as the twentieth word the start time.
    const words = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return words[0] === "Z" ? undefined : { pid, group: Number(words[2]), startTime: words[19] as string }
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
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

function rowsOfPs(which: ReadonlyArray<string>): ReadonlyArray<Listed> {
  try {
    const text = execFileSync("ps", ["-o", "pid=,pgid=,stat=,lstart=", ...which], { encoding: "utf8" })
    return text.split("\n").flatMap((line) => {
      const [pid, group, state, ...started] = line.trim().split(/\s+/)
      if (state === undefined || state.startsWith("Z")) return []
      return [{ pid: Number(pid), group: Number(group), startTime: started.join(" ") }]
    })
  } catch {
    // Its exit code says that there is none.
    return []
  }
}

function isGone(error: unknown): boolean {
  return ["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")
}
