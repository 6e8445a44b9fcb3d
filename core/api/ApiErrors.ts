/**
 * The refusals of the API, each with its status, as problem documents (RFC 9457). Those that a request with an idempotency key earns are
 * stored with it.
 *
 * `type`, `title` and `status` are the same for every refusal of a kind; `detail` says what is wrong here; `_tag` is the short name of the
 * kind. A new kind is a class here and an entry in `kinds`; `core/api/problems.ts` puts it on the wire.
 */
import * as HttpApiError from "effect/http-api/HttpApiError"
import * as Schema from "effect/Schema"

const typeOf = <const T extends string>(name: T) => `urn:stormglass:problem:${name}` as const

const fields = <const T extends string>(tag: T) => ({ _tag: Schema.tag(tag), detail: Schema.String })

/** With a Retry-After header of as many seconds. */
const retried = { retryAfterSeconds: Schema.optionalKey(Schema.Int) }

/** Where a request is not what the endpoint takes, "payload.spec.size", and what is wrong there. */
const FieldProblem = Schema.Struct({ path: Schema.String, message: Schema.String })

/** `errors` has all that is wrong, where it can be said field by field. */
export class BadRequest extends HttpApiError.Problem<BadRequest>()(
  "BadRequest",
  { type: typeOf("bad-request"), status: 400, title: "The request is not what is taken here" },
  { ...fields("BadRequest"), errors: Schema.optionalKey(Schema.Array(FieldProblem)) }
) {}

/** Nobody knows who asks. */
export class Unauthenticated extends HttpApiError.Problem<Unauthenticated>()(
  "Unauthenticated",
  { type: typeOf("unauthenticated"), status: 401, title: "Who asks is not known" },
  fields("Unauthenticated")
) {}

/** Who asks is known, and may not. */
export class Forbidden extends HttpApiError.Problem<Forbidden>()(
  "Forbidden",
  { type: typeOf("forbidden"), status: 403, title: "Who asks may not" },
  fields("Forbidden")
) {}

/** The project would want more than its quota allows. */
export class QuotaExceeded extends HttpApiError.Problem<QuotaExceeded>()(
  "QuotaExceeded",
  { type: typeOf("quota-exceeded"), status: 403, title: "The quota of the project does not allow it" },
  {
    ...fields("QuotaExceeded"),
    resource: Schema.Literals(["fleets", "instances"]),
    used: Schema.Int,
    requested: Schema.Int,
    allowed: Schema.Int
  }
) {}

export class NotFound extends HttpApiError.Problem<NotFound>()(
  "NotFound",
  { type: typeOf("not-found"), status: 404, title: "There is no such thing" },
  fields("NotFound")
) {}

export class MethodNotAllowed extends HttpApiError.Problem<MethodNotAllowed>()(
  "MethodNotAllowed",
  { type: typeOf("method-not-allowed"), status: 405, title: "That cannot be done here" },
  { ...fields("MethodNotAllowed"), allowed: Schema.Array(Schema.String) }
) {}

/** What is there is not what is asked for. */
export class Conflict extends HttpApiError.Problem<Conflict>()(
  "Conflict",
  { type: typeOf("conflict"), status: 409, title: "What is there is not what is asked for" },
  fields("Conflict")
) {}

/** Never stored: the first request with this idempotency key still runs. Send it again, with the same key. */
export class InProgress extends HttpApiError.Problem<InProgress>()(
  "InProgress",
  { type: typeOf("in-progress"), status: 409, title: "The first request with this idempotency key still runs" },
  { ...fields("InProgress"), ...retried }
) {}

/** What happened since the token of a watch is not kept any more, or the token is of another history: list again. */
export class Compacted extends HttpApiError.Problem<Compacted>()(
  "Compacted",
  { type: typeOf("compacted"), status: 410, title: "What happened since then is not kept any more" },
  fields("Compacted")
) {}

/** What is there is not of the version that If-Match names, or there is something where If-None-Match wants nothing. */
export class PreconditionFailed extends HttpApiError.Problem<PreconditionFailed>()(
  "PreconditionFailed",
  { type: typeOf("precondition-failed"), status: 412, title: "It has changed since" },
  fields("PreconditionFailed")
) {}

export class PayloadTooLarge extends HttpApiError.Problem<PayloadTooLarge>()(
  "PayloadTooLarge",
  { type: typeOf("payload-too-large"), status: 413, title: "The body is too large" },
  { ...fields("PayloadTooLarge"), bytesMax: Schema.Int }
) {}

export class UnsupportedMediaType extends HttpApiError.Problem<UnsupportedMediaType>()(
  "UnsupportedMediaType",
  { type: typeOf("unsupported-media-type"), status: 415, title: "A body of this type is not read here" },
  fields("UnsupportedMediaType")
) {}

/** What is asked for is a WebSocket, and nothing else. */
export class UpgradeRequired extends HttpApiError.Problem<UpgradeRequired>()(
  "UpgradeRequired",
  { type: typeOf("upgrade-required"), status: 426, title: "This is a WebSocket" },
  fields("UpgradeRequired")
) {}

/** This node serves no API; others do. */
export class Misdirected extends HttpApiError.Problem<Misdirected>()(
  "Misdirected",
  { type: typeOf("misdirected"), status: 421, title: "This node serves no API" },
  fields("Misdirected")
) {}

/** The idempotency key was used for another request. */
export class KeyReused extends HttpApiError.Problem<KeyReused>()(
  "KeyReused",
  { type: typeOf("key-reused"), status: 422, title: "The idempotency key was used for another request" },
  fields("KeyReused")
) {}

/** Who asks, or the project that he asks for, has used its share. */
export class TooManyRequests extends HttpApiError.Problem<TooManyRequests>()(
  "TooManyRequests",
  { type: typeOf("too-many-requests"), status: 429, title: "The share of requests is used" },
  { ...fields("TooManyRequests"), ...retried }
) {}

/** A defect of the node. What it was stands in its log and in its facts. */
export class Panicked extends HttpApiError.Problem<Panicked>()(
  "Panicked",
  { type: typeOf("panicked"), status: 500, title: "This node failed" },
  fields("Panicked")
) {}

/** It is not known whether the request had its effect, or it had none: send it again with the same key. */
export class Unavailable extends HttpApiError.Problem<Unavailable>()(
  "Unavailable",
  { type: typeOf("unavailable"), status: 503, title: "Not just now" },
  { ...fields("Unavailable"), ...retried }
) {}

export const kinds = [
  BadRequest,
  QuotaExceeded,
  Unauthenticated,
  Forbidden,
  NotFound,
  MethodNotAllowed,
  Conflict,
  InProgress,
  Compacted,
  PreconditionFailed,
  PayloadTooLarge,
  UnsupportedMediaType,
  Misdirected,
  KeyReused,
  UpgradeRequired,
  TooManyRequests,
  Panicked,
  Unavailable
] as const
export const ApiError = Schema.Union(kinds)
export type ApiError = typeof ApiError.Type
