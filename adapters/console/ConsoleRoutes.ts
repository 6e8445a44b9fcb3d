/**
 * The console: a page at `/console`, where `/` leads, for whoever runs the control plane. It is files and nothing else; what it shows it
 * asks of the API, as the reader of the page.
 *
 * Below `/console/` a file has the path that it has in the repository, so that imports lead where they lead in the source. In a checkout
 * the modules are the sources without their types; in the package they are what was compiled. Only the files named here are served.
 */
import { createHash } from "node:crypto"
import fs from "node:fs"
import { stripTypeScriptTypes } from "node:module"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"

/** What the page is made of, without the extension that modules have here. A test compares it with what they import. */
export const modules = [
  "adapters/console/changeLog",
  "adapters/console/connection",
  "adapters/console/fleetHistory",
  "adapters/console/fleetRows",
  "adapters/console/holdings",
  "adapters/console/serverSentEvents",
  "adapters/console/tables",
  "adapters/console/texts",
  "adapters/console/wishes",
  "adapters/console/page/api",
  "adapters/console/page/clusterPanels",
  "adapters/console/page/creation",
  "adapters/console/page/deletion",
  "adapters/console/page/dom",
  "adapters/console/page/fleetCards",
  "adapters/console/page/instanceTable",
  "adapters/console/page/keyboard",
  "adapters/console/page/main",
  "adapters/console/page/preferences",
  "adapters/console/page/streams",
  "core/Limits",
  "core/api/etag",
  "core/assert",
  "core/fleet/unstable",
  "core/hash/fnv1a32",
  "core/json/canonicalJson"
] as const
const styles = "adapters/console/page/console.css"
const icon = "adapters/console/page/icon.svg"
const page = "adapters/console/page/page.html"

const root = new URL("../../", import.meta.url)
const isSource = import.meta.url.endsWith(".ts")

/**
 * Nothing from elsewhere, nothing inline, no text that becomes markup, in no frame of another page. `connect-src` is the node itself.
 */
const policy = [
  "default-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "object-src 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'"
].join("; ")

interface Served {
  readonly text: string
  readonly etag: string
  readonly contentType: string
}

export const layer: Layer.Layer<never, never, HttpRouter.HttpRouter> = Layer.effectDiscard(
  Effect.gen(function* () {
    const router = yield* HttpRouter.HttpRouter
    for (const [path, served] of yield* Effect.sync(files)) {
      yield* router.add("GET", path as HttpRouter.PathInput, answer(served))
    }
    yield* router.add("GET", "/", HttpServerResponse.redirect("/console"))
  })
)

const answer = ({ contentType, etag, text }: Served) =>
  Effect.map(HttpServerRequest.HttpServerRequest, ({ headers }) => {
    const known = (headers["if-none-match"] ?? "").split(",").map((each) => each.trim().replace(/^W\//, ""))
    const shared = {
      etag,
      // Asked for anew each time, and mostly told that nothing has changed: after an upgrade no page is of two versions.
      "cache-control": "no-cache",
      "content-security-policy": policy,
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff"
    }
    if (known.includes(etag) || known.includes("*")) return HttpServerResponse.empty({ status: 304, headers: shared })
    return HttpServerResponse.text(text, { contentType, headers: shared })
  })

/** By the path that each is asked for. */
function files(): ReadonlyMap<string, Served> {
  const extension = isSource ? "ts" : "js"
  const read = (file: string): string => fs.readFileSync(new URL(file, root), "utf8")
  const javascript = "text/javascript; charset=utf-8"
  return new Map([
    // The page names its first module as the source does.
    ["/console", served(read(page).replace("main.ts", `main.${extension}`), "text/html; charset=utf-8")],
    [`/console/${styles}`, served(read(styles), "text/css; charset=utf-8")],
    [`/console/${icon}`, served(read(icon), "image/svg+xml")],
    ...modules.map((name): [string, Served] => {
      const text = read(`${name}.${extension}`)
      // What is compiled names a map of its sources, which is not served.
      const plain = isSource ? withoutTypes(text) : text.replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n")
      return [`/console/${name}.${extension}`, served(plain, javascript)]
    })
  ])
}

function served(text: string, contentType: string): Served {
  const etag = `"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"`
  return { text, etag, contentType }
}

/** Node says each time that this is new, to whoever started the process, who can do nothing about it. */
function withoutTypes(source: string): string {
  const { emitWarning } = process
  process.emitWarning = () => undefined
  try {
    return stripTypeScriptTypes(source)
  } finally {
    process.emitWarning = emitWarning
  }
}
