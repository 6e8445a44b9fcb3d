/** `stormglass conform`: tries the laws of a control plane at the addresses where one runs. */
import crypto from "node:crypto"
import * as Effect from "effect/Effect"
import { type Judged, judge } from "../../../core/conformance/laws.ts"
import { calling } from "./calling.ts"
import { asking, type Remote } from "./remoteCommands.ts"

export interface Trying {
  readonly image: string
  readonly patienceMillis: number
  readonly onJudged: (judged: Judged) => void
}

/** Throws `CommandError` when nobody answers, or the key may not read the project. */
export const conform = async (remote: Remote, { image, onJudged, patienceMillis }: Trying) => {
  const { addresses, key, project } = remote
  await asking(remote, (client) => client.fleets.list({ params: { project }, query: { limit: 1 } }))
  const prefix = `conform-${crypto.randomBytes(4).toString("hex")}`
  const target = { addresses, project, prefix, image, patienceMillis }
  return await Effect.runPromise(judge(target, onJudged).pipe(Effect.provide(calling(key))))
}

export const judgedLine = ({ broken, law, states }: Judged): string =>
  broken === null ? `✓ ${law}: ${states}` : `✗ ${law}: ${states}\n    ${broken}`

export const summary = (all: ReadonlyArray<Judged>): string => {
  const broken = all.filter((judged) => judged.broken !== null).length
  return broken === 0 ? `all ${all.length} laws hold` : `${broken} of ${all.length} laws do not hold`
}
