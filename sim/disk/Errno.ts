/**
 * A call that failed, by the name that the operating system gives the reason; and Effect's error made of it, as the platform
 * for Node makes it.
 */
import * as PlatformError from "effect/PlatformError"

export type Code =
  | "EBADF"
  | "EEXIST"
  | "EINVAL"
  | "EIO"
  | "EISDIR"
  | "ELOOP"
  | "ENOENT"
  | "ENOSPC"
  | "ENOTDIR"
  | "ENOTEMPTY"
  | "EPERM"
  | "ERR_FS_EISDIR"

export class Errno extends Error {
  override readonly name = "Errno"
  readonly code: Code

  constructor(code: Code) {
    super(code)
    this.code = code
  }
}

export const toPlatformError = (
  failure: Errno,
  method: string,
  pathOrDescriptor: string | number
): PlatformError.PlatformError =>
  PlatformError.systemError({
    _tag: tagOf(failure.code),
    module: "FileSystem",
    method,
    pathOrDescriptor,
    description: failure.code,
    cause: failure
  })

function tagOf(code: Code): PlatformError.SystemErrorTag {
  switch (code) {
    case "ENOENT":
      return "NotFound"
    case "EPERM":
      return "PermissionDenied"
    case "EEXIST":
      return "AlreadyExists"
    case "EISDIR":
    case "ENOTDIR":
    case "ELOOP":
      return "BadResource"
    case "EBADF":
    case "EINVAL":
    case "EIO":
    case "ENOSPC":
    case "ENOTEMPTY":
    case "ERR_FS_EISDIR":
      return "Unknown"
  }
}
