import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import { all, judged } from "./conformance.fixture.ts"

/** A way to the nodes on which headers and parameters are lost that those who ask rely on. */
const lossy = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(
    HttpClient.HttpClient,
    HttpClient.mapRequest((request) =>
      ["if-match", "if-none-match", "last-event-id", "x-idempotency-key"]
        .reduce((left, name) => HttpClientRequest.removeHeader(left, name), request)
        .pipe(HttpClientRequest.updateUrl((url) => url.replaceAll(/&after=[^&]*|dryRun=true/g, "")))
    )
  )
).pipe(Layer.provide(SimHttpClient.layer))

describe("the laws of a control plane", () => {
  // covers A31
  it("hold at its addresses in the simulator; and not for whoever reaches them by a way that loses what he relies on", () => {
    const found = judged({ plain: SimHttpClient.layer, lossy }, { nodes: 3 })
    assert.deepStrictEqual(found.get("plain"), { kept: all, broken: {} })
    const { broken } = found.get("lossy")!
    assert.hasAllKeys(broken, ["key", "version", "dry", "pages", "watch"])
    assert.match(
      broken["version"]!,
      /^PUT \/v1\/projects\/shop\/fleets\/lossy-version: 412 was to be expected, not 200 /
    )
    assert.strictEqual(broken["watch"], "listings: 0 was to be expected, not 1")
  })
})
