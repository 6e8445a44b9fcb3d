/** The refusals of the API, each with its status. Those that a request with an idempotency key earns are stored with it. */
import * as Schema from "effect/Schema"

export class BadRequest extends Schema.TaggedError<BadRequest>()(
  "BadRequest",
  { message: Schema.String },
  { httpApiStatus: 400 }
) {}

export class NotFound extends Schema.TaggedError<NotFound>()(
  "NotFound",
  { message: Schema.String },
  { httpApiStatus: 404 }
) {}

/** What is there is not what is asked for. */
export class Conflict extends Schema.TaggedError<Conflict>()(
  "Conflict",
  { message: Schema.String },
  { httpApiStatus: 409 }
) {}

/** With Retry-After, never stored: the first request with this idempotency key still runs. Send it again, with the same key. */
export class InProgress extends Schema.TaggedError<InProgress>()(
  "InProgress",
  { message: Schema.String },
  { httpApiStatus: 409 }
) {}

/** The idempotency key was used for another request. */
export class KeyReused extends Schema.TaggedError<KeyReused>()(
  "KeyReused",
  { message: Schema.String },
  { httpApiStatus: 422 }
) {}

/** It is not known whether the request had its effect, or it had none: send it again with the same key. */
export class Unavailable extends Schema.TaggedError<Unavailable>()(
  "Unavailable",
  { message: Schema.String },
  { httpApiStatus: 503 }
) {}

/** What happened since the token of a watch is not kept any more, or the token is of another history: list again. */
export class Compacted extends Schema.TaggedError<Compacted>()(
  "Compacted",
  { message: Schema.String },
  { httpApiStatus: 410 }
) {}

export const statusOf = {
  BadRequest: 400,
  NotFound: 404,
  Conflict: 409,
  InProgress: 409,
  Compacted: 410,
  KeyReused: 422,
  Unavailable: 503
} as const

export type ApiError = BadRequest | NotFound | Conflict | InProgress | Compacted | KeyReused | Unavailable
