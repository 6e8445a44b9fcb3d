import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { inOrder } from "./inOrder.ts"

describe("what is run on all cores", () => {
  it("ends with the first last one, in the order of the items, whoever is done first and however many run at once", () =>
    fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.boolean(), { maxLength: 30 }),
        fc.integer({ min: 1, max: 5 }),
        async (scheduler, lasts, jobs) => {
          const items = lasts.map((isLast, index) => ({ index, isLast }))
          const running = inOrder({
            items,
            jobs,
            run: (item) => scheduler.schedule(Promise.resolve(item)),
            isLast: ({ isLast }) => isLast,
            isOver: () => false
          })
          const done = await scheduler.waitFor(running)
          const first = lasts.indexOf(true)
          assert.deepStrictEqual(done, first === -1 ? items : items.slice(0, first + 1))
        }
      )
    ))

  it("begins nothing more when it is over, and gives what was done", async () => {
    let begun = 0
    const done = await inOrder({
      items: [1, 2, 3, 4, 5, 6],
      jobs: 1,
      run: async (item) => {
        begun++
        return item
      },
      isLast: () => false,
      isOver: () => begun >= 3
    })
    assert.deepStrictEqual(done, [1, 2, 3])
  })
})
