/**
 * Where no mistake is planted, because nothing is decided there.
 *
 * - what a table is made of (`columns`, `primaryKey`, `unique`, `indexes`): the contract suite and drift detection check it; its
 *   `checks` are decisions;
 * - the words of `action`, which would not compile otherwise;
 * - labels and marks, which are read by people;
 * - Effect programs: they carry decisions out, and the simulator looks for mistakes in them.
 */

/** As much of a path of Babel as is asked here. */
export interface Path {
  readonly node: Node
  readonly parent?: Node | null
}

interface Node {
  readonly type: string
  readonly key?: Node
  readonly name?: string
  readonly callee?: Node
  readonly object?: Node
  readonly property?: Node
  readonly init?: Node | null
  readonly body?: Node | ReadonlyArray<Node>
  readonly argument?: Node | null
  readonly properties?: ReadonlyArray<Node>
}

/** Why nothing is planted in this part of a program; undefined where something is. */
export const whyIgnored = ({ node, parent }: Path): string | undefined => {
  const [first, ...others] = node.type === "ObjectExpression" ? (node.properties ?? []) : []
  if (first?.key?.name === "label" && others.length === 0) return "a label"
  if (node.type === "ObjectProperty") {
    const name = node.key?.name
    if (name === "label") return "a label"
    if (["columns", "primaryKey", "unique", "indexes"].includes(name ?? "")) return "what a table is made of"
  }
  if (node.type === "StringLiteral") {
    if (parent?.callee?.name === "make") return "the name of a table"
    if (parent?.key?.name === "action") return "a word of a union, which the type checker compares"
  }
  if (isCallOf(node, ["Mark", "Metrics", "Context"])) return "a mark, a metric or a reference"
  if (isProgram(node)) return "an Effect program"
  // A function that makes a program holds the program's state.
  if (node.type === "ArrowFunctionExpression" && !Array.isArray(node.body)) {
    const block = node.body as Node
    if (isCallOf(block, ["Mark", "Metrics"])) return "a mark or a metric"
    const statements = block.type === "BlockStatement" ? (block.body as ReadonlyArray<Node>) : []
    if (statements.some((each) => each.type === "ReturnStatement" && each.argument && isProgram(each.argument))) {
      return "an Effect program"
    }
  }
  return undefined
}

function isProgram(node: Node): boolean {
  return isCallOf(node, ["Effect"]) && ["gen", "fn", "fnUntraced"].includes(node.callee?.property?.name ?? "")
}

function isCallOf(node: Node, modules: ReadonlyArray<string>): boolean {
  return node.type === "CallExpression" && modules.includes(node.callee?.object?.name ?? "")
}
