/**
 * Programs that leave the simulation, hang or break: what the supervisor must say of each.
 */
import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as HashMap from "effect/HashMap"
import { emit } from "../../core/facts/Facts.ts"
import * as Scenario from "../run/Scenario.ts"

const one = (name: string, program: Effect.Effect<unknown>) => ({
  name,
  load: () =>
    Promise.resolve(
      Scenario.make({
        name,
        story: name,
        safetyMillis: 1_000,
        build: (world) => {
          world.addNode("a", program).start()
        }
      })
    )
})

/** Keys that are equal only to themselves, so that their hashes are drawn. */
const byReference = Effect.suspend(() => {
  const keys = Array.from({ length: 8 }, (_, index) => Equal.byReference({ index }))
  const map = HashMap.fromIterable(keys.map((key, index) => [key, index] as const))
  return emit({ _tag: "Iterated", order: [...HashMap.values(map)] })
})

const fine = one("fine", Effect.sleep("500 millis"))

const tooLate = (): never => {
  throw new Error("nothing runs any more")
}

/** What a module takes for itself as it is loaded. */
const taken = {
  execFileSync,
  now: Date.now,
  random: Math.random,
  setTimeout,
  Date,
  hrtime: process.hrtime.bigint
} as const

/** @public Loaded by URL. */
export const catalogue = [
  fine,
  one(
    "reads-date",
    Effect.sync(() => Date.now())
  ),
  one(
    "awaits-fetch",
    Effect.promise(() => fetch("http://localhost"))
  ),
  one(
    "has-taken-execFileSync",
    Effect.sync(() => taken.execFileSync("true"))
  ),
  one(
    "leaves-a-promise-behind",
    Effect.sync(() => {
      void (async () => {
        await undefined
        writeFileSync("/nowhere/at all", "")
      })()
    })
  ),
  one("has-taken-Date.now", Effect.sync(taken.now)),
  one(
    "has-taken-Math.random",
    Effect.sync(() => taken.random())
  ),
  one(
    "has-taken-setTimeout",
    Effect.sync(() => taken.setTimeout(tooLate, 1))
  ),
  one(
    "has-taken-Date",
    Effect.sync(() => new taken.Date())
  ),
  one("has-taken-hrtime", Effect.sync(taken.hrtime)),
  one("iterates-by-reference", byReference),
  one(
    "loops-for-ever",
    Effect.andThen(
      Effect.sleep("250 millis"),
      Effect.sync(() => {
        for (;;);
      })
    )
  ),
  one("spins", Effect.forever(Effect.yieldNow)),
  one("throws", Effect.die(new Error("broken on purpose"))),
  {
    name: "throws-afterwards",
    load: () => {
      const turns = (count: number): void =>
        void setImmediate(() => (count === 0 ? setTimeout(tooLate, 100) : turns(count - 1)))
      turns(5)
      return fine.load()
    }
  },
  {
    name: "throws-while-built",
    load: () =>
      Promise.resolve(
        Scenario.make({
          name: "throws-while-built",
          story: "",
          safetyMillis: 1,
          build: () => {
            throw new Error("no world today")
          }
        })
      )
  },
  one(
    "rejects-unawaited",
    Effect.sync(() => {
      void Promise.reject(new Error("forgotten"))
    })
  )
]
