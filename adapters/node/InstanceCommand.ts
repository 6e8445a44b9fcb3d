/** From a template of words to what is run for one instance. */
import type { Spec } from "../../core/ports/Provider.ts"

export interface Wanted extends Spec {
  readonly uid: string
}

/** Says of which instance a process is. */
export const uidVariable = "STORMGLASS_UID"

export const commandOf = (template: ReadonlyArray<string>, wanted: Wanted): ReadonlyArray<string> =>
  template.map((word) => word.replaceAll(/\{(uid|image|size)\}/g, (_, name: keyof Wanted) => wanted[name]))

export const environmentOf = ({ image, size, uid }: Wanted): Readonly<Record<string, string>> => ({
  [uidVariable]: uid,
  STORMGLASS_IMAGE: image,
  STORMGLASS_SIZE: size
})

/** Words as a shell takes them apart, with quotes and nothing else. What is wrong, in words, or the words. */
export const wordsOf = (text: string): ReadonlyArray<string> | string => {
  const words: Array<string> = []
  const token = /\s*(?:"([^"]*)"|'([^']*)'|([^\s"']+))(?=\s|$)/y
  let end = 0
  while (text.slice(end).trim() !== "") {
    token.lastIndex = end
    const match = token.exec(text)
    if (match === null)
      return `a quote is not closed, or something follows it, at ${text.slice(end).trim().slice(0, 20)}`
    words.push(match[1] ?? match[2] ?? (match[3] as string))
    end = token.lastIndex
  }
  return words.length === 0 ? "it is empty" : words
}
