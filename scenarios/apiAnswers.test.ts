/** What a client is told by a whole cluster, request by request. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import { commitOf } from "../core/invariants/rowChanges.ts"
import * as Schedule from "../sim/kernel/Schedule.ts"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import { World } from "../sim/run/World.ts"
import * as Cluster from "./ControlPlaneCluster.ts"

interface Told {
  readonly status: number
  /** Byte for byte. */
  readonly text: string
  readonly document: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string | undefined>>
}

interface Sending {
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
  /** Which of the nodes is asked. Default: the first. */
  readonly node?: number
}

type Send = (method: "GET" | "PUT" | "POST" | "DELETE", path: string, sending?: Sending) => Effect.Effect<Told>

/** Runs the story in a cluster; returns the labels of what was committed. */
const play = (story: (send: Send) => Effect.Effect<void>, nodes = 1): ReadonlyArray<string> => {
  const world = new World({ seed: "1", strategy: Schedule.random })
  const { addresses } = Cluster.build(world, { nodes, agents: 1 })
  const labels: Array<string> = []
  world.subscribe((envelope) => {
    const commit = commitOf(envelope)
    if (commit !== undefined) labels.push(commit.label)
  })
  const failed: Array<unknown> = []
  let ends = 0
  const program = Effect.gen(function* () {
    yield* Effect.sleep(20_000)
    const client = yield* HttpClient.HttpClient
    let nth = 0
    const send: Send = (method, path, { body, headers = {}, node = 0 } = {}) =>
      Effect.gen(function* () {
        const own = "x-idempotency-key" in headers ? {} : { "idempotency-key": `k-${++nth}` }
        const request = HttpClientRequest.make(method)(`${addresses[node]}/v1/projects/shop/${path}`, {
          headers: { ...own, ...headers }
        })
        const response = yield* client.execute(
          body === undefined ? request : HttpClientRequest.bodyJsonUnsafe(request, body)
        )
        const text = yield* response.text
        const document = (text === "" ? {} : JSON.parse(text)) as Told["document"]
        return { status: response.status, text, document, headers: response.headers }
      }).pipe(Effect.orDie)
    yield* story(send).pipe(Effect.catchDefect((defect) => Effect.sync(() => failed.push(defect))))
    ends++
  })
  world.addNode("caller", Effect.provide(program, SimHttpClient.layer), { mustEnd: true }).start()
  for (let second = 0; second < 120 && world.unended.length > 0; second++) world.run("1s")
  if (failed.length > 0) throw failed[0]
  assert.strictEqual(ends, 1, "the story did not come to its end")
  return labels
}

const spec = { image: "web:1", size: "small" }
const path = "fleets/web"

describe("an idempotency key", () => {
  // covers A1, A2, A3
  it("of 64 requests at once, in both spellings, to three nodes, has one effect; all are told the same bytes in the end", () => {
    const labels = play(
      Effect.fnUntraced(function* (send) {
        const racer = (nth: number) =>
          send("PUT", path, {
            body: { desired: 3, spec },
            headers: { [nth % 2 === 0 ? "idempotency-key" : "x-idempotency-key"]: "race" },
            node: nth % 3
          })
        const racers = Array.from({ length: 64 }, (_, nth) => nth)
        const first = yield* Effect.forEach(racers, racer, { concurrency: "unbounded" })
        for (const { headers, status } of first) {
          assert.include([201, 409], status)
          if (status === 409) assert.match(headers["retry-after"]!, /^[1-9]\d*$/)
        }
        const [ran, ...others] = first.filter((told) => told.status === 201)
        const isReplay = (told: Told) => told.headers["idempotency-replayed"] === "true"
        assert.lengthOf(
          first.filter((told) => told.status === 201 && !isReplay(told)),
          1
        )
        const again = yield* Effect.forEach(racers, racer)
        assert.isTrue(again.every(isReplay))
        for (const told of [...others, ...again]) assert.deepEqual([told.status, told.text], [201, ran!.text])
        assert.strictEqual((yield* send("GET", path)).document["generation"], 1)
      }),
      3
    )
    assert.lengthOf(
      labels.filter((label) => label === "fleets/put"),
      1
    )
  })

  // covers A1
  it("is of its route: the same for another is another key; and with another body it is refused", () => {
    play(
      Effect.fnUntraced(function* (send) {
        const headers = { "idempotency-key": "one" }
        assert.strictEqual((yield* send("PUT", path, { body: { desired: 0, spec }, headers })).status, 201)
        const other = yield* send("PUT", path, { body: { desired: 1, spec }, headers })
        assert.strictEqual(other.status, 422)
        const elsewhere = yield* send("POST", "instances", { body: { name: "alone", spec }, headers })
        assert.deepEqual([elsewhere.status, elsewhere.headers["idempotency-replayed"]], [202, undefined])
      })
    )
  })

  // covers A6
  it("that is another one, for what is there already: the same wish is told what is there, another spec is refused", () => {
    play(
      Effect.fnUntraced(function* (send) {
        const wish = (image: string) => send("POST", "instances", { body: { name: "alone", spec: { ...spec, image } } })
        const made = yield* wish("web:1")
        yield* Effect.sleep("20 seconds")
        const same = yield* wish("web:1")
        assert.deepEqual([made.status, same.status], [202, 200])
        assert.deepInclude(same.document, { uid: made.document["uid"], state: "RUNNING" })
        const other = yield* wish("web:2")
        assert.deepInclude(other.document, { status: 409, _tag: "Conflict" })
        yield* send("PUT", path, { body: { desired: 2, spec } })
        const fleet = yield* send("PUT", path, { body: { desired: 2, spec } })
        assert.deepEqual([fleet.status, fleet.document["generation"]], [200, 1])
        const otherFleet = yield* send("PUT", path, { body: { desired: 2, spec: { ...spec, image: "web:2" } } })
        assert.strictEqual(otherFleet.status, 409)
      })
    )
  })
})

describe("a dry run", () => {
  it("says what would be answered, and keeps nothing, not even the key", () => {
    const labels = play(
      Effect.fnUntraced(function* (send) {
        const headers = { "idempotency-key": "once" }
        const tried = yield* send("PUT", `${path}?dryRun=true`, { body: { desired: 3, spec }, headers })
        assert.deepInclude(tried, { status: 201 })
        assert.deepInclude(tried.document, { desired: 3, generation: 1 })
        assert.strictEqual(tried.headers["stormglass-dry-run"], "true")
        assert.strictEqual((yield* send("GET", path)).status, 404)
        const done = yield* send("PUT", path, { body: { desired: 1, spec }, headers })
        assert.strictEqual(done.status, 201, "the key was not used")
        const other = yield* send("PUT", `${path}?dryRun=true`, { body: { desired: 1, spec: { ...spec, image: "b" } } })
        assert.deepInclude(other.document, { status: 409, _tag: "Conflict" })
        assert.strictEqual((yield* send("DELETE", `${path}?dryRun=true`)).status, 202)
        assert.deepInclude((yield* send("GET", path)).document, { desired: 1, deletionRequestedAt: null })
      })
    )
    assert.deepStrictEqual(
      labels.filter((label) => label.endsWith("dry-run")),
      []
    )
  })
})

describe("an answer that is waited for", () => {
  it("comes when the fleet is as it is wanted, and says 202 when the time is over first", () => {
    play(
      Effect.fnUntraced(function* (send) {
        const made = yield* send("PUT", `${path}?wait=stable&waitSeconds=60`, { body: { desired: 3, spec } })
        assert.strictEqual(made.status, 201)
        assert.deepInclude(made.document["status"] as object, {
          observedGeneration: 1,
          running: 3,
          live: 3,
          deleting: 0
        })
        const early = yield* send("PUT", `${path}?wait=stable&waitSeconds=1`, { body: { desired: 9, spec } })
        assert.deepInclude(early, { status: 202 })
        assert.strictEqual(early.document["desired"], 9)
        const late = yield* send("GET", `${path}?wait=stable&waitSeconds=60`)
        assert.deepInclude(late.document["status"] as object, { observedGeneration: 2, running: 9 })
        assert.strictEqual((yield* send("GET", "fleets/none?wait=stable")).status, 404)
      })
    )
  })
})

describe("the version of a document", () => {
  it("is told, asked for, and a condition of changes", () => {
    play(
      Effect.fnUntraced(function* (send) {
        const made = yield* send("PUT", path, { body: { desired: 1, spec }, headers: { "if-none-match": "*" } })
        const first = made.headers["etag"]!
        assert.strictEqual(made.status, 201)
        const again = yield* send("PUT", path, { body: { desired: 1, spec }, headers: { "if-none-match": "*" } })
        assert.deepInclude(again.document, { status: 412, _tag: "PreconditionFailed" })
        yield* send("GET", `${path}?wait=stable`)
        const read = yield* send("GET", path)
        const known = yield* send("GET", path, { headers: { "if-none-match": read.headers["etag"]! } })
        assert.deepInclude(known, { status: 304, document: {} })
        assert.strictEqual((yield* send("GET", path, { headers: { "if-none-match": first } })).status, 200)
        const changed = yield* send("PUT", path, { body: { desired: 2, spec }, headers: { "if-match": first } })
        assert.strictEqual(changed.status, 200, "it was only counted since")
        const stale = yield* send("PUT", path, { body: { desired: 3, spec }, headers: { "if-match": first } })
        assert.strictEqual(stale.status, 412)
        const headers = { "if-match": changed.headers["etag"]! }
        assert.strictEqual((yield* send("DELETE", path, { headers })).status, 202)
        assert.strictEqual((yield* send("PUT", path, { body: { desired: 3, spec } })).status, 409)
        for (let nth = 0; nth < 30 && (yield* send("GET", path)).status !== 404; nth++) yield* Effect.sleep(1_000)
        assert.strictEqual((yield* send("DELETE", path)).status, 404)
        const anew = yield* send("PUT", path, { body: { desired: 1, spec } })
        assert.deepInclude(anew.document, { generation: 1, status: null })
        assert.strictEqual((yield* send("DELETE", path, { headers: { "if-match": first } })).status, 412)
      })
    )
  })
})

describe("a quota", () => {
  it("refuses what would pass it, with what is used and allowed, and nothing that takes away", () => {
    play(
      Effect.fnUntraced(function* (send) {
        assert.deepInclude((yield* send("GET", "quota")).document, { fleetsMax: null, instancesMax: null })
        assert.strictEqual((yield* send("PUT", path, { body: { desired: 4, spec } })).status, 201)
        const set = yield* send("PUT", "quota", { body: { fleetsMax: 1, instancesMax: 3 } })
        assert.deepInclude(set.document, { used: { fleets: 1, instances: 4 } })
        const over = { status: 403, _tag: "QuotaExceeded", used: 4, requested: 1, allowed: 3, resource: "instances" }
        assert.deepInclude((yield* send("PUT", path, { body: { desired: 5, spec } })).document, over)
        assert.deepInclude((yield* send("POST", "instances", { body: { name: "box", spec } })).document, over)
        const another = yield* send("PUT", "fleets/another", { body: { desired: 0, spec } })
        assert.deepInclude(another.document, { status: 403, resource: "fleets", used: 1, allowed: 1 })
        assert.strictEqual((yield* send("PUT", path, { body: { desired: 2, spec } })).status, 200)
        assert.strictEqual((yield* send("POST", "instances", { body: { name: "box", spec } })).status, 202)
        const same = yield* send("POST", "instances", { body: { name: "box", spec } })
        assert.isBelow(same.status, 300, "it is there already, and adds nothing")
        assert.strictEqual((yield* send("PUT", "quota", { body: { fleetsMax: -1, instancesMax: 3 } })).status, 400)
      })
    )
  })
})
