/**
 * A shop in plain JavaScript with promises: no Effect in its programs. It looks whether anything is left, waits for the till, and sells
 * then; what it saw may be over by that time. It fails, and is no part of the catalogue.
 *
 *   npx stormglass run scenarios/examples/promises.ts#oversold --seeds 50
 *   npx stormglass run scenarios/examples/promises.ts#reserved --seeds 50    # reserves before it waits, and passes
 */
import { setTimeout as sleep } from "node:timers/promises"
import { type Invariant, Violation } from "../../core/invariants/Invariant.ts"
import { kindsOf } from "../../sim/nemesis/faultKinds.ts"
import * as Swarm from "../../sim/nemesis/Swarm.ts"
import * as PromiseNode from "../../sim/promises/PromiseNode.ts"
import * as Scenario from "../../sim/run/Scenario.ts"

const stock = 3
const port = 80

type Sell = (left: { count: number }, charge: () => Promise<unknown>) => Promise<boolean>

const looksThenWaits: Sell = async (left, charge) => {
  if (left.count === 0) return false
  await charge()
  left.count--
  return true
}

const reservesThenWaits: Sell = async (left, charge) => {
  if (left.count === 0) return false
  left.count--
  try {
    await charge()
    return true
  } catch (error) {
    left.count++
    throw error
  }
}

const till: PromiseNode.PromiseProgram = async (host) => {
  host.listen(port, async () => {
    await sleep(5 + Math.random() * 20)
    return { receipt: crypto.randomUUID(), at: Date.now() }
  })
}

const shop =
  (sell: Sell): PromiseNode.PromiseProgram =>
  async (host) => {
    const left = { count: stock }
    host.listen(port, async (customer) => {
      const isSold = await sell(left, () => host.call("till", port, customer))
      if (isSold) host.tell({ _tag: "Sold", customer } as { readonly _tag: "Sold" })
      return isSold
    })
  }

const customer: PromiseNode.PromiseProgram = async (host) => {
  for (let visit = 1; visit <= 3; visit++) {
    await sleep(Math.random() * 2_000)
    try {
      await host.call("shop", port, `${host.name}/${visit}`, { signal: AbortSignal.timeout(3_000) })
    } catch (error) {
      // The shop or the way to it is down; another visit may find it up.
      if (!(error instanceof PromiseNode.CallFailed) && (error as Error).name !== "TimeoutError") throw error
    }
  }
}

interface Sales {
  readonly incarnation: number
  readonly count: number
}

const neverOversold: Invariant<Sales> = {
  name: "never-oversold",
  states: `a shop that opens with ${stock} pieces sells no more before it is started again`,
  initial: () => ({ incarnation: 0, count: 0 }),
  step: (sales, { fact, incarnation }) => {
    if (fact._tag !== "Sold") return sales
    const count = sales.incarnation === incarnation ? sales.count + 1 : 1
    return count > stock
      ? new Violation(`${count} were sold, and there were ${stock}`, { count })
      : { incarnation, count }
  }
}

const make = (name: string, sell: Sell) =>
  Scenario.make({
    name: `example/promises-${name}`,
    story: `Four customers come at any time; the shop has ${stock} pieces, and asks a till before it hands one out. It sells no more than it has.`,
    isAsync: true,
    safetyMillis: 10_000,
    build: (world) => {
      PromiseNode.add(world, "till", till).start()
      PromiseNode.add(world, "shop", shop(sell)).start()
      for (const name of ["ann", "bob", "cid", "dan"]) {
        PromiseNode.add(world, name, customer, { tags: [], mustEnd: true }).start()
      }
      return { converged: () => world.unended.length === 0 || `${world.unended.join(", ")} are not done` }
    },
    faults: (draw, world) => Swarm.draw(draw, world, { kinds: kindsOf("network", "process"), safetyMicros: 8_000_000 }),
    invariants: [neverOversold],
    liveness: { withinMillis: 60_000, quietMillis: 0, noise: () => false }
  })

export const oversold = make("oversold", looksThenWaits)
export const reserved = make("reserved", reservesThenWaits)
