/** JSON values of histories: told apart, hashed and shown. */
import { canonicalJson } from "../json/canonicalJson.ts"

export type Value = null | boolean | number | string | ReadonlyArray<Value> | { readonly [member: string]: Value }

/** FNV-1a over UTF-16 code units, so that it can go on: the hash of `ab` is that of `b` from that of `a`. */
export const hashText = (text: string, from: number = 0x811c9dc5): number => {
  let hash = from
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash
}

export const hashValue = (value: Value): number =>
  typeof value === "string" ? hashText(value) : hashText(canonicalJson(value), 7)

export const sameValue = (left: Value, right: Value): boolean =>
  left === right ||
  (typeof left === "object" &&
    typeof right === "object" &&
    left !== null &&
    right !== null &&
    canonicalJson(left) === canonicalJson(right))

const shownMax = 80

export const showValue = (value: Value): string => {
  const text = canonicalJson(value)
  return text.length <= shownMax ? text : `${text.slice(0, shownMax / 2)} … ${text.slice(-shownMax / 2)}`
}
