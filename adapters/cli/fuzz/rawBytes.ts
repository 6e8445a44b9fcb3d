/** What no client sends: bytes that are nearly requests, cut, torn or stuffed; frames that are none; and connections that say nothing. Pure. */
import * as fc from "fast-check"

const crlf = "\r\n"

const line = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      "GET /v1/members HTTP/1.1",
      "POST /v1/agents/a/heartbeats HTTP/1.1",
      "PUT /v1/projects/p/fleets/f HTTP/1.1"
    )
  },
  fc.constantFrom(
    "GET / HTTP/9.9",
    "GET  HTTP/1.1",
    "get / http/1.1",
    "FOO /v1 HTTP/1.1",
    "GET /%ZZ HTTP/1.1",
    "GET http://[::1 HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "PRI * HTTP/2.0"
  ),
  fc.string({ unit: "binary", maxLength: 60 })
)

const header = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      "host: localhost",
      "content-type: application/json",
      "content-length: 5",
      "content-length: 99999999999999999999",
      "content-length: -1",
      "content-length: 3\r\ncontent-length: 4",
      "transfer-encoding: chunked",
      "transfer-encoding: chunked\r\ncontent-length: 4",
      "transfer-encoding: gzip, chunked",
      "idempotency-key: a\r\nidempotency-key: b",
      "authorization: Bearer",
      "authorization: Basic Og==",
      "expect: 100-continue",
      "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
      "connection: upgrade\r\nupgrade: h2c",
      "accept-encoding: \u0000",
      ": empty",
      " folded: yes"
    )
  },
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.nat({ max: 20_000 }).map((length) => `x-long: ${"y".repeat(length)}`)
)

const body = fc.oneof(
  fc.constantFrom(
    "",
    "{}",
    "5\r\nhello\r\n0\r\n\r\n",
    "FFFFFFFFFFFFFFFF\r\n",
    "-1\r\n",
    "0\r\n\r\nGET /v1/members HTTP/1.1\r\n\r\n"
  ),
  fc.string({ unit: "binary", maxLength: 500 })
)

/** One connection's worth. */
export const rawBytes: fc.Arbitrary<Uint8Array> = fc.oneof(
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 2_000 }) },
  {
    weight: 6,
    arbitrary: fc
      .tuple(line, fc.array(header, { maxLength: 8 }), body, fc.double({ min: 0, max: 1.2, noNaN: true }))
      .map(([first, headers, rest, cut]) => {
        const whole = Buffer.from([first, ...headers, "", rest].join(crlf), "latin1")
        return whole.subarray(0, Math.ceil(whole.length * Math.min(1, cut)))
      })
  }
)
