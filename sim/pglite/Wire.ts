/**
 * What travels between the driver on a node and PGlite on the database's: pieces of the Postgres protocol, and what is
 * said of them in traces.
 */
import { fieldsOf, tagOf } from "../../adapters/pglite/Backend.ts"
import { BadFrame, type Frame, Frames } from "../../adapters/pglite/Frames.ts"
import * as Frontend from "../../adapters/pglite/Frontend.ts"

export interface ToDatabase {
  readonly bytes: Uint8Array
}

export interface ToClient {
  readonly bytes: Uint8Array
  /** The turn that is answered; undefined for what the database says of its own accord. */
  readonly nth: number | undefined
  /** The client's transaction is open. */
  readonly isOpen: boolean
}

/** Reads along what a client sends, for traces. */
export class Reader {
  readonly #frames = new Frames()
  readonly #texts = new Map<string, string>()
  #isTyped = false

  /** What these bytes are about, in a word or two, and the label of their transaction if they say one. */
  read(bytes: Uint8Array): { readonly storage: string; readonly label?: string } {
    const texts: Array<string> = []
    try {
      for (const frame of this.#frames.push(bytes, () => this.#isTyped)) {
        this.#isTyped = true
        if (frame.type === "P") {
          const { name, text } = Frontend.parseOf(frame)
          this.#texts.set(name, text)
        } else if (frame.type === "B") texts.push(this.#texts.get(Frontend.statementName(frame) ?? "") ?? "")
        else if (frame.type === "Q") texts.push(Frontend.queryText(frame))
        else if (frame.type === "") texts.push("connect")
        else if (frame.type === "X") texts.push("goodbye")
      }
    } catch (error) {
      if (!(error instanceof BadFrame)) throw error
      return { storage: error.message }
    }
    const storage = texts.map(describe).join(", ")
    const label = texts.map(labelOf).find((found) => found !== undefined)
    return label === undefined ? { storage } : { storage, label }
  }
}

/** "lease/renew", of a statement that says so in its first comment. */
const labelOf = (text: string): string | undefined => /^\s*\/\* ([^*]*?) \*\//.exec(text)?.[1]

/** The statement without its label, and without what the adapter puts around one that is fenced. */
const bareOf = (text: string): string =>
  text
    .replace(/^\s*\/\*[^*]*\*\//, "")
    .trimStart()
    .replace(/^with answer as \(/, "")

/** "update instances", "commit". */
export const describe = (text: string): string => {
  const bare = bareOf(text)
  const [, verb = bare.slice(0, 20)] = /^(\w+)/.exec(bare) ?? []
  const [, table] = /^(?:(?:select|with)\b.*? from|insert into|update|delete from)\s+"?(\w+)"?/is.exec(bare) ?? []
  return table === undefined ? verb : `${verb} ${table}`
}

/** "3 rows", "UPDATE 1", "40001". */
export const describeAnswer = (frames: ReadonlyArray<Frame>): string => {
  const error = frames.find(({ type }) => type === "E")
  if (error !== undefined) return fieldsOf(error)["C"] ?? "error"
  const tag = frames.findLast(({ type }) => type === "C")
  return tag === undefined ? "ready" : tagOf(tag)
}

export const isCommit = (text: string): boolean => /^commit\b/i.test(bareOf(text))
export const isControl = (text: string): boolean => /^(begin|commit|rollback)\b/i.test(bareOf(text))
export const writes = (text: string): boolean => /^(insert|update|delete)\b/i.test(bareOf(text))
/** Unlike those that begin with these words; a function that writes is not seen in a select. */
export const mayWrite = (text: string): boolean =>
  !/^(select|values|table|show|set|reset|discard)\b/i.test(bareOf(text)) && !isControl(text)
export const needsRoom = (text: string): boolean => /^(insert|update)\b/i.test(bareOf(text))
/** Statements that write or lock can meet others. */
export const meetsOthers = (text: string): boolean =>
  writes(text) || /\bfor (no key update|update|key share|share)\b/i.test(text)
/** Only then does a fault of the clock have an effect. */
export const usesTime = (text: string): boolean => /\b(now|clock_timestamp)\(\)/i.test(text)
/** The function by which it takes an advisory lock for its session, if it does. */
export const sessionLockOf = (text: string): string | undefined =>
  /\bpg_(try_)?advisory_lock(_shared)?(?="?\s*\()/i.exec(text)?.[0]
