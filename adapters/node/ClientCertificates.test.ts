/** Who is let in by a certificate alone, over real TLS. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { generate } from "selfsigned"
import * as ClientCertificates from "./ClientCertificates.ts"
import * as HttpCalling from "./HttpCalling.ts"
import * as HttpServing from "./HttpServing.ts"

interface Pair {
  readonly cert: string
  readonly private: string
}

const certificates = ClientCertificates.make()
const scope = Scope.makeUnsafe()
let [ours, theirs, node, agent, stranger]: ReadonlyArray<Pair> = []
let port: number

const authority = (name: string): Promise<Pair> =>
  generate([{ name: "commonName", value: name }], {
    keyType: "ec",
    algorithm: "sha256",
    extensions: [{ name: "basicConstraints", cA: true, critical: true }]
  })

const signed = (name: string, by: Pair): Promise<Pair> =>
  generate([{ name: "commonName", value: name }], {
    keyType: "ec",
    algorithm: "sha256",
    ca: { cert: by.cert, key: by.private },
    extensions: [
      { name: "basicConstraints", cA: false },
      { name: "subjectAltName", altNames: [{ type: 2, value: "localhost" }] }
    ]
  })

/** Answers with the token that a request came with. */
const echo = Effect.map(HttpServerRequest.HttpServerRequest, ({ headers }) =>
  HttpServerResponse.text(headers["authorization"] ?? "nobody")
)

beforeAll(async () => {
  ;[ours, theirs] = [await authority("ours"), await authority("theirs")]
  ;[node, agent, stranger] = [await signed("n1", ours), await signed("rack 7/a1", ours), await signed("a2", theirs)]
  const serving = HttpServing.layer({
    host: "127.0.0.1",
    port: 0,
    tls: { certificate: node.cert, key: node.private, clientAuthority: ours.cert, vouch: certificates.vouch }
  })
  const context = await Effect.runPromise(
    Scope.provide(Layer.build(HttpServer.serve(echo).pipe(Layer.provideMerge(serving))), scope)
  )
  const { address } = await Effect.runPromise(Effect.provide(HttpServer.HttpServer, context))
  assert("port" in address)
  port = address.port
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const ask = (tls: HttpCalling.TlsOptions, headers: Readonly<Record<string, string>> = {}): Promise<string> =>
  HttpClient.get(`https://localhost:${port}/`, { headers }).pipe(
    Effect.flatMap(({ text }) => text),
    Effect.provide(HttpCalling.layerTls({ authority: ours!.cert, ...tls })),
    Effect.runPromise
  )

const principal = async (header: string) => {
  const judged = await Effect.runPromise(Effect.result(certificates.verifier(header.replace("Bearer ", ""))))
  return judged._tag === "Success" ? judged.success : judged.failure
}

describe("an agent with a certificate", () => {
  it("that our authority has signed is who it says, and may do what agents do", async () => {
    const token = await ask({ certificate: agent!.cert, key: agent!.private })
    assert.deepEqual(await principal(token), {
      name: "cert:rack%207%2Fa1",
      keyId: null,
      verbs: ["agent"],
      projects: ["*"]
    })
  })

  it("that another has signed is nobody, as is who shows none", async () => {
    assert.equal(await ask({ certificate: stranger!.cert, key: stranger!.private }), "nobody")
    assert.equal(await ask({}), "nobody")
  })

  it("goes by its key when it shows one, too", async () => {
    const headers = { authorization: "Bearer sg_other" }
    assert.equal(await ask({ certificate: agent!.cert, key: agent!.private }, headers), "Bearer sg_other")
  })

  it("trusts no node that somebody else has signed for", async () => {
    const refused = await ask({ authority: theirs!.cert }).then(
      () => "let in",
      () => "refused"
    )
    assert.equal(refused, "refused")
  })
})

describe("a token that a certificate earns", () => {
  it("is none of another process, nor one that is made up", async () => {
    const token = await ask({ certificate: agent!.cert, key: agent!.private })
    const elsewhere = ClientCertificates.make()
    assert.isUndefined(await Effect.runPromise(elsewhere.verifier(token.replace("Bearer ", ""))))
    assert.isUndefined(await principal("Bearer cert.0000.admin"))
    assert.isUndefined(await principal("Bearer sg_0123456789abcdef_0"))
  })

  it("is not given over plain HTTP", () => {
    const request = { socket: {}, headers: {} } as unknown as Parameters<typeof certificates.vouch>[0]
    certificates.vouch(request)
    assert.deepEqual(request.headers, {})
  })
})
