/**
 * Ambient time, chance and promises, where they are not plain globals (those are in `.oxlintrc.json`): members of
 * globals, constructors, and the functions of Effect that read past its services. Found through any local name of the
 * module, so that an alias hides nothing.
 */
import type { Context, Expression, Part, Rule } from "./Rule.ts"

/** Of Effect, by module: the name, and what to do instead. */
const bannedOfEffect: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "effect/Effect": {
    promise: "a promise resumes outside of the scheduler: use Effect.callback, or a port",
    tryPromise: "a promise resumes outside of the scheduler: use Effect.callback, or a port"
  },
  "effect/DateTime": {
    nowUnsafe: "reads the host's clock: use DateTime.now",
    isFutureUnsafe: "reads the host's clock: use DateTime.isFuture",
    isPastUnsafe: "reads the host's clock: use DateTime.isPast"
  },
  "effect/Hash": { random: "differs in every process: hash a string or a number" },
  "effect/Equal": {
    byReference: "hashes by identity, so its order differs in every process: key by a string",
    byReferenceUnsafe: "hashes by identity, so its order differs in every process: key by a string"
  },
  "effect/crypto/SecureRandom": {
    randomBytesUnsafe: "reads the host's entropy: use the SecureRandom service",
    uuidV4Unsafe: "reads the host's entropy: use the SecureRandom service",
    uuidV7Unsafe: "reads the host's clock and entropy: use the SecureRandom service",
    ulidUnsafe: "reads the host's clock and entropy: use the SecureRandom service"
  }
}

/** Whole modules of Effect that read the host's clock, entropy, threads or timers past its services. */
const bannedModules = /^effect\/(devtools|eventlog|process|testing|workers)\/|^effect\/reactivity\/(?!Reactivity$)/

/** Without their last argument these read the host's clock. */
const bannedWithoutStart: Readonly<Record<string, ReadonlyArray<string>>> = {
  "effect/Cron": ["next", "prev", "sequence"]
}

const bannedOfGlobals: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Date: { now: "reads the host's clock: use Clock.currentTimeMillis" },
  Math: { random: "is unseeded: use Random" },
  Promise: { "*": "resumes outside of the scheduler: use an Effect" },
  AbortSignal: { timeout: "is a timer of the host: use Effect.timeout" }
}

export const rule: Rule = {
  meta: { type: "problem", docs: { description: "keeps the host's time, chance and promises out" } },
  create: (context) => {
    /** Local name of an imported module (`import * as`), and of a single function of one. */
    const modules = new Map<string, string>()
    const functions = new Map<string, { readonly module: string; readonly name: string }>()

    const checkMember = (object: Expression, name: string, node: Part): void => {
      if (object.type !== "Identifier") return
      const module = modules.get(object.name)
      const global = module === undefined && isGlobal(context, object) ? bannedOfGlobals[object.name] : undefined
      const why = module === undefined ? (global?.[name] ?? global?.["*"]) : bannedOfEffect[module]?.[name]
      if (why !== undefined) report(context, node, `${object.name}.${name}`, why)
    }

    return {
      ImportDeclaration: (node) => {
        checkModule(context, node.source)
        for (const specifier of node.specifiers) {
          if (specifier.type === "ImportNamespaceSpecifier") modules.set(specifier.local.name, node.source.value)
          if (specifier.type !== "ImportSpecifier" || specifier.imported.type !== "Identifier") continue
          const name = specifier.imported.name
          functions.set(specifier.local.name, { module: node.source.value, name })
          const why = bannedOfEffect[node.source.value]?.[name]
          if (why !== undefined) report(context, specifier, name, why)
        }
      },
      ExportAllDeclaration: (node) => checkModule(context, node.source),
      ExportNamedDeclaration: (node) => checkModule(context, node.source),
      MemberExpression: (node) => {
        if (!node.computed && node.property.type === "Identifier") checkMember(node.object, node.property.name, node)
        if (node.computed && node.property.type === "Literal") {
          checkMember(node.object, String(node.property.value), node)
        }
      },
      VariableDeclarator: (node) => {
        if (node.id.type !== "ObjectPattern" || node.init === null) return
        for (const property of node.id.properties) {
          if (property.type !== "Property" || property.key.type !== "Identifier") continue
          checkMember(node.init, property.key.name, property)
        }
      },
      CallExpression: (node) => {
        const { callee } = node
        if (callee.type === "Identifier" && callee.name === "Date" && isGlobal(context, callee)) {
          report(context, node, "Date()", "reads the host's clock: use Clock.currentTimeMillis")
        }
        const called =
          callee.type === "Identifier"
            ? functions.get(callee.name)
            : callee.type === "MemberExpression" &&
                callee.object.type === "Identifier" &&
                callee.property.type === "Identifier"
              ? { module: modules.get(callee.object.name) ?? "", name: callee.property.name }
              : undefined
        if (called === undefined || !bannedWithoutStart[called.module]?.includes(called.name)) return
        if (node.arguments.length < 2)
          report(context, node, `Cron.${called.name}`, "reads the host's clock: pass a start")
      },
      NewExpression: (node) => {
        if (node.callee.type !== "Identifier" || !isGlobal(context, node.callee)) return
        if (node.callee.name === "Date" && node.arguments.length === 0) {
          report(context, node, "new Date()", "reads the host's clock: use Clock.currentTimeMillis")
        }
        if (node.callee.name === "Promise") {
          report(context, node, "new Promise", "resumes outside of the scheduler: use Effect.callback or Deferred")
        }
      },
      AwaitExpression: (node) => report(context, node, "await", "resumes outside of the scheduler: yield* an Effect"),
      ForOfStatement: (node) => {
        if (node.await) report(context, node, "for await", "resumes outside of the scheduler: run a Stream")
      }
    }
  }
}

function checkModule(context: Context, source: (Part & { readonly value: string }) | null): void {
  if (source === null || !bannedModules.test(source.value)) return
  report(context, source, source.value, "reads the host's clock, chance or threads past Effect's services")
}

function isGlobal(context: Context, identifier: Expression): boolean {
  return context.sourceCode.isGlobalReference(identifier)
}

function report(context: Context, node: Part, what: string, why: string): void {
  context.report({ node, message: `${what} ${why}` })
}
