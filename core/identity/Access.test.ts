import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Context from "effect/Context"
import * as OpenApi from "effect/http-api/OpenApi"
import { Api } from "../api/Api.ts"
import { Access, everyProject, mayAsk, mayDo, type Principal, verbs } from "./Access.ts"

const project = fc.constantFrom("a", "b", "c")
const principal: fc.Arbitrary<Principal> = fc.record({
  name: fc.constant("p"),
  keyId: fc.constant(null),
  verbs: fc.subarray([...verbs]),
  projects: fc.subarray(["a", "b", everyProject])
})

describe("access", () => {
  it("is denied unless verb and project are both given, whatever else is", () =>
    fc.assert(
      fc.property(
        principal,
        fc.constantFrom(...verbs),
        fc.option(project, { nil: undefined }),
        (who, verb, project) => {
          const isGiven =
            who.verbs.includes(verb) &&
            (who.projects.includes(everyProject) || who.projects.some((each) => each === project))
          assert.strictEqual(mayDo(who, verb, project), isGiven)
        }
      )
    ))

  it("to an instance is judged twice: the first look lets nobody through that no project would", () =>
    fc.assert(
      fc.property(principal, fc.constantFrom(...verbs), project, (who, verb, project) => {
        if (mayDo(who, verb, project)) assert.isTrue(mayAsk(who, { verb, of: "instance" }, undefined))
      })
    ))

  it("to the list of projects needs the verb, in whichever project", () => {
    const reader: Principal = { name: "p", keyId: null, verbs: ["read"], projects: ["a"] }
    assert.isTrue(mayAsk(reader, { verb: "read", of: "projects" }, undefined))
    assert.isFalse(mayAsk(reader, { verb: "write", of: "projects" }, undefined))
  })

  it("to an endpoint that says nothing of it is for those who administer everything", () =>
    assert.deepStrictEqual(Context.get(Context.empty(), Access), { verb: "admin", of: "cluster" }))

  it("needs a key at every endpoint of the API, and the document says so", () => {
    const { paths } = OpenApi.fromApi(Api)
    const operations = Object.values(paths).flatMap((methods) => Object.values(methods) as ReadonlyArray<object>)
    assert.isAbove(operations.length, 10)
    for (const operation of operations) assert.deepInclude(operation, { security: [{ bearer: [] }] })
  })
})
