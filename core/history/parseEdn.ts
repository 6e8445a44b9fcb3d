/**
 * As much of EDN as histories are written in, each form with the line on which it begins. Keywords and symbols become their names
 * without the colon, whole numbers that JavaScript cannot hold become texts, maps objects, sets arrays in order of their texts;
 * tags and metadata are left out.
 */
import { canonicalJson } from "../json/canonicalJson.ts"
import { depthMax, Unreadable } from "./HistoryRecord.ts"
import type { Value } from "./Value.ts"

export interface Form {
  readonly line: number
  readonly value: Value
}

/** Top-level forms; a list or vector around all of them is looked through. Throws `Unreadable`. */
export const parseEdn = (text: string): ReadonlyArray<Form> => new Reader(text).forms()

const space = /[\s,]/
const delimiter = /[\s,"()[\]{};]/
const closing: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" }
const characters: Readonly<Record<string, string>> = { newline: "\n", return: "\r", space: " ", tab: "\t" }
const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f", '"': '"', "\\": "\\" }

class Reader {
  readonly #text: string
  #at = 0
  #line = 1
  #depth = 0

  constructor(text: string) {
    this.#text = text
  }

  forms(): ReadonlyArray<Form> {
    const forms: Array<Form> = []
    let around: { readonly close: string; readonly line: number } | undefined
    for (;;) {
      this.#skip()
      const next = this.#text[this.#at]
      if (next === undefined) {
        if (around !== undefined) this.#cut(around.line)
        return forms
      }
      if (around === undefined && forms.length === 0 && (next === "[" || next === "(")) {
        around = { close: closing[next]!, line: this.#line }
        this.#at++
      } else if (next === around?.close) {
        this.#at++
        this.#skip()
        if (this.#at < this.#text.length) throw new Unreadable(this.#line, "there is something after the last bracket")
        return forms
      } else {
        const line = this.#line
        forms.push({ line, value: this.#value() })
      }
    }
  }

  #value(): Value {
    if (++this.#depth > depthMax) throw new Unreadable(this.#line, `more than ${depthMax} values inside each other`)
    const value = this.#form()
    this.#depth--
    return value
  }

  #form(): Value {
    this.#skip()
    const line = this.#line
    const next = this.#text[this.#at]
    if (next === undefined) this.#cut(line)
    if (next === '"') return this.#string()
    if (next === "(" || next === "[") return this.#until(closing[next]!)
    if (next === "{") return this.#map(this.#until("}"), line)
    if (next === "\\") return this.#character()
    if (next === "^") {
      this.#at++
      this.#value()
      return this.#value()
    }
    if (next === "#") {
      this.#at++
      if (this.#text[this.#at] === "{") {
        const members = this.#until("}").map((member) => ({ member, text: canonicalJson(member) }))
        return members.toSorted((left, right) => (left.text < right.text ? -1 : 1)).map(({ member }) => member)
      }
      this.#word()
      return this.#value()
    }
    return this.#atom(this.#word(), line)
  }

  #until(close: string): Array<Value> {
    const line = this.#line
    this.#at++
    const values: Array<Value> = []
    for (;;) {
      this.#skip()
      const next = this.#text[this.#at]
      if (next === undefined) this.#cut(line)
      if (next === close) {
        this.#at++
        return values
      }
      values.push(this.#value())
    }
  }

  #map(flat: ReadonlyArray<Value>, line: number): Value {
    if (flat.length % 2 === 1) throw new Unreadable(line, "a map with a key that has no value")
    const members: Record<string, Value> = Object.create(null)
    for (let at = 0; at < flat.length; at += 2) {
      const key = flat[at]!
      members[typeof key === "string" ? key : canonicalJson(key)] = flat[at + 1]!
    }
    return members
  }

  #string(): string {
    const line = this.#line
    let value = ""
    for (let at = this.#at + 1; at < this.#text.length; at++) {
      const next = this.#text[at]!
      if (next === '"') {
        this.#at = at + 1
        return value
      }
      if (next === "\n") this.#line++
      if (next !== "\\") {
        value += next
        continue
      }
      const escaped = this.#text[++at] ?? ""
      if (escaped === "u") {
        const digits = this.#text.slice(at + 1, at + 5)
        if (!/^[\da-f]{4}$/i.test(digits)) throw new Unreadable(this.#line, `a text with \\u${digits} in it`)
        value += String.fromCharCode(Number.parseInt(digits, 16))
        at += 4
      } else if (Object.hasOwn(escapes, escaped)) value += escapes[escaped]!
      else throw new Unreadable(this.#line, `a text with \\${escaped} in it`)
    }
    return this.#cut(line)
  }

  #character(): string {
    this.#at++
    const first = this.#text[this.#at++] ?? ""
    const name = first + this.#word()
    return characters[name] ?? first
  }

  #word(): string {
    const from = this.#at
    while (this.#at < this.#text.length && !delimiter.test(this.#text[this.#at]!)) this.#at++
    return this.#text.slice(from, this.#at)
  }

  #atom(word: string, line: number): Value {
    if (word === "") throw new Unreadable(line, `${this.#text[this.#at]} where a value should be`)
    if (word === "nil") return null
    if (word === "true" || word === "false") return word === "true"
    if (/^[+-]?\d+N?$/.test(word)) {
      const number = Number(word.replace(/N$/, ""))
      return Number.isSafeInteger(number) ? number : word.replace(/N$/, "")
    }
    if (/^[+-]?\d/.test(word)) {
      const number = Number(word.replace(/M$/, ""))
      return Number.isFinite(number) ? number : word
    }
    return word.startsWith(":") ? word.slice(1) : word
  }

  /** Blanks, comments and what is discarded. */
  #skip(): void {
    for (; this.#at < this.#text.length; this.#at++) {
      const next = this.#text[this.#at]!
      if (next === "\n") this.#line++
      else if (next === ";") {
        while (this.#at + 1 < this.#text.length && this.#text[this.#at + 1] !== "\n") this.#at++
      } else if (next === "#" && this.#text[this.#at + 1] === "_") {
        this.#at += 2
        this.#value()
        this.#at--
      } else if (!space.test(next)) return
    }
  }

  #cut(line: number): never {
    throw new Unreadable(line, "what begins here has no end: the history is cut off")
  }
}
