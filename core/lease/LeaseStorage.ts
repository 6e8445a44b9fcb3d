/**
 * Where leases and members are kept: sessions with the database that requests do not use, so that a burst of them, or statements that
 * were given up with their sessions, keep no renewal and no release waiting.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { Storage } from "../ports/Storage.ts"

type Keeping = (typeof Storage)["Service"]

/** Default: that of everything else. */
export const LeaseStorage: Context.Reference<Keeping | undefined> = Context.Reference<Keeping | undefined>(
  "stormglass/core/lease/LeaseStorage",
  { defaultValue: () => undefined }
)

export const leaseStorage: Effect.Effect<Keeping, never, Storage> = Effect.flatMap(LeaseStorage, (own) =>
  own === undefined ? Storage : Effect.succeed(own)
)
