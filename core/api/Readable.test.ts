/** What no store can hold or be asked for is refused before it comes there, in one line. */
import { assert, describe, it } from "@effect/vitest"
import { send } from "./Sending.fixture.ts"

const beat = (uids: ReadonlyArray<unknown>) => ({ body: JSON.stringify({ incarnation: 1, uids }) })
const wanted = (image: string) => ({ body: JSON.stringify({ desired: 1, spec: { image, size: "small" } }) })

const cases: ReadonlyArray<readonly [what: string, method: string, path: string, options: object, where: RegExp]> = [
  ["NUL in a uid that is asked for", "GET", "instances/a%00b", {}, /^path\.uid: .*without NUL/],
  ["in one whose end is asked for", "DELETE", "instances/%00", {}, /^path\.uid: .*without NUL/],
  [
    "in a uid of a heartbeat",
    "POST",
    "agents/a1/heartbeats",
    beat(["a", "\u0000"]),
    /^payload\.uids\.1: .*without NUL/
  ],
  ["half a character there", "POST", "agents/a1/heartbeats", beat(["\uD800"]), /^payload\.uids\.0: .*whole characters/],
  ["NUL in a document", "PUT", "projects/p/fleets/f", wanted("a\u0000"), /^payload\.spec\.image: .*without NUL/],
  ["a name that is none", "GET", "projects/p/fleets/a%00", {}, /^path\.name: /],
  ["a project that is none", "GET", "projects/%F0%9D%92%B3/instances", {}, /^path\.project: /],
  [
    "a number that is not exact",
    "POST",
    "agents/a/heartbeats",
    { body: '{"incarnation":1e300,"uids":["a"]}' },
    /^payload\.incarnation: /
  ],
  ["a body that is none", "POST", "agents/a/heartbeats", { body: "{" }, /^payload: /],
  [
    "a key whose secret was sent instead of its hash",
    "PUT",
    "keys/0123456789abcdef",
    { body: JSON.stringify({ principal: "ops", verbs: ["read"], projects: ["*"], hash: "secret" }) },
    /^payload\.hash: Expected the SHA-256 of the secret in 64 hexadecimal digits$/
  ],
  [
    "a key whose verb is for no project, for one",
    "PUT",
    "keys/0123456789abcdef",
    { body: JSON.stringify({ principal: "ops", verbs: ["admin"], projects: ["shop"], hash: "0".repeat(64) }) },
    /^payload\.projects: the verb admin is for what belongs to no project: give it with every project \(\*\)/
  ],
  [
    "a document without a field",
    "PUT",
    "projects/p/fleets/f",
    { body: '{"desired":1}' },
    /^payload\.spec: is missing$/
  ],
  [
    "a name of capitals",
    "GET",
    "projects/p/fleets/UP",
    {},
    /^path\.name: Expected lower case letters, digits and inner hyphens, at most 63 characters$/
  ],
  ["a name that is too long", "GET", `projects/p/fleets/${"a".repeat(64)}`, {}, /^path\.name: .*at most 63 characters$/]
]

describe("a request that is not what its endpoint takes", () => {
  for (const [what, method, path, options, where] of cases) {
    it(`is refused in one line, and nothing asked of the store: ${what}`, async () => {
      const { asked, status, text } = await send(method, path, options)
      assert.deepStrictEqual({ asked, status }, { asked: 0, status: 400 }, text)
      const { _tag, detail } = JSON.parse(text) as { readonly _tag: string; readonly detail: string }
      assert.strictEqual(_tag, "BadRequest")
      assert.match(detail, where)
      assert.notInclude(detail, "\n")
      assert.isAtMost(detail.length, 300)
    })
  }

  it("is not one that is only strange", async () => {
    for (const uid of ["%2F", "%20", "%F0%9D%92%B3", "a".repeat(90)]) {
      const { asked, status, text } = await send("GET", `instances/${uid}`)
      assert.deepStrictEqual({ asked, status }, { asked: 1, status: 404 }, text)
    }
  })
})
