import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Context from "effect/Context"
import type * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as OpenApi from "effect/http-api/OpenApi"
import { Api } from "../api/Api.ts"
import {
  Access,
  clusterVerbs,
  everyProject,
  lacking,
  mayAsk,
  mayDo,
  type Principal,
  vainVerb,
  verbs
} from "./Access.ts"

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

  it("that is denied says which verb is missing, for which project, and how it is had", () => {
    const reader: Principal = { name: "ci", keyId: null, verbs: ["read"], projects: ["shop", "forge"] }
    assert.strictEqual(
      lacking(reader, { verb: "write", of: "project" }, "shop"),
      "ci needs the verb write for project shop and has read for shop, forge; who administers keys makes one that has it: stormglass keys create --verbs write --projects shop"
    )
    assert.strictEqual(
      lacking({ ...reader, projects: ["*"] }, { verb: "admin", of: "cluster" }, undefined),
      "ci needs the verb admin for all projects (*) and has read for *; who administers keys makes one that has it: stormglass keys create --verbs admin --projects '*'"
    )
    const many = Array.from({ length: 100 }, (_, nth) => `p${nth}`)
    assert.include(lacking({ ...reader, projects: many }, { verb: "read", of: "cluster" }, undefined), "p4, …;")
    assert.include(
      lacking({ ...reader, verbs: [] }, { verb: "read", of: "instance" }, undefined),
      "in any project and has nothing"
    )
  })

  it("by a verb that is for no project is vain without every project, and by no other", () => {
    const needs = Object.values(Api.groups).flatMap((group) =>
      Object.values(group.endpoints as Readonly<Record<string, HttpApiEndpoint.Top>>).map(({ annotations }) =>
        Context.get(annotations, Access)
      )
    )
    for (const verb of verbs) {
      const isVain = needs.every((need) => need.verb !== verb || need.of === "cluster")
      assert.strictEqual(clusterVerbs.includes(verb), isVain, verb)
      assert.strictEqual(vainVerb([verb], ["shop"]) !== undefined, isVain, verb)
      assert.isUndefined(vainVerb([verb], ["shop", everyProject]))
    }
    assert.include(vainVerb(["read", "admin"], ["shop"]), "the verb admin")
  })

  it("needs a key at every endpoint of the API, and the document says so", () => {
    const { paths } = OpenApi.fromApi(Api)
    const operations = Object.values(paths).flatMap((methods) => Object.values(methods) as ReadonlyArray<object>)
    assert.isAbove(operations.length, 10)
    for (const operation of operations) assert.deepInclude(operation, { security: [{ bearer: [] }] })
  })
})
