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

/** `path` below the project, or, with a "/" at first, below "/v1". */
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
        const request = HttpClientRequest.make(method)(
          `${addresses[node]}/v1/${path.startsWith("/") ? path.slice(1) : `projects/shop/${path}`}`,
          {
            headers: { ...own, ...headers }
          }
        )
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

describe("a list of what there is, in pages", () => {
  /** The items of all pages of so many; `between` comes before each page but the first. */
  const everyItem = Effect.fnUntraced(function* (
    send: Send,
    path: string,
    limit: number,
    between: Effect.Effect<void> = Effect.void
  ) {
    const items: Array<Told["document"]> = []
    for (let after = ""; ; yield* between) {
      const { document, status, text } = yield* send("GET", `${path}?limit=${limit}${after}`)
      assert.strictEqual(status, 200, text)
      const page = document as unknown as { readonly items: typeof items; readonly next: string | null }
      assert.isAtMost(page.items.length, limit)
      items.push(...page.items)
      if (page.next === null) return items
      after = `&after=${page.next}`
    }
  })

  it("has every project with a fleet, an instance or a quota, once", () => {
    play(
      Effect.fnUntraced(function* (send) {
        assert.deepStrictEqual(yield* everyItem(send, "/projects", 1), [])
        yield* send("PUT", path, { body: { desired: 2, spec } })
        yield* send("POST", "instances", { body: { name: "box", spec } })
        yield* send("PUT", "/projects/forge/quota", { body: { fleetsMax: 4, instancesMax: null } })
        yield* send("POST", "/projects/yard/instances", { body: { name: "box", spec } })
        const all = [
          { name: "forge", fleetsMax: 4, instancesMax: null },
          { name: "shop", fleetsMax: null, instancesMax: null },
          { name: "yard", fleetsMax: null, instancesMax: null }
        ]
        for (const limit of [1, 2, 3, 100]) assert.deepStrictEqual(yield* everyItem(send, "/projects", limit), all)
      })
    )
  })

  it("has every group of buckets, with who works on it", () => {
    play(
      Effect.fnUntraced(function* (send) {
        const groups = yield* everyItem(send, "/buckets", 20)
        assert.deepStrictEqual(
          groups.map(({ firstBucket, group, holder, lastBucket, lease }) => [
            group,
            firstBucket,
            lastBucket,
            holder,
            lease
          ]),
          Array.from({ length: 32 }, (_, group) => [group, group * 32, group * 32 + 31, "n1/1", `buckets/${group}`])
        )
        assert.deepStrictEqual(yield* everyItem(send, "/buckets", 100), groups)
        assert.strictEqual((yield* send("GET", "/buckets?after=bm9uZQ")).status, 400)
      })
    )
  })

  it("has what was asked of a project, the newest first, each once, also where it is sealed between two pages", () => {
    play(
      Effect.fnUntraced(function* (send) {
        yield* send("PUT", path, { body: { desired: 2, spec } })
        yield* send("PUT", "/projects/forge/fleets/other", { body: { desired: 0, spec } })
        const { document: box } = yield* send("POST", "instances", { body: { name: "box", spec } })
        yield* send("PUT", path, { body: { desired: 2, spec: { ...spec, image: "web:2" } } })
        yield* Effect.sleep(30_000)
        yield* send("DELETE", `/instances/${String(box["uid"])}`, { headers: { "x-idempotency-key": "away" } })
        yield* send("DELETE", path)
        const paged = yield* everyItem(send, "operations", 1, Effect.sleep(10_000))
        assert.deepStrictEqual(
          paged.map(({ action, status }) => `${String(action)} ${String(status)}`),
          ["fleets/delete 202", "instances/delete 202", "fleets/put 409", "instances/create 202", "fleets/put 201"]
        )
        assert.deepInclude(paged[1], { principal: "anonymous", requestId: "away" })
        assert.deepStrictEqual(yield* everyItem(send, "operations", 100), paged)
        const forge = yield* everyItem(send, "/projects/forge/operations", 100)
        assert.deepStrictEqual(
          forge.map(({ path: of }) => of),
          ["/v1/projects/forge/fleets/other"]
        )
      })
    )
  })

  it("has what happened in a project, to a fleet and to an instance, the newest first, also of what is gone", () => {
    play(
      Effect.fnUntraced(function* (send) {
        yield* send("PUT", path, { body: { desired: 2, spec } })
        yield* send("PUT", "/projects/forge/fleets/web", { body: { desired: 0, spec, paused: false } })
        yield* send("PUT", "/projects/forge/fleets/web", { body: { desired: 0, spec, paused: true } })
        const { document: box } = yield* send("POST", "instances", { body: { name: "box", spec } })
        const uid = String(box["uid"])
        yield* Effect.sleep(20_000)
        yield* send("PUT", path, { body: { desired: 1, spec } })
        yield* send("DELETE", `/instances/${uid}`)
        yield* Effect.sleep(20_000)
        yield* send("DELETE", path)
        yield* Effect.sleep(20_000)
        const all = yield* everyItem(send, "events", 100)
        assert.deepStrictEqual(yield* everyItem(send, "events", 1), all)
        assert.isTrue(all.every(({ project }) => project === "shop"))
        const times = all.map(({ at }) => Number(at))
        assert.deepStrictEqual(
          times,
          times.toSorted((a, b) => b - a)
        )
        const listed = Effect.fnUntraced(function* (query: string) {
          const { document } = yield* send("GET", `events?${query}`)
          return document["items"] as typeof all
        })
        const ofFleet = yield* listed("fleet=web")
        assert.deepStrictEqual(
          ofFleet
            .filter(({ instance }) => instance === null)
            .map(({ detail, kind }) => `${String(kind)}: ${String(detail)}`),
          [
            "Removed: no instance of it is left",
            "Scaled: from 1 to 0",
            "DeletionRequested: by request",
            "Scaled: from 2 to 1",
            "Scaled: from 0 to 2"
          ]
        )
        const ofMembers = ofFleet.filter(({ instance }) => instance !== null)
        assert.deepStrictEqual(
          ofMembers.map(({ detail }) => detail),
          ["its fleet is deleted", "one too many: 1 are wanted"]
        )
        const [last] = ofMembers
        assert.deepStrictEqual(yield* listed(`instance=${String(last!["instance"])}`), [last])
        const ofBox = yield* listed(`instance=${uid}&fields=kind,detail,fleet`)
        assert.deepStrictEqual(ofBox, [{ kind: "DeletionRequested", detail: "by request", fleet: null }])
        assert.deepStrictEqual(yield* listed(`instance=${uid}&fleet=web`), [])
        const forge = yield* everyItem(send, "/projects/forge/events", 100)
        assert.deepStrictEqual(
          forge.map(({ kind, project }) => [kind, project]),
          [["Paused", "forge"]]
        )
        const { document } = yield* send("GET", "events?limit=1")
        const next = String(document["next"])
        for (const query of [
          `fleet=web&after=${next}`,
          "after=bm9uZQ",
          "kind=Scaled",
          "limit=0",
          "fields=colour",
          "fleet=A"
        ]) {
          assert.strictEqual((yield* send("GET", `events?${query}`)).status, 400, query)
        }
      })
    )
  })
})
