/** What a hint of the change feed says, and where. */
import { type Topic, topics } from "../../core/ports/Topic.ts"

export const channel = "stormglass_changes"

/** What every hint says first: an empty one is of a program that does not say what it is about. */
const ofAny = "changes"

export const payloadOf = (about: Iterable<Topic>): string => [ofAny, ...about].join(" ")

export const topicsIn = (payload: string): ReadonlySet<string> => new Set(payload === "" ? topics : payload.split(" "))
