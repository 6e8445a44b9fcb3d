/**
 * Mistakes that Stryker does not plant by itself: those of the condition language of the storage port, whose operators are calls
 * (`core/ports/Condition.ts`), and numbers that are one too high.
 *
 * A call is not exchanged for another, which its module may not import, but what it returns is changed: `le(a, b)` becomes
 * `({ ...le(a, b), operator: "<" })`.
 */

/** As much of a node of Babel as is read or made here. */
export interface Node {
  readonly type: string
  readonly callee?: Node
  readonly name?: string
  readonly arguments?: ReadonlyArray<Node>
  readonly value?: unknown
}

/** As much of a path of Babel. */
export interface Path {
  readonly node: Node
  readonly parent?: Node | null
  readonly scope?: { readonly getBinding: (name: string) => { readonly kind: string } | undefined }
}

const operatorInstead: Readonly<Record<string, string>> = {
  eq: "<>",
  ne: "=",
  lt: "<=",
  le: "<",
  gt: ">=",
  ge: ">",
  add: "-",
  subtract: "+",
  multiply: "+"
}

const tagInstead: Readonly<Record<string, string>> = { and: "Or", or: "And" }

/** Of `le` its neighbour and its negation; of `and` the other word, and itself without each of its parts. */
function* changedConditions({ node, scope }: Path): Generator<object> {
  const name = node.callee?.name
  if (node.type !== "CallExpression" || name === undefined || scope?.getBinding(name)?.kind !== "module") return
  const operator = operatorInstead[name]
  if (operator !== undefined) yield withProperty(node, "operator", operator)
  const tag = tagInstead[name]
  const parts = node.arguments ?? []
  if (tag !== undefined) {
    if (parts.length > 1) yield withProperty(node, "_tag", tag)
    for (const part of parts) yield { ...node, arguments: parts.filter((each) => each !== part) }
  }
  if (name === "isNull") yield negated(node)
  if (name === "isNotNull")
    yield { type: "MemberExpression", object: node, property: identifier("condition"), computed: false }
}

/** One more; not in types, keys or positions that are part of a name. */
function* higherNumbers({ node, parent }: Path): Generator<object> {
  if (node.type !== "NumericLiteral" || typeof node.value !== "number") return
  if (parent?.type === "TSLiteralType") return
  yield { type: "NumericLiteral", value: node.value + 1 }
}

/** In the shape that Stryker's own have. */
export const operators = [
  { name: "ChangedCondition", mutate: changedConditions },
  { name: "HigherNumber", mutate: higherNumbers }
] as const

function withProperty(call: Node, key: string, text: string): object {
  const changed = { type: "ObjectProperty", key: identifier(key), value: { type: "StringLiteral", value: text } }
  return { type: "ObjectExpression", properties: [{ type: "SpreadElement", argument: call }, changed] }
}

function negated(condition: Node): object {
  const property = (key: string, value: object) => ({ type: "ObjectProperty", key: identifier(key), value })
  return {
    type: "ObjectExpression",
    properties: [property("_tag", { type: "StringLiteral", value: "Not" }), property("condition", condition)]
  }
}

function identifier(name: string): object {
  return { type: "Identifier", name }
}
