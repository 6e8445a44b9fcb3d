/**
 * A service of two or three processes that moves money in Postgres, and the same with a mistake, which fails.
 *
 *   npx stormglass run scenarios/examples/transfers.ts#transfers --storage pglite --seeds 50
 *   npx stormglass run scenarios/examples/transfers.ts#transfersLookedUpBefore --storage pglite --seeds 50
 */
import * as ServiceScenario from "../../sim/services/ServiceScenario.ts"
import { whenCommitted } from "../../sim/storage/Observed.ts"
import * as TransferService from "./TransferService.ts"

type Account = { readonly id: string; readonly balance: number; readonly booked: number }

const moneyIsKept = whenCommitted<Account>({
  name: "money-is-kept",
  states: "No money comes into being, and none is lost.",
  of: "accounts",
  judge: (accounts) => {
    const total = accounts.reduce((sum, { balance }) => sum + balance, 0)
    return total === 500 ? undefined : `there are ${total} in all accounts, which began with 500`
  }
})

const movedOnce = whenCommitted<Account>({
  name: "moved-once",
  states: "Money is moved once for each key.",
  of: "accounts",
  judge: (accounts) => {
    const astray = accounts.find(({ balance, booked }) => balance !== booked)
    return (
      astray && `${astray.id} has ${astray.balance}, and by the transfers on record it should have ${astray.booked}`
    )
  }
})

const situation = {
  schema: TransferService.schema,
  observe: {
    accounts: `
      select id, balance, 100 + coalesce(sum(case id when target then amount when source then -amount end), 0) as booked
      from accounts left join transfers on done and id in (source, target) group by id order by id`
  },
  ask: (key: string, nth: number) => {
    const order = { key, source: `a${nth % 5}`, target: `a${(nth + 1 + (nth % 4)) % 5}`, amount: 10 + (nth % 7) }
    return nth % 2 === 0 ? TransferService.transferByApi(order) : TransferService.transferByRpc(order)
  },
  invariants: [moneyIsKept, movedOnce],
  answeredWithinMillis: 120_000
}

export const transfers = ServiceScenario.make({
  ...situation,
  name: "example/transfers",
  story:
    "A client moves money between accounts by keys, and asks again for what is not answered. It is moved once for each key.",
  program: () => TransferService.serve({ looksUp: "within" })
})

export const transfersLookedUpBefore = ServiceScenario.make({
  ...situation,
  name: "example/transfers#transfersLookedUpBefore",
  story: "The same, of processes that look a key up before the transaction.",
  program: () => TransferService.serve({ looksUp: "before" })
})
