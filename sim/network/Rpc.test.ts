import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SocketServer from "effect/socket/SocketServer"
import { emit } from "../../core/facts/Facts.ts"
import { World } from "../run/World.ts"
import * as Account from "./Account.fixture.ts"
import * as SimSocket from "./SimSocket.ts"
import * as SimSocketServer from "./SimSocketServer.ts"

const say = (what: string) => emit({ _tag: "Said", what })

const makeWorld = () => {
  const world = new World({ seed: "1" })
  const said: Array<string> = []
  world.subscribe(({ atMicros, fact }) => {
    if (fact._tag === "Said")
      said.push(`${Math.round(atMicros / 1_000_000)} s: ${(fact as unknown as { what: string }).what}`)
  })
  const balance = { value: 0 }
  const serving = Account.serve(balance).pipe(Layer.provide(SimSocketServer.layer({ port: 7000 })))
  const server = world.addNode("server", Layer.launch(serving))
  const socket = SimSocket.layer({ host: "server", port: 7000 })
  const addClient = <E>(program: Effect.Effect<unknown, E, Layer.Success<typeof Account.clientProtocol>>) =>
    world.addNode("client", Effect.provide(program, Layer.provide(Account.clientProtocol, socket)))
  return { world, said, balance, server, addClient }
}

const deposit = (amount: number) =>
  Account.client.pipe(
    Effect.flatMap((account) => account.deposit({ amount })),
    Effect.timeout("5 seconds"),
    Effect.match({ onSuccess: (balance) => `balance ${balance}`, onFailure: (error) => error._tag }),
    Effect.flatMap(say),
    Effect.scoped
  )

describe("remote calls over sockets, unmodified", () => {
  it.live("answer on Node's sockets", () => {
    const server = Account.serve({ value: 0 }).pipe(
      Layer.provideMerge(NodeSocketServer.layer({ host: "127.0.0.1", port: 0 }))
    )
    return Effect.gen(function* () {
      const { address } = yield* SocketServer.SocketServer
      assert.isTrue("port" in address)
      if (!("port" in address)) return
      const socket = NodeSocket.layerNet({ host: "127.0.0.1", port: address.port })
      const answers = yield* Effect.provide(Account.session, Layer.provide(Account.clientProtocol, socket))
      assert.deepStrictEqual(answers, Account.told)
    }).pipe(Effect.provide(server))
  })

  it("answer the same in the simulator", () => {
    const { world, said, server, addClient } = makeWorld()
    server.start()
    addClient(Effect.flatMap(Account.session, (answers) => say(JSON.stringify(answers)))).start()
    world.run("10s")
    assert.deepStrictEqual(said, [`0 s: ${JSON.stringify(Account.told)}`])
  })

  it("a partition shorter than the time-out costs time, a longer one costs the answer", () => {
    const { world, said, balance, server, addClient } = makeWorld()
    server.start()
    const client = addClient(Effect.andThen(deposit(1), Effect.andThen(Effect.sleep("10 seconds"), deposit(2))))
    const heal = world.network.partition(["client"], ["server"])
    client.start()
    world.run("2s")
    heal()
    world.run("6s")
    world.network.partition(["client"], ["server"])
    world.run("30s")
    // Its own pings tell it before the time-out.
    assert.deepStrictEqual(said, ["3 s: balance 1", "15 s: RpcClientError"])
    assert.strictEqual(balance.value, 1)
  })

  it("with the answer lost after the effect the client sees a time-out, and the effect is there", () => {
    const { world, said, balance, server, addClient } = makeWorld()
    server.start()
    addClient(Effect.andThen(Effect.sleep("1 second"), deposit(1))).start()
    world.run("500ms")
    world.network.partitionOneWay(["server"], ["client"])
    world.run("20s")
    assert.deepStrictEqual(said, ["6 s: TimeoutError"])
    assert.strictEqual(balance.value, 1)
  })

  it("a server that dies is found again when it is back", () => {
    const { world, said, balance, server, addClient } = makeWorld()
    server.start()
    addClient(Effect.andThen(deposit(1), Effect.andThen(Effect.sleep("3 seconds"), deposit(2)))).start()
    world.run("1s")
    server.crash("killed")
    world.run("1s")
    server.start()
    world.run("20s")
    assert.deepStrictEqual(said.at(0), "0 s: balance 1")
    assert.strictEqual(said.length, 2)
    assert.isAtLeast(balance.value, 1)
  })

  it("of two clients of one connection answer each its own", () => {
    const { world, said, server, addClient } = makeWorld()
    server.start()
    const both = Effect.gen(function* () {
      const [one, other] = yield* Effect.all([Account.client, Account.client])
      const deposits = [one.deposit({ amount: 1 }), other.deposit({ amount: 2 }), one.deposit({ amount: 3 })]
      yield* say(JSON.stringify(yield* Effect.all(deposits, { concurrency: "unbounded" })))
    })
    addClient(Effect.scoped(both)).start()
    world.run("1s")
    assert.deepStrictEqual(said, ["0 s: [1,3,6]"])
  })

  it("number their requests for themselves: whatever was called before, a run has the digest that it has alone", () => {
    const [alone, again] = [1, 2].map(() => {
      const { world, server, addClient } = makeWorld()
      server.start()
      addClient(Account.session).start()
      world.run("10s")
      return world.kernel.facts.digest.value
    })
    assert.strictEqual(again, alone)
  })
})
