/** What is planted, on nodes as Babel has them; the tool that finds them in the sources is not installed with the project. */
import { assert, describe, it } from "@effect/vitest"
import { whyIgnored } from "./ignoreUndecided.ts"
import { operators } from "./operators.ts"

const name = (text: string) => ({ type: "Identifier", name: text })
const number = (value: number) => ({ type: "NumericLiteral", value })
const call = (callee: string, ...names: ReadonlyArray<string>) => ({
  type: "CallExpression",
  callee: name(callee),
  arguments: names.map(name)
})
const callOn = (module: string, member: string) => ({
  type: "CallExpression",
  callee: { type: "MemberExpression", object: name(module), property: name(member) },
  arguments: []
})
const property = (key: string) => ({ type: "ObjectProperty", key: name(key), value: number(1) })

const imported = { getBinding: () => ({ kind: "module" }) }

/** As a person would write what stands there instead. */
const planted = (node: { readonly type: string }, scope = imported): ReadonlyArray<string> =>
  operators.flatMap(({ mutate }) => [...mutate({ node, scope })].map(print))

describe("what is planted", () => {
  for (const [callee, ...instead] of [
    ["eq", '{...eq(a, b), operator: "<>"}'],
    ["le", '{...le(a, b), operator: "<"}'],
    ["ge", '{...ge(a, b), operator: ">"}'],
    ["subtract", '{...subtract(a, b), operator: "+"}'],
    ["and", '{...and(a, b), _tag: "Or"}', "and(b)", "and(a)"],
    ["or", '{...or(a, b), _tag: "And"}', "or(b)", "or(a)"],
    ["isNull", '{_tag: "Not", condition: isNull(a, b)}'],
    ["isNotNull", "isNotNull(a, b).condition"],
    ["isIn"]
  ] as ReadonlyArray<readonly [string, ...ReadonlyArray<string>]>) {
    it(`for ${callee}(a, b): ${instead.join(" or ") || "nothing"}`, () =>
      assert.deepStrictEqual(planted(call(callee, "a", "b")), instead))
  }

  it("for a number: one more", () => assert.deepStrictEqual(planted(number(1_000)), ["1001"]))

  it("takes away a condition that stands alone in `and`, and does not turn it into an `or` that means the same", () =>
    assert.deepStrictEqual(planted(call("and", "a")), ["and()"]))

  it("leaves alone what only has the name of a condition (`add` of a queue)", () =>
    assert.deepStrictEqual(planted(call("add", "queue", "key"), { getBinding: () => ({ kind: "const" }) }), []))
})

describe("where nothing is planted", () => {
  it("in the name of a table and the action of a conflict, but in other texts", () => {
    const text = { type: "StringLiteral" }
    assert.isDefined(whyIgnored({ node: text, parent: call("make", "a") }))
    assert.isDefined(whyIgnored({ node: text, parent: property("action") }))
    assert.isUndefined(whyIgnored({ node: text, parent: property("state") }))
  })

  const returning = (argument: { readonly type: string }) => ({
    type: "ArrowFunctionExpression",
    body: { type: "BlockStatement", body: [{ type: "ReturnStatement", argument }] }
  })
  for (const [what, node, isIgnored] of [
    ["the columns of a table", property("columns"), true],
    ["the checks of a table", property("checks"), false],
    ["a label", { type: "ObjectExpression", properties: [property("label")] }, true],
    [
      "a label among other options",
      { type: "ObjectExpression", properties: [property("label"), property("fences")] },
      false
    ],
    ["a mark", callOn("Mark", "sometimes"), true],
    ["an Effect program", callOn("Effect", "gen"), true],
    ["a statement", callOn("Effect", "map"), false],
    ["a function that makes a program", returning(callOn("Effect", "gen")), true],
    ["a function that decides", returning(call("eq", "a", "b")), false]
  ] as const) {
    it(`${what}: ${isIgnored ? "nothing is" : "it is"}`, () =>
      assert.strictEqual(whyIgnored({ node }) !== undefined, isIgnored))
  }
})

function print(node: object): string {
  const { type, ...of } = node as Record<string, never> & { readonly type: string }
  const list = (nodes: ReadonlyArray<object>) => nodes.map(print).join(", ")
  switch (type) {
    case "Identifier":
      return of["name"]!
    case "NumericLiteral":
      return String(of["value"])
    case "StringLiteral":
      return JSON.stringify(of["value"])
    case "CallExpression":
      return `${print(of["callee"]!)}(${list(of["arguments"]!)})`
    case "MemberExpression":
      return `${print(of["object"]!)}.${print(of["property"]!)}`
    case "ObjectExpression":
      return `{${list(of["properties"]!)}}`
    case "SpreadElement":
      return `...${print(of["argument"]!)}`
    case "ObjectProperty":
      return `${print(of["key"]!)}: ${print(of["value"]!)}`
    default:
      throw new Error(`${type} was not expected`)
  }
}
