/**
 * Which database a process uses: the server that `DATABASE_URL` names, or else the embedded one.
 */
import * as Redacted from "effect/Redacted"

export type Choice =
  | { readonly _tag: "Server"; readonly url: Redacted.Redacted }
  | { readonly _tag: "Embedded"; readonly directory: string }

/** An empty `DATABASE_URL` is none, as in most shells. */
export const chooseDatabase = (
  environment: { readonly DATABASE_URL?: string | undefined },
  directory: string
): Choice => {
  const url = environment.DATABASE_URL?.trim() ?? ""
  return url === "" ? { _tag: "Embedded", directory } : { _tag: "Server", url: Redacted.make(url) }
}

/** What is said at start, in one line; it tells no password. `origin` is who names the server. */
export const announce = (choice: Choice, origin = "DATABASE_URL"): string => {
  switch (choice._tag) {
    case "Server":
      return `database: the server that ${origin} names`
    case "Embedded":
      return `database: embedded (PGlite) in ${choice.directory}, for this process alone; set DATABASE_URL to use a server`
  }
}
