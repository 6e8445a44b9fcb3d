import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Claim, type Decision, type Seen, decide, nameOf, parse } from "./Claims.ts"

/** Three processes, in the order of their names, and what one that died long ago has left behind. */
const claims: ReadonlyArray<Claim> = ["a", "b", "c", "dead"].map((token, index) => ({
  pid: index + 1,
  began: "",
  token
}))
const processes = [0, 1, 2]
const dead = 3

/**
 * Where each process is: `looking` has seen the first `looked` claims, of which `found` were there (bits); `burying` removes
 * one after the other. Each step is one call of the system, and others may do any of theirs between two.
 */
type Place =
  | { readonly at: "begin" | "holding" | "leaving" | "refused" | "done" | "killed" }
  | { readonly at: "looking"; readonly looked: number; readonly found: number }
  | { readonly at: "burying"; readonly bury: ReadonlyArray<number> }

interface World {
  readonly places: ReadonlyArray<Place>
  /** Whose claims are there (bits). */
  readonly files: number
  /** Somebody has held it. */
  readonly wasHeld: boolean
}

type Decide = (own: Claim, others: ReadonlyArray<Seen>) => Decision

/** How the three behave. */
interface Manner {
  readonly decides: Decide
  /** Whether they may be killed, and give up waiting, at any time. */
  readonly isTroubled: boolean
}

/** What may come of a process' next step. */
const steps = ({ decides, isTroubled }: Manner, world: World, who: number): ReadonlyArray<World> => {
  const { files, places } = world
  const to = (place: Place, more: Partial<World> = {}): World => ({
    ...world,
    ...more,
    places: places.map((old, index) => (index === who ? place : old))
  })
  const without = files & ~(1 << who)
  const place = places[who] as Place
  switch (place.at) {
    case "begin":
      return [to({ at: "looking", looked: 0, found: 0 }, { files: files | (1 << who) })]
    case "looking": {
      if (place.looked < claims.length) {
        const found = place.found | (files & (1 << place.looked))
        return [to({ at: "looking", looked: place.looked + 1, found })]
      }
      const others = claims.filter((_, index) => index !== who && (place.found & (1 << index)) !== 0)
      const isAlive = (index: number) => index !== dead && places[index]?.at !== "killed"
      const seen = others.map((claim) => ({ claim, isAlive: isAlive(claims.indexOf(claim)) }))
      const decision = decides(claims[who] as Claim, seen)
      if (decision._tag === "Withdraw") return [to({ at: "leaving" })]
      if (decision._tag === "Wait") {
        const again = to({ at: "looking", looked: 0, found: 0 })
        return isTroubled ? [again, to({ at: "leaving" })] : [again]
      }
      return [to({ at: "burying", bury: decision.bury.map((claim) => claims.indexOf(claim)) }, { wasHeld: true })]
    }
    // It holds it from here on.
    case "burying": {
      const [first, ...rest] = place.bury
      if (first === undefined) return [to({ at: "holding" })]
      return [to({ at: "burying", bury: rest }, { files: files & ~(1 << first) })]
    }
    case "holding":
      return [to({ at: "done" }, { files: without })]
    case "leaving":
      return [to({ at: "refused" }, { files: without })]
    case "refused":
    case "done":
    case "killed":
      return []
  }
}

const killed = (world: World, who: number): World => ({
  ...world,
  places: world.places.map((place, index) => (index === who ? { at: "killed" } : place))
})

const isOver = ({ at }: Place) => at === "refused" || at === "done" || at === "killed"
const holdersOf = ({ places }: World) => places.filter(({ at }) => at === "burying" || at === "holding").length

const keyOf = ({ files, places, wasHeld }: World): string =>
  `${places
    .map((place) => {
      if (place.at === "looking") return `l${place.looked},${place.found}`
      return place.at === "burying" ? `b${place.bury.join(",")}` : place.at
    })
    .join(" ")} ${files} ${wasHeld}`

/** Every world that any order of steps leads to. */
const worldsOf = (manner: Manner): ReadonlyArray<World> => {
  const first: World = { places: processes.map(() => ({ at: "begin" })), files: 1 << dead, wasHeld: false }
  const found = new Map([[keyOf(first), first]])
  for (const world of found.values()) {
    for (const who of processes) {
      const isKillable = manner.isTroubled && !isOver(world.places[who] as Place)
      for (const next of [...steps(manner, world, who), ...(isKillable ? [killed(world, who)] : [])]) {
        const key = keyOf(next)
        if (!found.has(key)) found.set(key, next)
      }
    }
  }
  return [...found.values()]
}

const isShared = (world: World) => holdersOf(world) > 1

describe("claims of three processes, in every order of their steps", () => {
  it("never let two hold, whoever is killed or gives up where", () => {
    const worlds = worldsOf({ decides: decide, isTroubled: true })
    assert.isAbove(worlds.length, 5_000)
    assert.isUndefined(worlds.find(isShared))
    assert.isTrue(worlds.some((world) => holdersOf(world) === 1))
  })

  it("would let two hold if one did not wait, or asked nobody: these worlds find it", () => {
    const hasty: Decide = (own, others) => {
      const decision = decide(own, others)
      return decision._tag === "Wait" ? { _tag: "Take", bury: [] } : decision
    }
    const blind: Decide = () => ({ _tag: "Take", bury: [] })
    for (const decides of [hasty, blind]) assert.isTrue(worldsOf({ decides, isTroubled: false }).some(isShared))
  })

  it("let the last one have it that looks when the others are gone, wherever they were killed or gave up", () => {
    let asked = 0
    for (const world of worldsOf({ decides: decide, isTroubled: true })) {
      const [who, ...others] = processes.filter((index) => !isOver(world.places[index] as Place))
      const place = world.places[who ?? 0] as Place
      if (who === undefined || others.length > 0) continue
      if (place.at !== "begin" && !(place.at === "looking" && place.looked === 0)) continue
      asked++
      let now = world
      for (let count = 0; count < 6 && holdersOf(now) === 0; count++)
        now = steps({ decides: decide, isTroubled: false }, now, who)[0] ?? now
      assert.strictEqual(holdersOf(now), 1, keyOf(world))
    }
    assert.isAbove(asked, 30)
  })

  it("let one have it of those that begin together, when none is killed or gives up waiting", () => {
    const manner = { decides: decide, isTroubled: false }
    for (const world of worldsOf(manner)) {
      let now = world
      for (let turn = 0; !now.places.every(isOver); turn++) {
        assert.isBelow(turn, 200, `they wait for each other: ${keyOf(world)}`)
        now = steps(manner, now, turn % processes.length)[0] ?? now
      }
      assert.isTrue(now.wasHeld, keyOf(world))
    }
  })
})

describe("a claim", () => {
  it("is read from its name as it was written", () =>
    fc.assert(
      fc.property(
        fc.nat(),
        fc.string().filter((text) => !text.includes(".")),
        fc.stringMatching(/^[0-9a-z]+$/),
        (pid, began, token) => {
          assert.deepStrictEqual(parse(nameOf({ pid, began, token })), { pid, began, token })
        }
      )
    ))

  it("is nothing else that lies beside a directory", () => {
    for (const name of ["", "bak", "12", "12.x", "12..", "x.1.y", "1.%E0.y", "1.a.b.c"])
      assert.isUndefined(parse(name), name)
  })
})
