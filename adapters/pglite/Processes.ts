/**
 * Which process is which on this machine: a process id is used again, together with when its process began it is not.
 */
import { spawnSync } from "node:child_process"
import fs from "node:fs"

/** What the system says of a process id. */
export type Found =
  | { readonly _tag: "Nobody" }
  /** `began` is "" where the system does not say. */
  | { readonly _tag: "Somebody"; readonly began: string }

/** Whether the process that began then is still there. What cannot be known counts as alive: it may hold something. */
export const isSame = (began: string, found: Found): boolean =>
  found._tag === "Somebody" && (began === "" || found.began === "" || began === found.began)

export const find = (pid: number): Found =>
  // Absent on everything but Linux.
  fs.existsSync("/proc/self/stat") ? findInProc(pid) : findByPs(pid)

function findInProc(pid: number): Found {
  let stat: string
  try {
    stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8")
  } catch (error) {
    // Processes of others may be hidden.
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ESRCH") return isThere(pid) ? unknown : nobody
    throw error
  }
  return foundIn(stat, fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8"))
}

/** What `/proc/<pid>/stat` says, together with which start of the machine this is: the time in it counts from there. */
export const foundIn = (stat: string, bootId: string): Found => {
  // Counted behind the name, which may hold anything but ends with the last parenthesis.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  // Dead, and only not yet asked for by its parent.
  if (fields[0] === "Z" || fields[0] === "X") return nobody
  return { _tag: "Somebody", began: `${bootId.trim()}-${fields[19]}` }
}

function findByPs(pid: number): Found {
  // Else the same time reads differently to processes that are set up differently.
  const env = { ...process.env, LC_ALL: "C", TZ: "UTC" }
  const { error, status, stdout } = spawnSync("ps", ["-o", "stat=", "-o", "lstart=", "-p", String(pid)], {
    encoding: "utf8",
    env
  })
  if (error !== undefined) return isThere(pid) ? unknown : nobody
  return status === 0 ? foundByPs(stdout) : isThere(pid) ? unknown : nobody
}

/** What `ps -o stat= -o lstart=` says. */
export const foundByPs = (line: string): Found => {
  const [, state = "", began = ""] = /^\s*(\S+)\s+(.*?)\s*$/.exec(line) ?? []
  if (state.startsWith("Z")) return nobody
  return { _tag: "Somebody", began }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it lives, and is somebody else's.
    return codeOf(error) !== "ESRCH"
  }
}

const nobody: Found = { _tag: "Nobody" }
const unknown: Found = { _tag: "Somebody", began: "" }

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}
