/** What commands print for people. Others wrote some of it, names and images, and what they wrote must not reach a terminal's own language. */

/** On standard output; lines stay lines. Text of JSON stays what it is. */
export const print = (text: string): void => void process.stdout.write(`${escaped(text, /[^\P{Cc}\n\t]/gu)}\n`)

/** On standard error. */
export const say = (line: string): void => void process.stderr.write(`${line}\n`)

/** In one line, whatever is in it. */
export const inLine = (text: string): string => escaped(text, /\p{Cc}/gu)

function escaped(text: string, what: RegExp): string {
  return text.replace(what, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`)
}
