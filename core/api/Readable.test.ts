/** What no store can hold or be asked for is refused before it comes there, in one line. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Etag from "effect/http/Etag"
import * as HttpPlatform from "effect/http/HttpPlatform"
import * as HttpRouter from "effect/http/HttpRouter"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import { tables } from "../ControlPlane.ts"
import { principalCharsMax } from "../Limits.ts"
import { Membership } from "../member/Membership.ts"
import { type Statement, Storage, makeTransaction } from "../ports/Storage.ts"
import type { Table } from "../ports/Table.ts"
import { checkStatement } from "../storage/checkStatement.ts"
import { makeStorage } from "../storage/makeStorage.ts"
import * as Routes from "./Routes.ts"

/** A store without a row, which dies of what every store dies of. */
const emptyStore = () => {
  const asked: Array<Statement> = []
  const answer = (statement: Statement) =>
    Effect.sync(() => {
      checkStatement(statement, (name) => tables.find((table) => table.name === name) as Table<unknown> | undefined)
      asked.push(statement)
      return { rows: [], count: 0 }
    })
  const storage = makeStorage({
    once: answer,
    begin: () => ({
      transaction: makeTransaction(answer),
      start: Effect.void,
      commit: Effect.void,
      rollback: Effect.void,
      abandon: () => undefined,
      isOver: false
    })
  })
  return { asked, storage }
}

const self = { id: "n1", address: "", incarnation: 1, weight: 1, joinedAt: 0, seenAt: 0, leavingAt: null }

const send = async (
  method: string,
  path: string,
  options: { readonly body?: string; readonly headers?: object } = {}
) => {
  const { asked, storage } = emptyStore()
  const services = Layer.mergeAll(
    Layer.succeed(Storage, storage),
    Layer.succeed(Membership, { self, beat: Effect.never }),
    HttpPlatform.layer.pipe(Layer.provide(FileSystem.layerNoop({}))),
    Etag.layer,
    Path.layer,
    FileSystem.layerNoop({})
  )
  const { dispose, handler } = HttpRouter.toWebHandler(Routes.layer.pipe(Layer.provideMerge(services)), {
    disableLogger: true
  })
  const headers = { "content-type": "application/json", "x-idempotency-key": "k", ...options.headers }
  const request = new Request(`http://n1:8081/v1/${path}`, { method, headers, body: options.body ?? null })
  const response = await handler(request)
  const text = await response.text()
  await dispose()
  return { status: response.status, text, asked: asked.length }
}

const beat = (uids: ReadonlyArray<unknown>) => ({ body: JSON.stringify({ incarnation: 1, uids }) })
const wanted = (image: string) => ({ body: JSON.stringify({ desired: 1, spec: { image, size: "small" } }) })

const cases: ReadonlyArray<readonly [what: string, method: string, path: string, options: object, where: RegExp]> = [
  ["NUL in a uid that is asked for", "GET", "instances/a%00b", {}, /^path\.uid: .*without NUL/],
  ["in one whose end is asked for", "DELETE", "instances/%00", {}, /^path\.uid: .*without NUL/],
  ["in a uid of a heartbeat", "POST", "agents/a1/heartbeats", beat(["a", "\u0000"]), /^body\.uids\.1: .*without NUL/],
  ["half a character there", "POST", "agents/a1/heartbeats", beat(["\uD800"]), /^body\.uids\.0: .*whole characters/],
  ["NUL in a document", "PUT", "projects/p/fleets/f", wanted("a\u0000"), /^body\.spec\.image: .*without NUL/],
  ["a name that is none", "GET", "projects/p/fleets/a%00", {}, /^path\.name: /],
  ["a project that is none", "GET", "projects/%F0%9D%92%B3/instances", {}, /^path\.project: /],
  [
    "a number that is not exact",
    "POST",
    "agents/a/heartbeats",
    { body: '{"incarnation":1e300,"uids":["a"]}' },
    /^body\.incarnation: /
  ],
  ["a body that is none", "POST", "agents/a/heartbeats", { body: "{" }, /^body: /],
  [
    "a principal longer than an index can hold",
    "DELETE",
    "instances/a",
    { headers: { "x-principal": "p".repeat(principalCharsMax + 1) } },
    /^headers\.x-principal: /
  ]
]

describe("a request that is not what its endpoint takes", () => {
  for (const [what, method, path, options, where] of cases) {
    it(`is refused in one line, and nothing asked of the store: ${what}`, async () => {
      const { asked, status, text } = await send(method, path, options)
      assert.deepStrictEqual({ asked, status }, { asked: 0, status: 400 }, text)
      const { _tag, message } = JSON.parse(text) as { readonly _tag: string; readonly message: string }
      assert.strictEqual(_tag, "BadRequest")
      assert.match(message, where)
      assert.notInclude(message, "\n")
      assert.isAtMost(message.length, 300)
    })
  }

  it("is not one that is only strange", async () => {
    for (const uid of ["%2F", "%20", "%F0%9D%92%B3", "a".repeat(90)]) {
      const { asked, status, text } = await send("GET", `instances/${uid}`)
      assert.deepStrictEqual({ asked, status }, { asked: 1, status: 404 }, text)
    }
  })
})
