/** Field masks: a page of documents with only the members that were asked for, which the endpoint has found to be some of theirs. */
import * as HttpServerResponse from "effect/http/HttpServerResponse"

interface PageOf<A> {
  readonly items: ReadonlyArray<A>
  readonly next: string | null
  readonly revision: string | null
}

/** The page as it is while no member is named. Nobody decodes what is masked as a whole document, so it leaves as it is. */
export const masked = <A extends object>(
  fields: string | undefined,
  page: PageOf<A>
): PageOf<A> | HttpServerResponse.HttpServerResponse => {
  if (fields === undefined) return page
  const named = fields.split(",")
  const items = page.items.map((item) =>
    Object.fromEntries(Object.entries(item).filter(([name]) => named.includes(name)))
  )
  return HttpServerResponse.jsonUnsafe({ ...page, items })
}
