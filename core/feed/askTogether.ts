/**
 * The questions of many to the change feed, asked together: who asks what is being asked already waits for the next such question, which
 * begins after he came, and shares its answer with all who came meanwhile. So what he is told is not older than his question, and a herd
 * asks no more often than the feed answers.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { labelled } from "../facts/Label.ts"
import type { Batch, Feed, FeedError, Listing } from "../ports/Feed.ts"

export type Together = Pick<Feed["Service"], "list" | "poll">

/** Asks for as long as the scope is open. */
export const askTogether = (feed: Feed["Service"]): Effect.Effect<Together, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    const lists = together<Listing>(scope)
    const polls = together<Batch>(scope)
    return {
      list: (tables) => lists(tables.map(({ name }) => name).join(), feed.list(tables)),
      poll: (cursor, options) => polls(`${options?.changesMax ?? ""}/${cursor}`, feed.poll(cursor, options))
    }
  })

/** Those who ask the same: of the question under way, and of the one that begins when that has ended. */
interface Line<A> {
  asked: Deferred.Deferred<A, FeedError> | undefined
  next: Deferred.Deferred<A, FeedError> | undefined
}

const together = <A>(scope: Scope.Scope) => {
  const lines = new Map<string, Line<A>>()
  /** Until nobody waits any more. */
  const asking = (key: string, line: Line<A>, question: Effect.Effect<A, FeedError>) =>
    Effect.gen(function* () {
      while (true) {
        const asked = line.next
        if (asked === undefined) {
          // In one step: whoever comes now begins a line of his own.
          lines.delete(key)
          return
        }
        line.asked = asked
        line.next = undefined
        Deferred.doneUnsafe(asked, yield* Effect.exit(question))
      }
    }).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          if (lines.get(key) === line) lines.delete(key)
          for (const left of [line.asked, line.next])
            if (left !== undefined) Deferred.doneUnsafe(left, Effect.interrupt)
        })
      )
    )
  return (key: string, question: Effect.Effect<A, FeedError>): Effect.Effect<A, FeedError> =>
    Effect.suspend(() => {
      const line = lines.get(key)
      if (line !== undefined) return Deferred.await((line.next ??= Deferred.makeUnsafe()))
      const next = Deferred.makeUnsafe<A, FeedError>()
      const first: Line<A> = { asked: undefined, next }
      lines.set(key, first)
      const started = Effect.forkIn(labelled("feed/ask", asking(key, first, question)), scope)
      return Effect.andThen(started, Deferred.await(next))
    })
}
