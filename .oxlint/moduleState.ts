/**
 * State at module level would be shared by all nodes of a simulated cluster, and by one seed with the next. This finds
 * variables, containers that anyone can change, and writes into what a module holds.
 *
 * A container that nobody can change is a table, and allowed: say so with its type (`ReadonlyMap`, `ReadonlySet`,
 * `ReadonlyArray`, `Readonly<…>`, `readonly …[]`), with `as const`, or with `Object.freeze`.
 */
import type { Class, Context, Expression, Part, Rule, Statement, VariableDeclaration } from "./Rule.ts"

const containers: ReadonlySet<string> = new Set(["Map", "Set", "Array"])

/** No type makes these read-only. */
const alwaysMutable: ReadonlySet<string> = new Set([
  "WeakMap",
  "WeakSet",
  "WeakRef",
  "ArrayBuffer",
  "SharedArrayBuffer",
  "DataView",
  "Int8Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "Float32Array",
  "Float64Array",
  "BigInt64Array",
  "BigUint64Array"
])

/** Modules of Effect all of whose values are cells. */
const mutableOfEffect: ReadonlySet<string> = new Set(["MutableRef", "MutableHashMap", "MutableHashSet", "MutableList"])

/** Effect's cells, made outside of an effect. */
const unsafeConstructor = /^(make|bounded|unbounded|sliding|dropping)\w*Unsafe$/

export const rule: Rule = {
  meta: { type: "problem", docs: { description: "keeps mutable state out of modules" } },
  create: (context) => ({
    Program: (program) => {
      for (const statement of program.body) checkStatement(context, statement)
    },
    AssignmentExpression: (node) => checkWrite(context, node.left, node),
    UpdateExpression: (node) => checkWrite(context, node.argument, node),
    UnaryExpression: (node) => (node.operator === "delete" ? checkWrite(context, node.argument, node) : undefined)
  })
}

function checkStatement(context: Context, statement: Statement): void {
  const declaration = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement
  if (declaration?.type === "VariableDeclaration") checkVariables(context, declaration)
  if (declaration?.type === "ClassDeclaration") checkStatics(context, declaration)
}

function checkVariables(context: Context, declaration: VariableDeclaration): void {
  if (declaration.declare === true) return
  if (declaration.kind === "let" || declaration.kind === "var") {
    report(context, declaration, `a ${declaration.kind} is state that all nodes and seeds share`)
  }
  for (const { id, init } of declaration.declarations) {
    if (init !== null) checkValue(context, init, isReadonlyType(id.typeAnnotation?.typeAnnotation))
  }
}

function checkStatics(context: Context, declaration: Class): void {
  for (const member of declaration.body.body) {
    if (member.type !== "PropertyDefinition" || !member.static) continue
    if (!member.readonly)
      report(context, member, "a static that is not readonly is state that all nodes and seeds share")
    if (member.value !== null) checkValue(context, member.value, isReadonlyType(member.typeAnnotation?.typeAnnotation))
  }
}

function checkValue(context: Context, value: Expression, isReadonly: boolean): void {
  const how = "say that nobody changes it (a Readonly type, `as const`), or make it where it is used"
  switch (value.type) {
    case "TSAsExpression":
      if (isConst(value.typeAnnotation)) return
      return checkValue(context, value.expression, isReadonly || isReadonlyType(value.typeAnnotation))
    case "TSSatisfiesExpression":
    case "TSNonNullExpression":
    case "ParenthesizedExpression":
      return checkValue(context, value.expression, isReadonly)
    case "ArrayExpression":
      if (!isReadonly) report(context, value, `this array can be changed by anyone: ${how}`)
      return
    case "ObjectExpression":
      if (!isReadonly && value.properties.length === 0) {
        report(context, value, `this empty object is there to be filled: ${how}`)
      }
      return
    case "NewExpression": {
      if (value.callee.type !== "Identifier") return
      const { name } = value.callee
      if (alwaysMutable.has(name)) report(context, value, `a ${name} at module level is shared by all nodes and seeds`)
      if (containers.has(name) && !isReadonly) report(context, value, `this ${name} can be changed by anyone: ${how}`)
      return
    }
    case "CallExpression": {
      const { callee } = value
      if (callee.type !== "MemberExpression" || callee.object.type !== "Identifier") return
      if (callee.property.type !== "Identifier") return
      const [module, name] = [callee.object.name, callee.property.name]
      if (mutableOfEffect.has(module) || (unsafeConstructor.test(name) && module !== "DateTime")) {
        report(context, value, `${module}.${name} at module level is shared by all nodes and seeds`)
      }
      const makesContainer = (module === "Array" && /^(from|of)$/.test(name)) || `${module}.${name}` === "Object.create"
      if (makesContainer && !isReadonly) report(context, value, `this can be changed by anyone: ${how}`)
      return
    }
    default:
      return
  }
}

/** A write to `name.…` where the module declares `name`. */
function checkWrite(context: Context, target: Part, node: Part): void {
  if (target.type !== "MemberExpression") return
  const owner = rootOf(target as Expression)
  if (owner.type !== "Identifier") return
  for (let scope = scopeOf(context, owner); scope !== null; scope = scope.upper) {
    const variable = scope.set.get(owner.name)
    if (variable === undefined) continue
    if (scope.type === "module")
      report(context, node, `this writes into ${owner.name}, which all nodes and seeds share`)
    return
  }
}

function scopeOf(context: Context, node: Expression): ReturnType<Context["sourceCode"]["getScope"]> | null {
  return context.sourceCode.getScope(node)
}

function rootOf(expression: Expression): Expression {
  if (expression.type === "MemberExpression") return rootOf(expression.object)
  if (expression.type === "TSNonNullExpression" || expression.type === "TSAsExpression")
    return rootOf(expression.expression)
  return expression
}

interface TypeNode {
  readonly type: string
  readonly operator?: string
  readonly typeName?: { readonly type: string; readonly name?: string }
}

function isReadonlyType(type: TypeNode | undefined): boolean {
  if (type?.type === "TSTypeOperator") return type.operator === "readonly"
  return type?.type === "TSTypeReference" && (type.typeName?.name ?? "").startsWith("Readonly")
}

function isConst(type: TypeNode): boolean {
  return type.type === "TSTypeReference" && type.typeName?.name === "const"
}

function report(context: Context, node: Part, message: string): void {
  context.report({ node, message })
}
