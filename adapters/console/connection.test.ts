import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import {
  begin,
  type Connection,
  type Happening,
  healthOf,
  isSilent,
  next,
  pauseMillis,
  pauseMillisMax,
  retryAfterMillisMax,
  silentMillis
} from "./connection.ts"

const lost: Happening = { _tag: "Lost", why: "no answer" }
const after = (nowMillis: number, ...happenings: ReadonlyArray<Happening>): Connection =>
  happenings.reduce((connection, happening) => next(connection, happening, nowMillis, 0.5), begin(0))
const untilMillis = ({ phase }: Connection) => (phase._tag === "Waiting" ? phase.untilMillis : undefined)

describe("a stream", () => {
  it("that lived is opened again at once, and then after pauses that grow, up to a bound", () => {
    const first = after(1_000, { _tag: "Opened" }, { _tag: "Heard" }, lost)
    assert.strictEqual(untilMillis(first), 1_000)
    assert.isAbove(untilMillis(next(first, lost, 1_000, 0))!, 1_000)
    fc.assert(
      fc.property(fc.nat(100), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (failures, fraction) => {
        assert.isAtMost(pauseMillis(failures, fraction), pauseMillisMax)
        assert.isAtLeast(pauseMillis(failures + 1, fraction), pauseMillis(failures, fraction))
      })
    )
  })

  it("is called lost when the second try failed too, with the age of what it told", () => {
    const first = after(1_000, { _tag: "Heard" }, lost)
    assert.strictEqual(healthOf([first], 3_000).level, "waiting")
    const { ageMillis, level, text } = healthOf([next(first, lost, 1_000, 0.5)], 1_000)
    assert.deepStrictEqual([ageMillis, level, text], [0, "lost", "stream lost (no answer), next try in 1 s"])
    assert.strictEqual(healthOf([next(first, lost, 1_000, 0.5)], 9_000).ageMillis, 8_000)
    assert.strictEqual(healthOf([after(1_000, lost, lost, { _tag: "Heard" })], 1_000).level, "live")
  })

  it("is called silent when a bookmark is missing, and lost when it was silent for too long, before it is tried in vain", () => {
    const live = after(1_000, { _tag: "Heard" })
    assert.deepInclude(healthOf([live], 9_001), { level: "waiting", text: "silent" })
    const tried = next(next(live, lost, 17_000, 0.5), { _tag: "Wanted" }, 17_000, 0.5)
    assert.deepInclude(healthOf([tried], 17_000), { level: "lost", ageMillis: 16_000 })
  })

  it("is silent when it told nothing for too long, also while it is opened", () => {
    const live = after(1_000, { _tag: "Heard" })
    assert.deepStrictEqual(
      [live, begin(1_000)].map((each) => [isSilent(each, 1_000 + silentMillis), isSilent(each, 1_001 + silentMillis)]),
      [
        [false, true],
        [false, true]
      ]
    )
    assert.isFalse(isSilent(after(0, { _tag: "Hidden" }), 1e9))
  })

  it("asks for a key when it is refused without one, gives up what it may not see, and lists again when its token is gone", () => {
    const phase = (status: number) => after(0, { _tag: "Answered", status, why: "so" }).phase._tag
    assert.deepStrictEqual([401, 403, 400, 404, 410, 408, 429, 503, 500].map(phase), [
      "SignedOut",
      "Refused",
      "Refused",
      "Refused",
      "Waiting",
      "Waiting",
      "Waiting",
      "Waiting",
      "Waiting"
    ])
    assert.strictEqual(untilMillis(after(5, { _tag: "Heard" }, { _tag: "Answered", status: 410, why: "" })), 5)
  })

  it("is asked for again no sooner than the node wants, and no later than in a minute", () => {
    const until = (retryAfterMillis: number) =>
      untilMillis(after(5, { _tag: "Answered", status: 429, why: "too many", retryAfterMillis }))
    assert.deepStrictEqual([until(3_000), until(86_400_000)], [3_005, 5 + retryAfterMillisMax])
  })

  it("of several is shown by the worst, and one that may not be seen hides no other", () => {
    const [refused, live, gone] = [
      after(0, { _tag: "Answered", status: 403, why: "not yours" }),
      after(7_000, { _tag: "Heard" }),
      after(4_000, { _tag: "Heard" }, lost, lost)
    ]
    assert.strictEqual(healthOf([refused, live], 8_000).level, "live")
    assert.deepInclude(healthOf([live, gone], 8_000), { level: "lost", ageMillis: 4_000 })
    assert.strictEqual(healthOf([refused, refused], 8_000).level, "refused")
  })
})
