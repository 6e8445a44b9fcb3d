/**
 * Watching: what changes, to any number of watchers, by one follower of the change feed for each node.
 *
 * A stream begins with a token or with a listing, catches up by its own questions to the feed, and then takes what the follower
 * gives to all. Where the two meet nothing may be lost or told twice, and cursors cannot be compared. So:
 *
 * - J1 Before a watcher joins, the follower completes a poll that began after the watcher's last one was answered: the follower is
 *   then not behind it, and from here on what the follower is given is kept for the watcher.
 * - J2 The watcher asks the feed once more, until a complete answer: it is then not behind where the follower was. These are whole
 *   transactions; what the follower gives of them is passed over.
 * - J3 The follower completes a poll that began after that answer, and has seen all of it: what is left of what was kept for the
 *   watcher goes from the one to where the other is, and from there on both are at the same place.
 *
 * - B1 What waits for a watcher is bounded. One who does not take it is cut off in the middle, and goes on from its last token.
 * - B2 A bookmark says that the store has answered since the last one: a node that is cut from it falls silent, and its watchers leave.
 *
 * - B3 What many are told alike is asked for, and written, once for all of them.
 *
 * The follower runs while anybody watches.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Pull from "effect/Pull"
import * as Queue from "effect/Queue"
import * as RcRef from "effect/RcRef"
import type * as Scope from "effect/Scope"
import { monotonicMicros } from "../clock/monotonicMicros.ts"
import * as Mark from "../facts/Mark.ts"
import { labelled } from "../facts/Label.ts"
import { askTogether, type Together } from "../feed/askTogether.ts"
import { persistently } from "../feed/follow.ts"
import { feedPollMillis, watchBookmarkMillis, watchBufferMax, watchersMax, watchListingMax } from "../Limits.ts"
import { type Batch, type Change, type Cursor, Feed, FeedError, type Listing } from "../ports/Feed.ts"
import { Unavailable } from "../ports/Storage.ts"
import {
  type Encoding,
  encode,
  eventOf,
  eventOfRow,
  type Filter,
  type Frame,
  sees,
  type Sourced,
  tablesOf
} from "./WatchFrame.ts"

const cut = Mark.sometimes("watcher cut off because it takes too slowly")
const met = Mark.sometimes(
  "what a joining watcher has already been told comes again from the follower, and is passed over"
)
const expired = Mark.sometimes("token of a watcher is older than the changes that are kept")

export type OnChanges = (changes: ReadonlyArray<Change> | undefined) => void

export interface WatchOptions {
  /** How many commits may wait for one watcher. Default `watchBufferMax`. */
  readonly bufferMax?: number
}

/** The next text, or the end. */
export type Telling = Pull.Pull<readonly [string]>

export class Watch extends Context.Service<
  Watch,
  {
    /**
     * What has changed since the token, or all that is there and what changes from then on; as text of server-sent events, or as messages. Fails while
     * nothing was told; a stream that ends, or is cut off, may be opened anew with its last token, here or on another node. It runs
     * while the scope is open, and is asked for one text after the other.
     */
    readonly open: (
      filter: Filter,
      after: Cursor | undefined,
      encoding?: Encoding
    ) => Effect.Effect<Effect.Effect<Telling, never, Scope.Scope>, FeedError>
    /** Calls back with all that changes while the scope is open; without, when what came in between is not known. */
    readonly listen: (onChanges: OnChanges) => Effect.Effect<void, never, Scope.Scope>
    /** Ends every stream in order, and opens none any more. */
    readonly stop: Effect.Effect<void>
  }
>()("stormglass/core/watch/Watch") {}

export const layer = (options: WatchOptions = {}): Layer.Layer<Watch, never, Feed> =>
  Layer.effect(
    Watch,
    Effect.gen(function* () {
      const feed = yield* Feed
      const { bufferMax = watchBufferMax } = options
      const answers = new Answers()
      const hubs = yield* RcRef.make({ acquire: hubOn(feed, answers) })
      const asking: Asking = { feed: yield* askTogether(feed), answers }
      const watching: { count: number; isStopped: boolean; hub: Hub | undefined } = {
        count: 0,
        isStopped: false,
        hub: undefined
      }
      const open = Effect.fnUntraced(function* (
        filter: Filter,
        after: Cursor | undefined,
        encoding: Encoding = "event-stream"
      ) {
        if (watching.isStopped) return yield* unavailable("this node stops")
        if (watching.count >= watchersMax) return yield* unavailable(`${watchersMax} watch here already`)
        const own: Own = { filter, encoding, seen: [encoding, filter.kinds.join(" "), filter.project ?? ""].join("/") }
        const begun = yield* after === undefined ? listed(asking, own) : resumed(asking, own, after)
        // Begun by whoever has a scope for it.
        // @effect-diagnostics-next-line returnEffectInGen:off
        return Effect.gen(function* () {
          yield* Effect.acquireRelease(
            Effect.sync(() => watching.count++),
            () => Effect.sync(() => watching.count--)
          )
          const hub = yield* RcRef.get(hubs)
          watching.hub = hub
          const isStopped = () => watching.isStopped
          const watcher = new Watcher(asking, hub, { ...own, bufferMax, isStopped }, begun)
          yield* Effect.addFinalizer(() => Effect.sync(() => hub.watchers.delete(watcher)))
          return watcher.next
        })
      })
      const stop = Effect.sync(() => {
        watching.isStopped = true
        watching.hub?.end()
      })
      const listen = Effect.fnUntraced(function* (onChanges: OnChanges) {
        const hub = yield* RcRef.get(hubs)
        hub.listeners.add(onChanges)
        yield* Effect.addFinalizer(() => Effect.sync(() => hub.listeners.delete(onChanges)))
      })
      return { open, listen, stop }
    })
  )

const unavailable = (detail: string) => Effect.fail(new FeedError({ reason: new Unavailable({ detail }) }))

/** What a watcher wants to see, and how. */
interface Own {
  readonly filter: Filter
  readonly encoding: Encoding
  /** The same for all who see the same. */
  readonly seen: string
}

/** What is told first, and where that ends. */
interface Begun {
  readonly texts: ReadonlyArray<string>
  readonly token: Cursor
  readonly isComplete: boolean
}

/** Questions to the feed, and what was made of their answers. */
interface Asking {
  readonly feed: Together
  readonly answers: Answers
}

const listed = ({ answers, feed }: Asking, { encoding, filter, seen }: Own): Effect.Effect<Begun, FeedError> =>
  Effect.map(feed.list(tablesOf(filter)), (listing) =>
    answers.begunOf(listing, seen, () => {
      const { cursor, rows } = listing
      const found = rows.map(({ row, table }) => eventOfRow(table, row)).filter((each) => sees(filter, each))
      const frames: Array<Frame> = [{ _tag: "Reset" }]
      for (let from = 0; from === 0 || from < found.length; from += watchListingMax) {
        const events = found.slice(from, from + watchListingMax).map(({ event }) => event)
        const isComplete = from + watchListingMax >= found.length
        frames.push({ _tag: "Changes", changes: { events, isComplete }, token: isComplete ? cursor : undefined })
      }
      return { texts: frames.map((frame) => encode(frame, encoding)), token: cursor, isComplete: true }
    })
  )

const resumed = (
  { answers, feed }: Asking,
  { encoding, filter, seen }: Own,
  after: Cursor
): Effect.Effect<Begun, FeedError> =>
  feed.poll(after).pipe(
    Effect.tapError(({ reason }) => Mark.hit(expired, reason._tag === "Compacted")),
    Effect.map((batch) =>
      answers.begunOf(batch, seen, () => ({
        texts: [encode(frameOf(filter, eventsOf(batch), batch), encoding)],
        token: batch.cursor,
        isComplete: batch.isComplete
      }))
    )
  )

const eventsOf = ({ changes }: Batch): ReadonlyArray<Sourced> => changes.flatMap((change) => eventOf(change) ?? [])

/** Also where nobody is to be told of any of it: the token has moved. */
function frameOf(
  filter: Filter,
  changes: ReadonlyArray<Sourced>,
  { cursor, isComplete }: Pick<Batch, "cursor" | "isComplete">
): Extract<Frame, { _tag: "Changes" }> {
  const events = changes.filter((each) => sees(filter, each)).map(({ event }) => event)
  return { _tag: "Changes", changes: { events, isComplete }, token: cursor }
}

/** A batch, for all. */
interface Given extends Pick<Batch, "cursor" | "isComplete"> {
  readonly changes: ReadonlyArray<Sourced>
  /** By who sees what, so that it is written once for all who see the same. */
  readonly texts: Map<string, string | undefined>
}

/** What was made of an answer of the feed that many have, once for all of them. */
class Answers {
  readonly #begun = new WeakMap<Listing | Batch, Map<string, Begun>>()
  readonly #given = new WeakMap<Batch, Given>()

  begunOf(answer: Listing | Batch, seen: string, make: () => Begun): Begun {
    let known = this.#begun.get(answer)
    if (known === undefined) this.#begun.set(answer, (known = new Map()))
    let begun = known.get(seen)
    if (begun === undefined) known.set(seen, (begun = make()))
    return begun
  }

  givenOf(batch: Batch): Given {
    const known = this.#given.get(batch)
    if (known !== undefined) return known
    const { cursor, isComplete } = batch
    const given: Given = { changes: eventsOf(batch), cursor, isComplete, texts: new Map() }
    this.#given.set(batch, given)
    return given
  }
}

/** The follower, and who waits for what it is given. */
class Hub {
  readonly watchers = new Set<Watcher>()
  readonly listeners = new Set<OnChanges>()
  /** Polls begun, and the newest that was answered. */
  begun = 0
  answered = 0
  /** When that was. */
  answeredMicros = 0
  /** Where the newest answer that was complete ended. */
  cursor: Cursor | undefined
  readonly nudges: Queue.Queue<void>
  readonly #answers: Answers
  #waiting: Array<{ readonly nth: number; readonly resume: () => void }> = []

  constructor(nudges: Queue.Queue<void>, answers: Answers) {
    this.nudges = nudges
    this.#answers = answers
  }

  /** A poll that begins from now on was answered in full. */
  readonly caughtUp: Effect.Effect<void> = Effect.callback<void>((resume) => {
    const waiting = { nth: this.begun + 1, resume: () => resume(Effect.void) }
    this.#waiting.push(waiting)
    Queue.offerUnsafe(this.nudges, undefined)
    return Effect.sync(() => {
      this.#waiting = this.#waiting.filter((each) => each !== waiting)
    })
  })

  /** Returns how many were cut off. */
  give(nth: number, batch: Batch, nowMicros: number): number {
    const { cursor, isComplete } = batch
    this.answered = nth
    this.answeredMicros = nowMicros
    this.cursor = isComplete ? cursor : undefined
    if (batch.changes.length > 0) for (const tell of this.listeners) tell(batch.changes)
    const given = this.#answers.givenOf(batch)
    let cutOff = 0
    if (given.changes.length > 0) for (const watcher of this.watchers) if (!watcher.keep(given)) cutOff++
    if (!isComplete) return cutOff
    for (const watcher of this.watchers) watcher.remind(nowMicros)
    const waiting = this.#waiting
    this.#waiting = waiting.filter((each) => each.nth > nth)
    for (const each of waiting) if (each.nth <= nth) each.resume()
    return cutOff
  }

  /** Every stream ends behind what waits for it, and whoever listens is told that he has missed something. */
  end(): void {
    for (const watcher of this.watchers) watcher.end()
    for (const tell of this.listeners) tell(undefined)
  }
}

const hubOn = (feed: Feed["Service"], answers: Answers): Effect.Effect<Hub, never, Scope.Scope> =>
  Effect.gen(function* () {
    const hub = new Hub(yield* Queue.sliding<void>(1), answers)
    const run = Effect.gen(function* () {
      const hints = yield* feed.hints
      let cursor: Cursor | undefined
      while (true) {
        const nth = ++hub.begun
        if (cursor === undefined) {
          cursor = (yield* persistently(feed.list([])))?.cursor
          continue
        }
        const batch: Batch | undefined = yield* persistently(feed.poll(cursor))
        cursor = batch?.cursor
        // What came in between this follower does not know. Its watchers may, or are told so.
        if (batch === undefined) hub.end()
        else {
          if (hub.give(nth, batch, yield* monotonicMicros) > 0) yield* Mark.hit(cut)
          if (batch.isComplete && batch.changes.length === 0) {
            yield* Effect.raceAll([Queue.take(hints), Queue.take(hub.nudges), Effect.sleep(feedPollMillis)])
          }
        }
      }
    })
    yield* Effect.forkScoped(labelled("watch/follow", Effect.scoped(run)))
    return hub
  })

interface Joining extends Own {
  readonly bufferMax: number
  readonly isStopped: () => boolean
}

/** The next poll may be answered so much later. */
const remindMicros = (watchBookmarkMillis - feedPollMillis) * 1_000

type Phase = "behind" | "joining" | "asking" | "meeting" | "following"

/** One stream. */
class Watcher {
  readonly #asking: Asking
  readonly #hub: Hub
  readonly #joining: Joining
  #phase: Phase
  /** What is told first, and how many of it were; empty from then on. */
  #first: ReadonlyArray<string>
  #begun = 0
  /** Everything up to it was told, and nothing else. */
  #token: Cursor
  /** Kept for it, and whom to wake when there is more. */
  #kept: Array<Given> = []
  #wake: (() => void) | undefined
  #isEnded = false
  #isReminded = false
  /** J2. */
  readonly #told = new Set<number>()
  /** Who takes what is told. */
  #fiber: Fiber.Fiber<unknown, unknown> | undefined
  /** When it was last told anything, and which poll had begun by then. */
  #toldMicros = 0
  #toldAt = 0

  constructor(asking: Asking, hub: Hub, joining: Joining, { isComplete, texts, token }: Begun) {
    this.#asking = asking
    this.#hub = hub
    this.#joining = joining
    this.#first = texts
    this.#token = token
    this.#phase = isComplete ? "joining" : "behind"
  }

  /** False when it was cut off. */
  keep(given: Given): boolean {
    if (this.#kept.length >= this.#joining.bufferMax) {
      // B1. It may wait for its reader, who may never come: only an end from outside ends that.
      this.#kept = []
      this.end()
      this.#fiber?.interruptUnsafe()
      return false
    }
    this.#kept.push(given)
    this.#wake?.()
    return true
  }

  /** It was told nothing for long, and there is a place to name. */
  remind(nowMicros: number): void {
    if (this.#phase !== "following" || nowMicros - this.#toldMicros < remindMicros) return
    this.#isReminded = true
    this.#wake?.()
  }

  end(): void {
    this.#hub.watchers.delete(this)
    this.#isEnded = true
    this.#wake?.()
  }

  /** The next frame as text; the end when the stream is to be opened anew. */
  readonly next: Telling = Effect.withFiber((fiber) => {
    this.#fiber = fiber
    const first = this.#first[this.#begun]
    if (first !== undefined) {
      this.#begun++
      return Effect.succeed([first] as const)
    }
    this.#first = []
    // The follower has lost its place. What it gave before may still be told by whoever was where it was.
    const isOver = this.#isEnded && (this.#phase !== "following" || this.#kept.length === 0)
    if (isOver || this.#joining.isStopped()) return Cause.done()
    return Effect.flatMap(this.#step, (text) => {
      if (text === undefined) return this.next
      this.#toldAt = this.#hub.begun
      this.#toldMicros = this.#hub.answeredMicros
      this.#isReminded = false
      return Effect.succeed([text] as const)
    })
  })

  get #step(): Effect.Effect<string | undefined, Cause.Done> {
    switch (this.#phase) {
      case "behind":
        return this.#ask((batch) => {
          if (batch.isComplete) this.#phase = "joining"
        })
      case "joining":
        return Effect.map(this.#hub.caughtUp, () => {
          this.#hub.watchers.add(this)
          this.#phase = "asking"
          return undefined
        })
      case "asking":
        return this.#ask((batch) => {
          for (const { transactionId } of batch.changes) this.#told.add(transactionId)
          if (batch.isComplete) this.#phase = "meeting"
        })
      case "meeting":
        return Effect.flatMap(this.#hub.caughtUp, () => this.#meet())
      case "following":
        return this.#follow
    }
  }

  /** The feed, from where it stands. */
  #ask(then: (batch: Batch) => void): Effect.Effect<string | undefined, Cause.Done> {
    return Effect.flatMap(persistently(this.#asking.feed.poll(this.#token)), (batch) => {
      // Nothing can be said to it any more; who comes again with its token is told why.
      if (batch === undefined) return Cause.done()
      then(batch)
      return Effect.succeed(this.#tell(this.#asking.answers.givenOf(batch)))
    })
  }

  #meet(): Effect.Effect<string | undefined, Cause.Done> {
    // The follower has lost its place since, and is somewhere else.
    if (this.#isEnded) return Cause.done()
    const { cursor } = this.#hub
    // The follower is in the middle of something by now.
    if (cursor === undefined) return Effect.succeed(undefined)
    const changes = this.#kept.flatMap((given) => given.changes)
    const fresh = changes.filter(({ transactionId }) => !this.#told.has(transactionId))
    this.#kept = []
    this.#told.clear()
    this.#token = cursor
    this.#phase = "following"
    const text = this.#textOf(fresh, { cursor, isComplete: true }) ?? this.#encode({ _tag: "Bookmark", token: cursor })
    return Effect.as(Mark.hit(met, fresh.length < changes.length), text)
  }

  get #follow(): Effect.Effect<string | undefined> {
    const given = this.#kept.shift()
    if (given !== undefined) return Effect.succeed(this.#tell(given))
    if (!this.#isReminded) return this.#more
    this.#isReminded = false
    return Effect.succeed(this.#bookmark())
  }

  /** Tells nothing, and ends when there may be something to tell. */
  readonly #more: Effect.Effect<undefined> = Effect.callback<undefined>((resume) => {
    if (this.#kept.length > 0 || this.#isReminded || this.#isEnded) return resume(Effect.undefined)
    this.#wake = () => {
      this.#wake = undefined
      resume(Effect.undefined)
    }
    return Effect.sync(() => {
      this.#wake = undefined
    })
  })

  #tell(given: Given): string | undefined {
    this.#token = given.cursor
    const { seen } = this.#joining
    const { texts } = given
    if (!texts.has(seen)) texts.set(seen, this.#textOf(given.changes, given))
    return texts.get(seen)
  }

  /** B2. */
  #bookmark(): string | undefined {
    const { answered, cursor } = this.#hub
    if (this.#isEnded || cursor === undefined || answered <= this.#toldAt) return undefined
    this.#token = cursor
    return this.#encode({ _tag: "Bookmark", token: cursor })
  }

  #textOf(changes: ReadonlyArray<Sourced>, at: Pick<Batch, "cursor" | "isComplete">): string | undefined {
    const frame = frameOf(this.#joining.filter, changes, at)
    return frame.changes.events.length === 0 ? undefined : this.#encode(frame)
  }

  #encode(frame: Frame): string {
    return encode(frame, this.#joining.encoding)
  }
}
