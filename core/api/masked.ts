/** Field masks: a page of documents with only the members that were asked for. */
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Schema from "effect/Schema"
import { BadRequest } from "./ApiErrors.ts"

interface PageOf<A> {
  readonly items: ReadonlyArray<A>
  readonly next: string | null
  readonly revision: string | null
}

/** The page as it is while no member is named. Nobody decodes what is masked as a whole document, so it leaves as it is. */
export const masked = <F extends Schema.Struct.Fields, A extends object>(
  schema: Schema.Struct<F>,
  fields: string | undefined,
  page: PageOf<A>
): Effect.Effect<PageOf<A> | HttpServerResponse.HttpServerResponse, BadRequest> => {
  if (fields === undefined) return Effect.succeed(page)
  const known = Object.keys(schema.fields)
  const named = fields.split(",")
  const unknown = named.find((name) => !known.includes(name))
  if (unknown !== undefined) {
    return new BadRequest({
      detail: `query.fields: ${JSON.stringify(unknown.slice(0, 63))} is none of ${known.join(", ")}`
    })
  }
  const items = page.items.map((item) =>
    Object.fromEntries(Object.entries(item).filter(([name]) => named.includes(name)))
  )
  return Effect.succeed(HttpServerResponse.jsonUnsafe({ ...page, items }))
}
