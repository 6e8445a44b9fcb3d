/**
 * What was thrown, as text for a person: the message and the frames of whoever wrote the scenario, with paths relative to
 * the working directory. Frames of Node, of Effect and of the simulator are left out, unless there are no others.
 */
import { fileURLToPath } from "node:url"

export const causeOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const lines = (error.stack ?? error.message).split("\n")
  const started = lines.findIndex((line) => isFrame(line) && isStart(line))
  const frames = lines.slice(0, started === -1 ? undefined : started).filter(isFrame)
  const telling = frames.filter(isTelling)
  const head = lines.filter((line) => !isFrame(line))
  const because = error.cause === undefined ? [] : [`  because of ${causeOf(error.cause)}`]
  return [...head, ...(telling.length === 0 ? frames : telling).map(relative), ...because].join("\n")
}

/** As Node names it in frames, and as whoever transforms the sources does. */
const simulator = new URL("../", import.meta.url)
const simulators = [simulator.href, fileURLToPath(simulator)] as const

/** Whoever starts a run is none of its business. */
function isStart(frame: string): boolean {
  return simulators.some((folder) => frame.includes(`${folder}host/runHere.`))
}

function isFrame(line: string): boolean {
  return /^\s+at /.test(line)
}

function isTelling(frame: string): boolean {
  if (frame.includes("node:") || frame.includes("<anonymous>)") || /node_modules\/effect\//.test(frame)) return false
  return !simulators.some((folder) => frame.includes(folder)) || /\.(test|fixture)\./.test(frame)
}

function relative(text: string): string {
  return text.replaceAll("file://", "").replaceAll(`${process.cwd()}/`, "")
}
