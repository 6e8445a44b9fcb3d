/** Whom a signed token lets in: against an identity provider on this machine. */
import { once } from "node:events"
import http from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as Effect from "effect/Effect"
import { exportJWK, generateKeyPair, SignJWT } from "jose"
import * as JwtVerifier from "./JwtVerifier.ts"

const issuer = "https://id.example.com"
const audience = "stormglass"
const granted = { verbs: ["read"], projects: ["shop"] }

type Keys = Awaited<ReturnType<typeof generateKeyPair>>
let known: Keys
let unknown: Keys
let keysUrl: string
let served = 0
const server = http.createServer()

beforeAll(async () => {
  known = await generateKeyPair("ES256")
  unknown = await generateKeyPair("ES256")
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(known.publicKey)), kid: "k1", alg: "ES256" }] })
  server.on("request", (_, response) => {
    served++
    response.setHeader("content-type", "application/json").end(jwks)
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  keysUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`
})
afterAll(() => void server.close())

const token = (
  changes: {
    readonly claims?: object
    readonly by?: Keys
    readonly kid?: string
    readonly audience?: string
    readonly issuer?: string
    readonly endsAt?: number
  } = {}
) =>
  new SignJWT({ stormglass: granted, ...changes.claims })
    .setProtectedHeader({ alg: "ES256", kid: changes.kid ?? "k1" })
    .setIssuedAt()
    .setExpirationTime(changes.endsAt ?? Math.floor(Date.now() / 1_000) + 60)
    .setIssuer(changes.issuer ?? issuer)
    .setAudience(changes.audience ?? audience)
    .setSubject("alice@example.com")
    .sign((changes.by ?? known).privateKey)

const judge = async (text: string | Promise<string>) =>
  Effect.runPromise(Effect.result(JwtVerifier.make({ keysUrl, issuer, audience })(await text)))

const refusal = async (text: string | Promise<string>) => {
  const judged = await judge(text)
  if (judged._tag === "Success") throw new Error(`let in as ${JSON.stringify(judged.success)}`)
  return judged.failure._tag === "Unknown" ? judged.failure.message : judged.failure._tag
}

describe("a token of the identity provider", () => {
  it("lets in whom it is of, for what it says", async () => {
    const judged = await judge(token())
    assert.deepEqual(judged._tag === "Success" && judged.success, {
      name: "jwt:alice%40example.com",
      keyId: null,
      verbs: ["read"],
      projects: ["shop"]
    })
  })

  it("for nothing, when it says nothing", async () => {
    const judged = await judge(token({ claims: { stormglass: undefined } }))
    assert.deepEqual(judged._tag === "Success" && judged.success, {
      name: "jwt:alice%40example.com",
      keyId: null,
      verbs: [],
      projects: []
    })
  })

  it("is refused when anything is wrong with it, in words that do not quote it", async () => {
    assert.equal(await refusal(token({ endsAt: 1 })), "the token has expired")
    assert.equal(await refusal(token({ by: unknown })), "the token's signature is not right")
    assert.equal(await refusal(token({ kid: "k2" })), "the token is signed by a key that is not known")
    assert.equal(await refusal(token({ audience: "another" })), "the token's claim aud is not right")
    assert.equal(await refusal(token({ issuer: "https://elsewhere" })), "the token's claim iss is not right")
    assert.match(await refusal(token({ claims: { stormglass: { verbs: ["all"], projects: [] } } })), /claim stormglass/)
  })

  it("is none without a signature, or by a secret that both sides know", async () => {
    const [, payload] = (await token()).split(".")
    const header = Buffer.from(JSON.stringify({ alg: "none" })).toString("base64url")
    assert.match(await refusal(`${header}.${payload}.AA`), /no JWT that is taken here/)
    const symmetric = await new SignJWT({ stormglass: granted })
      .setProtectedHeader({ alg: "HS256", kid: "k1" })
      .setExpirationTime("1m")
      .setSubject("alice")
      .setIssuer(issuer)
      .setAudience(audience)
      .sign(new Uint8Array(32))
    assert.match(await refusal(symmetric), /no JWT that is taken here/)
  })

  it("is for others, when it has not the shape of one", async () => {
    const judged = await judge("sg_nothing")
    assert.deepEqual(judged._tag === "Success" && judged.success, undefined)
  })

  it("cannot be judged while the provider's keys cannot be had; nobody is let in", async () => {
    const verifier = JwtVerifier.make({ keysUrl: "http://127.0.0.1:1/jwks.json", issuer, audience })
    const judged = await Effect.runPromise(Effect.result(verifier(await token())))
    assert.equal(judged._tag === "Failure" && judged.failure._tag, "Busy")
  })

  it("asks for the keys once, however many come", async () => {
    const verifier = JwtVerifier.make({ keysUrl, issuer, audience })
    const before = served
    for (let time = 0; time < 5; time++) await Effect.runPromise(verifier(await token()))
    assert.equal(served - before, 1)
  })
})
