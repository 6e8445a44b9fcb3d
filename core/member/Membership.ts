/** This process as a member: joins when its layer is built, leaves when the layer ends, and beats when asked to. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Facts from "../facts/Facts.ts"
import { labelled } from "../facts/Label.ts"
import * as Mark from "../facts/Mark.ts"
import { leaseStorage } from "../lease/LeaseStorage.ts"
import { NodeExit } from "../ports/NodeExit.ts"
import type { Storage, StorageError } from "../ports/Storage.ts"
import * as Member from "./Member.ts"
import type { Joined } from "./MemberFacts.ts"

const nameTaken = Mark.sometimes("member waits for its name, which a live process has")
const superseded = Mark.sometimes("member ended because another process took its name")

/** The members that are live, as one node saw them. */
export interface View {
  readonly live: ReadonlyArray<Member.Member>
  /** The database's time of the look. */
  readonly seenAtMicros: number
}

export class Membership extends Context.Service<
  Membership,
  {
    readonly self: Member.Member
    /** Touches the own row and reads the others. Ends the node when its name belongs to another process. */
    readonly beat: Effect.Effect<View, StorageError>
  }
>()("stormglass/core/member/Membership") {}

/** Waits until the store answers and the name is free; nothing else of the node runs before. */
export const make = Effect.fnUntraced(function* (member: Member.Joining) {
  const { once } = yield* leaseStorage
  const node = yield* NodeExit

  const join = Member.join(once, member).pipe(
    Effect.tap((row) => Mark.hit(nameTaken, row === undefined)),
    Effect.timeoutOption("2 seconds"),
    Effect.map((answer) => (answer._tag === "Some" ? answer.value : undefined)),
    Effect.catchTag("StorageError", (error) => Effect.as(Effect.logDebug(error.message), undefined))
  )
  const joining = Effect.gen(function* () {
    for (;;) {
      const self = yield* join
      if (self !== undefined) return self
      yield* Effect.sleep("500 millis")
    }
  })
  const joined = yield* labelled("member/join", joining)
  yield* Facts.emit({
    _tag: "Joined",
    id: joined.id,
    incarnation: joined.incarnation,
    address: joined.address
  } satisfies Joined)
  yield* Effect.addFinalizer(() =>
    Member.leave(once, joined).pipe(
      Effect.catchTag("StorageError", (error) => Effect.logDebug("left without saying so", error.message))
    )
  )

  return Membership.of({
    self: joined,
    beat: Effect.gen(function* () {
      const row = yield* Member.beat(once, joined)
      if (row === undefined) {
        yield* Mark.hit(superseded)
        return yield* node.exit(`another process joined as ${joined.id}`)
      }
      return { live: yield* Member.live(once, member.liveMillis), seenAtMicros: row.seenAt }
    })
  })
})

export const layer = (joining: Member.Joining): Layer.Layer<Membership, never, Storage | NodeExit> =>
  Layer.effect(Membership, make(joining))
