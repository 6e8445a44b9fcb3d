/** Which of several says what a process does, and what is said of all that is wrong. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { configText } from "./configCommand.ts"
import { type Given, resolve } from "./Setting.ts"
import { agentSettings, serveRelations, serveSettings, staticPlaceOf } from "./settings.ts"

const given = (changes: Partial<Given> = {}): Given => ({ flags: {}, environment: {}, file: undefined, ...changes })
const typed = (flags: Readonly<Record<string, string | boolean>>): Given["flags"] =>
  Object.fromEntries(Object.entries(flags).map(([name, value]) => [name, Option.some(value)]))
const file = (content: unknown) => ({ path: "node.json", content })

const serve = (changes?: Partial<Given>) => Result.getOrThrow(resolve(serveSettings, given(changes)))
const problems = (changes: Partial<Given>) =>
  Result.getOrThrow(Result.flip(resolve(serveSettings, given(changes), Object.keys(agentSettings))))

describe("settings", () => {
  it("a flag goes before the environment, that before the file, that before the default, one by one", () =>
    fc.assert(
      fc.property(fc.subarray(["flag", "environment", "file"] as const), (by) => {
        const { origins, values } = serve({
          ...(by.includes("flag") ? { flags: typed({ port: "1" }) } : {}),
          ...(by.includes("environment") ? { environment: { PORT: "2" } } : {}),
          ...(by.includes("file") ? { file: file({ port: 3, weight: 9 }) } : {})
        })
        const first = (["flag", "environment", "file"] as const).findIndex((each) => by.includes(each))
        assert.strictEqual(values.port, [1, 2, 3][first] ?? 8_081)
        assert.deepStrictEqual(
          origins.port,
          [
            { kind: "flag", name: "--port" },
            { kind: "environment", name: "PORT" },
            { kind: "file", name: "node.json" }
          ][first] ?? { kind: "default", name: "default" }
        )
        assert.strictEqual(values.weight, by.includes("file") ? 9 : 1)
      })
    ))

  it("an empty variable is none", () => {
    assert.strictEqual(serve({ environment: { PORT: "", NODE_ID: " " } }).values.port, 8_081)
  })

  it("a switch may be typed, said, written, or written as what it is not", () => {
    assert.isTrue(serve({ flags: typed({ agent: true }) }).values.agent)
    assert.isFalse(serve({ flags: typed({ agent: false }), environment: { STORMGLASS_AGENT: "true" } }).values.agent)
    assert.isTrue(serve({ file: file({ agent: true }) }).values.agent)
    assert.deepStrictEqual(problems({ environment: { STORMGLASS_AGENT: "yes" } }), [
      'STORMGLASS_AGENT "yes": write true or false'
    ])
  })

  it("everything that is wrong is said at once, a line each: what, where, and what would be right", () => {
    assert.deepStrictEqual(
      problems({
        flags: typed({ id: "N1" }),
        environment: { PORT: "80 81", STORMGLASS_ADDRESS: "n1:8081" },
        file: file({ wieght: 2, profile: "conservativ", directory: null, databaseUrl: "mysql://me:hidden@db" })
      }),
      [
        'node.json: wieght: there is no such setting; did you mean "weight"?',
        '--id "N1": a name is lower case letters, digits and inner hyphens, at most 63 characters',
        'PORT "80 81": not a whole number from 0 to 65535',
        'STORMGLASS_ADDRESS "n1:8081": not an address such as http://localhost:8081',
        'node.json: profile "conservativ": not one of default, conservative; did you mean "conservative"?',
        "node.json: databaseUrl: not a URL such as postgres://owner:password@host:5432/database",
        "node.json: directory: not a text, a number, true or false"
      ]
    )
    assert.deepStrictEqual(problems({ file: file([]) }), [
      'node.json: not an object of settings, such as { "port": 8081 }'
    ])
  })

  it("one file may be for nodes and agents", () => {
    const shared = file({ id: "x1", server: ["http://n1:1", "http://n2:1/"], weight: 2 })
    const agent = resolve(agentSettings, given({ file: shared }), Object.keys(serveSettings))
    assert.deepStrictEqual(Result.getOrThrow(agent).values.server, ["http://n1:1", "http://n2:1"])
    assert.isTrue(Result.isSuccess(resolve(serveSettings, given({ file: shared }), Object.keys(agentSettings))))
  })

  it("an agent must have a name, as two of one name would be taken for one that has moved", () => {
    assert.deepStrictEqual(Result.getOrThrow(Result.flip(resolve(agentSettings, given()))), [
      "--id: missing: The name of the agent; give --id, AGENT_ID, or id in the file of --config"
    ])
  })

  it("what is right alone may be wrong together", () => {
    const at = (index?: string, count?: string) =>
      resolve(serveSettings, given({ environment: { NODE_INDEX: index, TOTAL_NODES: count } }), [], serveRelations)
    assert.deepStrictEqual(staticPlaceOf(Result.getOrThrow(at("1", "2")).values), { index: 1, count: 2 })
    assert.isUndefined(staticPlaceOf(Result.getOrThrow(at()).values))
    assert.deepStrictEqual(Result.getOrThrow(Result.flip(at("2", "2"))), [
      "--static-index (NODE_INDEX): index 2 of 2: they go from 0 to 1"
    ])
    assert.deepStrictEqual(Result.getOrThrow(Result.flip(at("2"))), [
      "--static-index and --static-count (NODE_INDEX, TOTAL_NODES): give both, or neither"
    ])
  })

  it("a node has roles, each once, and only what they allow", () => {
    const at = (environment: Readonly<Record<string, string>>) =>
      resolve(serveSettings, given({ environment }), [], serveRelations)
    assert.deepStrictEqual(Result.getOrThrow(at({})).values.roles, ["api", "worker"])
    assert.deepStrictEqual(Result.getOrThrow(at({ STORMGLASS_ROLES: "worker, worker" })).values.roles, ["worker"])
    const refused = (environment: Readonly<Record<string, string>>) => Result.getOrThrow(Result.flip(at(environment)))
    assert.deepStrictEqual(refused({ STORMGLASS_ROLES: "api,workers" }), [
      'STORMGLASS_ROLES "api,workers": not one of api, worker; did you mean "worker"?'
    ])
    assert.deepStrictEqual(refused({ STORMGLASS_ROLES: "worker", STORMGLASS_AGENT: "true" }), [
      "--agent (STORMGLASS_AGENT): it asks its own node for work; give that --roles api, or start a `stormglass agent`"
    ])
    assert.deepStrictEqual(refused({ STORMGLASS_ROLES: "api", NODE_INDEX: "0", TOTAL_NODES: "1" }), [
      "--static-index (NODE_INDEX): only a worker owns buckets; leave it out, or give --roles worker"
    ])
  })

  it("whatever is given, it is refused or means what it says, and no secret is shown", () =>
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.constantFrom(...Object.keys(serveSettings)),
          fc.oneof(fc.string(), fc.integer(), fc.boolean())
        ),
        fc.stringMatching(/^[a-z0-9]{12}$/),
        (content, secret) => {
          const databaseUrl = `postgres://me:${secret}@db/app?sslpassword=${secret}`
          const resolved = resolve(serveSettings, given({ file: file({ ...content, databaseUrl }) }))
          if (Result.isFailure(resolved)) return assert.notInclude(resolved.failure.join(), secret)
          const { values } = resolved.success
          assert.strictEqual(Redacted.value(values.databaseUrl!), databaseUrl)
          assert.isTrue(Number.isInteger(values.port) && values.port >= 0 && values.port <= 65_535)
          for (const isJson of [true, false]) {
            assert.notInclude(configText(serveSettings, resolved.success, isJson), secret)
          }
        }
      )
    ))

  it("is shown with who gave it, and how else it could be given", () => {
    const resolved = serve({
      flags: typed({ port: "0" }),
      environment: { DATABASE_URL: "postgres://me:hidden@db:5433/app" }
    })
    const lines = configText(serveSettings, resolved, false).split("\n")
    const row = (name: string) => lines.find((line) => line.startsWith(`${name} `))?.split(/ {2,}/)
    assert.deepStrictEqual(row("setting"), ["setting", "value", "from", "flag", "variable"])
    assert.deepStrictEqual(row("port"), ["port", "0", "--port", "--port", "PORT"])
    assert.deepStrictEqual(row("host"), ["host", "unset", "default", "--host", "STORMGLASS_HOST"])
    assert.deepStrictEqual(row("databaseUrl"), [
      "databaseUrl",
      "postgres://me:redacted@db:5433/app",
      "DATABASE_URL",
      "DATABASE_URL"
    ])
    assert.strictEqual(lines.length, Object.keys(serveSettings).length + 1)
  })
})
