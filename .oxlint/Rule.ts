/** What a rule of ours is made of, in the linter's own types (it exports them only through its tester). */
import type { RuleTester } from "oxlint/plugins-dev"

type Create = NonNullable<Parameters<RuleTester["run"]>[1]["create"]>
type Handler<Name extends keyof Visitor> = NonNullable<Visitor[Name]>

export type Context = Parameters<Create>[0]
export type Visitor = ReturnType<Create>
export type Expression = Parameters<Handler<"ExpressionStatement">>[0]["expression"]
export type Statement = Parameters<Handler<"Program">>[0]["body"][number]
export type VariableDeclaration = Parameters<Handler<"VariableDeclaration">>[0]
export type Class = Parameters<Handler<"ClassDeclaration">>[0]

export interface Rule {
  readonly meta: { readonly type: "problem"; readonly docs: { readonly description: string } }
  readonly create: (context: Context) => Visitor
}

/** A part of the source with a place in it. */
export interface Part {
  readonly type: string
  readonly range: [number, number]
  readonly start: number
  readonly end: number
}
