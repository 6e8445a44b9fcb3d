/** What a node without the role `api` answers where the others have theirs: that it is the wrong one to ask. */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import type { Role } from "../node/Role.ts"
import { Misdirected } from "./ApiErrors.ts"
import { refusal } from "./problems.ts"

export const layer = ({
  id,
  roles
}: {
  readonly id: string
  readonly roles: ReadonlyArray<Role>
}): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const router = yield* HttpRouter.HttpRouter
      const detail = `${id} serves no API: its role is ${roles.join(",")}; ask a node with the role api`
      const answer = refusal(new Misdirected({ detail }))
      yield* router.add("*", "/v1/*", Effect.succeed(answer))
    })
  )
