/**
 * Disks: Effect's `FileSystem` on simulated nodes, one disk each, that outlives every crash of its node.
 *
 * - K1 A crash of the process alone loses nothing that a call has written, as with kill -9. What was not synced is lost when the power
 *   fails with it: `disk/lost-unsynced`, `disk/torn-write`.
 * - K2 A call takes virtual time, and has its effect at its beginning or at its end: a crash in between finds either. One
 *   that was interrupted goes on.
 * - K3 Every fault strikes by (node, nth call), so that taking one away changes no other.
 * Absent on purpose: watching, which is refused; permissions are kept and not enforced.
 */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PlatformError from "effect/PlatformError"
import * as Stream from "effect/Stream"
import type { DomainFact } from "../../core/facts/Facts.ts"
import * as Chance from "../kernel/Chance.ts"
import { FactKind } from "../kernel/FactStream.ts"
import { epochMicros } from "../kernel/NodeClock.ts"
import { CurrentNode, type SimNode } from "../kernel/SimNode.ts"
import type { World } from "../run/World.ts"
import { DiskImage, type DirectoryNode, type FileNode, type Inode, partsOf } from "./DiskImage.ts"
import { type Code, Errno, toPlatformError } from "./Errno.ts"

type Calling<A> = Effect.Effect<A, PlatformError.PlatformError>

/** What a call does, as far as faults and time care. */
type Manner = "look" | "read" | "write" | "sync"

const callMicrosMin = 20
const callMicrosMax = 200
const syncMicrosMin = 500
const syncMicrosMax = 5_000
/** A slow call takes at most so much longer. */
const slowMicrosMax = 5_000_000

interface Called {
  readonly method: string
  readonly path: string
}

const called = new FactKind<Called>(
  "DiskCalled",
  (_nth, _second, { method, path }) => ({ _tag: "DiskCalled", method, path }) as DomainFact,
  ({ method, path }) => `${method} ${path}`
)

const powerLost = new FactKind<void>(
  "PowerLost",
  (writes, names) => ({ _tag: "PowerLost", writesLost: writes, namesLost: names }) as DomainFact
)

/** The disks of a world. */
export class SimDisks {
  readonly #world: World
  readonly #disks = new Map<string, Disk>()

  constructor(world: World) {
    this.#world = world
    // Told while the node dies: what it had not synced is decided before anybody starts it again.
    world.subscribe(({ fact, node }) => {
      if (fact._tag === "NodeCrashed") this.#disks.get(node)?.crashed(world.node(node))
    })
  }

  /** The file system of whatever node the program runs on. */
  readonly layer: Layer.Layer<FileSystem.FileSystem, never, SimNode> = Layer.effect(
    FileSystem.FileSystem,
    Effect.map(CurrentNode, (node) => new Calls(this.#of(node.name), node).fileSystem())
  )

  /** What stands on a node's disk now, for whoever inspects a run. */
  image(node: string): DiskImage {
    return this.#of(node).image
  }

  #of(node: string): Disk {
    let disk = this.#disks.get(node)
    if (disk === undefined) {
      disk = new Disk(this.#world, node)
      this.#disks.set(node, disk)
    }
    return disk
  }
}

class Disk {
  readonly image: DiskImage
  readonly world: World
  readonly key: Chance.Key
  /** Calls so far, over all incarnations. */
  calls = 0
  #crashes = 0

  constructor(world: World, node: string) {
    this.world = world
    this.key = Chance.derive(world.kernel.key, `disk/${node}`)
    this.image = new DiskImage(() => Math.floor((epochMicros + world.nowMicros) / 1_000))
  }

  crashed(node: SimNode): void {
    const { hazards, kernel } = this.world
    const nth = this.#crashes++
    if (!hazards.isAnyActive || this.image.isClean) return
    const loses = hazards.strike("disk/lost-unsynced", node.name, nth) !== undefined
    const tears = hazards.strike("disk/torn-write", node.name, nth) !== undefined
    if (!loses && !tears) return
    const key = Chance.derive(this.key, `crash/${nth}`)
    const { names, writes } = this.image.losePower(loses ? Chance.fraction(key, 0) : 1, (file, write, count) => {
      if (tears && write === count - 1) return "torn"
      return loses && Chance.happens(Chance.derive(key, `file/${file}`), write, 0.5) ? "lost" : "whole"
    })
    if (names + writes === 0) return
    if (loses) kernel.facts.effect("disk/lost-unsynced", node)
    if (tears) kernel.facts.effect("disk/torn-write", node)
    kernel.facts.emit(powerLost, node, writes, names, undefined)
  }
}

/** The calls of one incarnation. */
class Calls {
  readonly #disk: Disk
  readonly #node: SimNode
  #nextDescriptor = 3

  constructor(disk: Disk, node: SimNode) {
    this.#disk = disk
    this.#node = node
  }

  fileSystem(): FileSystem.FileSystem {
    const { image } = this.#disk
    const name = (method: string, path: string, change: () => void): Calling<void> =>
      this.call(method, path, "write", change)
    const look = <A>(method: string, path: string, see: () => A): Calling<A> => this.call(method, path, "look", see)
    const stat = (method: "stat" | "lstat") => (path: string) =>
      look(method, path, () => infoOf(image.find(path, { follow: method === "stat" })))

    const readFile = (path: string): Calling<Uint8Array> =>
      this.call("readFile", path, "read", (nth) => {
        const file = fileOf(image.find(path))
        return this.read(file, 0, file.content.size, nth)
      })
    // Two calls of the system, as with Node: a crash between them leaves an empty file.
    const writeFile: FileSystem.FileSystem["writeFile"] = (path, data, options) =>
      Effect.flatMap(this.openNode("writeFile", path, { flag: options?.flag ?? "w", mode: options?.mode }), (node) =>
        this.call("writeFile", path, "write", () => {
          const file = fileOf(node)
          image.write(file, options?.flag?.startsWith("a") === true ? file.content.size : 0, data)
        })
      )
    const remove: FileSystem.FileSystem["remove"] = (path, options) =>
      name("remove", path, () => removeTree(image, path, options ?? {}))
    const makeTempDirectory =
      (method: string): FileSystem.FileSystem["makeTempDirectory"] =>
      (options) =>
        Effect.suspend(() => {
          const made = this.#temporaryName(options?.directory ?? "/tmp", options?.prefix ?? "")
          return Effect.as(
            name(method, made, () => image.makeDirectory(made, 0o700)),
            made
          )
        })
    const makeTempFile =
      (method: string): FileSystem.FileSystem["makeTempFile"] =>
      (options) =>
        Effect.gen({ self: this }, function* () {
          const directory = yield* makeTempDirectory(method)(options)
          const path = `${this.#temporaryName(directory, "")}${options?.suffix ?? ""}`
          yield* writeFile(path, new Uint8Array(0))
          return path
        })
    const scoped = <A, R>(made: Effect.Effect<A, PlatformError.PlatformError, R>, directoryOf: (made: A) => string) =>
      Effect.acquireRelease(made, (it) => Effect.orDie(remove(directoryOf(it), { recursive: true, force: true })))

    return FileSystem.make({
      access: (path) => Effect.asVoid(look("access", path, () => image.find(path))),
      chmod: (path, mode) =>
        name("chmod", path, () => {
          image.find(path).mode = mode & 0o7777
        }),
      chown: (path, uid, gid) => name("chown", path, () => Object.assign(image.find(path), { uid, gid })),
      copy: (from, to, options) => name("copy", from, () => copyTree(image, from, to, options?.overwrite ?? false)),
      copyFile: (from, to) => name("copyFile", from, () => copyFile(image, from, to)),
      link: (from, to) => name("link", from, () => image.link(from, to)),
      lstat: stat("lstat"),
      makeDirectory: (path, options) =>
        name("makeDirectory", path, () => {
          const mode = (options?.mode ?? 0o777) & ~umask
          if (options?.recursive === true) image.makeDirectories(path, mode)
          else image.makeDirectory(path, mode)
        }),
      makeTempDirectory: makeTempDirectory("makeTempDirectory"),
      makeTempDirectoryScoped: (options) =>
        scoped(makeTempDirectory("makeTempDirectoryScoped")(options), (directory) => directory),
      makeTempFile: makeTempFile("makeTempFile"),
      makeTempFileScoped: (options) =>
        scoped(makeTempFile("makeTempFileScoped")(options), (path) => path.slice(0, path.lastIndexOf("/"))),
      open: (path, options) =>
        Effect.map(
          Effect.acquireRelease(
            Effect.map(
              this.openNode("open", path, { ...options, flag: options?.flag ?? "r" }),
              (node) => new SimFile(this, this.#nextDescriptor++, node, options?.flag ?? "r")
            ),
            (file) => Effect.sync(() => file.close())
          ),
          (file): FileSystem.File => file
        ),
      readDirectory: (path, options) =>
        look("readDirectory", path, () => {
          const directory = directoryOf(image.find(path))
          return options?.recursive === true ? namesBelow(directory) : [...directory.entries.keys()].toSorted()
        }),
      readDirectoryEntries: (path) =>
        look("readDirectoryEntries", path, () =>
          [...directoryOf(image.find(path)).entries]
            .map(([entry, { _tag }]) => ({ name: entry, type: _tag }))
            .toSorted((left, right) => (left.name < right.name ? -1 : 1))
        ),
      readFile,
      readLink: (path) =>
        look("readLink", path, () => {
          const inode = image.find(path, { follow: false })
          if (inode._tag !== "SymbolicLink") throw new Errno("EINVAL")
          return inode.target
        }),
      realPath: (path) => look("realPath", path, () => image.realPath(path)),
      remove,
      rename: (from, to) => name("rename", from, () => image.rename(from, to)),
      stat: stat("stat"),
      symlink: (target, path) => name("symlink", target, () => image.symlink(target, path)),
      truncate: (path, length) =>
        name("truncate", path, () => image.truncate(fileOf(image.find(path)), checkedLength(length ?? 0))),
      utimes: (path, accessed, modified) =>
        name("utimes", path, () => {
          const inode = image.find(path)
          inode.accessedMillis = millisOf(accessed)
          inode.modifiedMillis = millisOf(modified)
        }),
      watch: (path) =>
        Stream.fail(
          PlatformError.badArgument({
            module: "FileSystem",
            method: "watch",
            description: `${path}: a simulated disk cannot be watched; look again instead`
          })
        ),
      writeFile
    })
  }

  /** One call of the system. `act` is given the number of the call and throws `Errno`. */
  call<A>(method: string, where: string | number, manner: Manner, act: (nth: number) => A): Calling<A> {
    return Effect.callback<A, PlatformError.PlatformError>((resume) => {
      const { key, world } = this.#disk
      const node = this.#node
      const nth = this.#disk.calls++
      node.portCall()
      node.waits(`the disk (${method} ${where})`)
      world.kernel.facts.emit(called, node, nth, 0, { method, path: String(where) })
      const perform = (): Calling<A> => {
        try {
          this.#suffer(manner, nth)
          return Effect.succeed(act(nth))
        } catch (failure) {
          return failure instanceof Errno ? Effect.fail(toPlatformError(failure, method, where)) : Effect.die(failure)
        }
      }
      const isFirst = Chance.happens(Chance.derive(key, "first"), nth, 0.5)
      const performed = isFirst ? perform() : undefined
      node.setTimer(this.#latencyMicros(manner, nth), () => resume(performed ?? perform()))
    })
  }

  /** What is there from `offset` on, with what corruption makes of it. */
  read(file: FileNode, offset: number, length: number, nth: number): Uint8Array {
    const { hazards, kernel } = this.#disk.world
    const size = Math.min(length, file.content.size - offset)
    if (size > 0 && hazards.isAnyActive && hazards.strike("disk/corruption", this.#node.name, nth) !== undefined) {
      const place = Math.floor(hazards.fraction("disk/corruption", this.#node.name, nth) * size * 8)
      file.content.flip(offset + (place >> 3), place & 7)
      kernel.facts.effect("disk/corruption", this.#node)
    }
    return file.content.read(offset, length)
  }

  sync(node: FileNode | DirectoryNode, nth: number): void {
    const { hazards, kernel } = this.#disk.world
    if (
      node._tag === "File" &&
      node.content.unsynced > 0 &&
      hazards.isAnyActive &&
      hazards.strike("disk/sync-failure", this.#node.name, nth) !== undefined
    ) {
      node.content.failSync()
      kernel.facts.effect("disk/sync-failure", this.#node)
      throw new Errno("EIO")
    }
    this.#disk.image.sync(node)
  }

  get image(): DiskImage {
    return this.#disk.image
  }

  openNode(
    method: string,
    path: string,
    options: {
      readonly flag: FileSystem.OpenFlag
      readonly mode?: number | undefined
      readonly noFollow?: boolean | undefined
    }
  ): Calling<FileNode | DirectoryNode> {
    const { flag } = options
    return this.call(method, path, flag === "r" || flag === "r+" ? "look" : "write", () =>
      this.image.openFile(path, {
        create: !flag.startsWith("r"),
        exclusive: flag.includes("x"),
        truncate: flag.startsWith("w"),
        write: flag !== "r",
        follow: options.noFollow !== true,
        mode: (options.mode ?? 0o666) & ~umask
      })
    )
  }

  #suffer(manner: Manner, nth: number): void {
    const { hazards } = this.#disk.world
    if (manner !== "write" || !hazards.isAnyActive) return
    if (hazards.hit("disk/full", this.#node.name, nth) !== undefined) throw new Errno("ENOSPC")
  }

  #latencyMicros(manner: Manner, nth: number): number {
    const { key, world } = this.#disk
    const [least, most] = manner === "sync" ? [syncMicrosMin, syncMicrosMax] : [callMicrosMin, callMicrosMax]
    const usual = Chance.integer(Chance.derive(key, "latency"), nth, least, most)
    if (!world.hazards.isAnyActive || world.hazards.hit("disk/slow", this.#node.name, nth) === undefined) return usual
    return usual + Math.ceil(world.hazards.fraction("disk/slow", this.#node.name, nth) ** 2 * slowMicrosMax)
  }

  #temporaryName(directory: string, prefix: string): string {
    const bits = Chance.bits(Chance.derive(this.#disk.key, "temporary"), this.#disk.calls)
    return `${directory.replace(/\/+$/, "")}/${prefix}${bits.toString(36).padStart(7, "0")}`
  }
}

/** An open file; its place moves as with Node's. */
class SimFile implements FileSystem.File {
  readonly [FileSystem.FileTypeId]: typeof FileSystem.FileTypeId = FileSystem.FileTypeId
  readonly #calls: Calls
  readonly #descriptor: number
  readonly #node: FileNode | DirectoryNode
  readonly #isReadable: boolean
  readonly #isWritable: boolean
  readonly #isAppending: boolean
  #position = 0
  #isOpen = true

  constructor(calls: Calls, descriptor: number, node: FileNode | DirectoryNode, flag: FileSystem.OpenFlag) {
    this.#calls = calls
    this.#descriptor = descriptor
    this.#node = node
    this.#isReadable = flag.startsWith("r") || flag.endsWith("+")
    this.#isWritable = flag !== "r"
    this.#isAppending = flag.startsWith("a")
  }

  close(): void {
    this.#isOpen = false
  }

  get stat(): Calling<FileSystem.File.Info> {
    return this.#call("stat", "look", () => infoOf(this.#node))
  }

  get sync(): Calling<void> {
    return this.#call("sync", "sync", (nth) => this.#calls.sync(this.#node, nth))
  }

  seek(offset: bigint, from: FileSystem.SeekMode): Calling<bigint> {
    return Effect.suspend(() => {
      const position = from === "start" ? offset : BigInt(this.#position) + offset
      if (position < 0n) return Effect.fail(badArgument("seek", "Cannot seek before the start of the file"))
      this.#position = Number(position)
      return Effect.succeed(position)
    })
  }

  read(buffer: Uint8Array, options?: FileSystem.File.ReadOptions): Calling<number> {
    return Effect.map(this.#read("read", buffer.length, options?.position), (bytes) => {
      buffer.set(bytes)
      return bytes.length
    })
  }

  readAlloc(size: number, options?: FileSystem.File.ReadOptions): Calling<Option.Option<Uint8Array>> {
    if (!Number.isInteger(size) || size < 0) {
      return Effect.fail(badArgument("readAlloc", "size must be a non-negative integer"))
    }
    return Effect.map(this.#read("readAlloc", size, options?.position), (bytes) =>
      bytes.length === 0 ? Option.none() : Option.some(bytes)
    )
  }

  truncate(length = 0): Calling<void> {
    return this.#call("truncate", "write", () => {
      this.#calls.image.truncate(this.#writable("EINVAL"), checkedLength(length))
      if (!this.#isAppending) this.#position = Math.min(this.#position, length)
    })
  }

  write(buffer: Uint8Array): Calling<number> {
    return Effect.map(this.#write("write", buffer), () => buffer.length)
  }

  writeAll(buffer: Uint8Array): Calling<void> {
    return buffer.length === 0 ? Effect.void : this.#write("writeAll", buffer)
  }

  #read(method: string, size: number, explicit: bigint | undefined): Calling<Uint8Array> {
    return Effect.suspend(() => {
      if (explicit !== undefined && explicit < 0n) {
        return Effect.fail(badArgument(method, "Cannot read before the start of the file"))
      }
      const position = explicit === undefined ? this.#position : Number(explicit)
      return this.#call(method, "read", (nth) => {
        // Node asks the system for no bytes at all.
        if (size === 0) return new Uint8Array(0)
        if (!this.#isReadable) throw new Errno("EBADF")
        const bytes = this.#calls.read(fileOf(this.#node), position, size, nth)
        if (explicit === undefined) this.#position = position + bytes.length
        return bytes
      })
    })
  }

  #write(method: string, buffer: Uint8Array): Calling<void> {
    return Effect.suspend(() => {
      const position = this.#position
      return this.#call(method, "write", () => {
        const file = this.#writable("EBADF")
        this.#calls.image.write(file, this.#isAppending ? file.content.size : position, buffer)
        if (!this.#isAppending) this.#position = position + buffer.length
      })
    })
  }

  #call<A>(method: string, manner: Manner, act: (nth: number) => A): Calling<A> {
    return this.#calls.call(method, this.#descriptor, manner, (nth) => {
      if (!this.#isOpen) throw new Errno("EBADF")
      return act(nth)
    })
  }

  #writable(otherwise: Code): FileNode {
    if (!this.#isWritable) throw new Errno(otherwise)
    return fileOf(this.#node)
  }
}

const umask = 0o022

function fileOf(inode: Inode): FileNode {
  if (inode._tag === "Directory") throw new Errno("EISDIR")
  if (inode._tag === "SymbolicLink") throw new Errno("ELOOP")
  return inode
}

function directoryOf(inode: Inode): DirectoryNode {
  if (inode._tag !== "Directory") throw new Errno("ENOTDIR")
  return inode
}

function checkedLength(length: number): number {
  if (length < 0) throw new Errno("EINVAL")
  return length
}

function badArgument(method: string, description: string): PlatformError.PlatformError {
  return PlatformError.badArgument({ module: "FileSystem", method, description })
}

function removeTree(
  image: DiskImage,
  path: string,
  options: { readonly recursive?: boolean | undefined; readonly force?: boolean | undefined }
): void {
  let inode: Inode
  try {
    inode = image.find(path, { follow: false })
  } catch (failure) {
    if (options.force === true && failure instanceof Errno && failure.code === "ENOENT") return
    throw failure
  }
  if (inode._tag === "Directory") {
    if (options.recursive !== true) throw new Errno("ERR_FS_EISDIR")
    for (const name of inode.entries.keys()) removeTree(image, `${path}/${name}`, options)
  }
  image.unlink(path)
}

/** As libuv does it: the target is opened before the source turns out to be a directory, and goes when copying fails. */
function copyFile(image: DiskImage, from: string, to: string): void {
  const source = image.find(from)
  const how = { create: true, exclusive: false, truncate: false, write: true, follow: true, mode: source.mode }
  const target = fileOf(image.openFile(to, how))
  if (target === source) return
  if (source._tag !== "File") {
    image.unlink(to)
    throw new Errno("EISDIR")
  }
  const bytes = source.content.read(0, source.content.size)
  image.truncate(target, 0)
  image.write(target, 0, bytes)
}

function copyTree(image: DiskImage, from: string, to: string, overwrite: boolean): void {
  const source = image.find(from, { follow: false })
  const there = exists(image, to)
  if (source._tag === "Directory") {
    if (!there) image.makeDirectories(to, source.mode)
    for (const name of source.entries.keys()) copyTree(image, `${from}/${name}`, `${to}/${name}`, overwrite)
  } else if (source._tag === "SymbolicLink") {
    if (!there) image.symlink(source.target, to)
  } else if (!there || overwrite) {
    const parent = partsOf(to).slice(0, -1)
    if (parent.length > 0) image.makeDirectories(`/${parent.join("/")}`, 0o755)
    copyFile(image, from, to)
  }
}

function exists(image: DiskImage, path: string): boolean {
  try {
    image.find(path, { follow: false })
    return true
  } catch (failure) {
    if (failure instanceof Errno) return false
    throw failure
  }
}

function namesBelow(directory: DirectoryNode, prefix = ""): Array<string> {
  return [...directory.entries]
    .flatMap(([name, inode]) => [
      `${prefix}${name}`,
      ...(inode._tag === "Directory" ? namesBelow(inode, `${prefix}${name}/`) : [])
    ])
    .toSorted()
}

const typeBits = { File: 0o100000, Directory: 0o040000, SymbolicLink: 0o120000 } as const

function infoOf(inode: Inode): FileSystem.File.Info {
  const size = inode._tag === "File" ? inode.content.size : inode._tag === "SymbolicLink" ? inode.target.length : 4_096
  const date = (millis: number) => Option.some(new Date(millis))
  return {
    type: inode._tag,
    mtime: date(inode.modifiedMillis),
    atime: date(inode.accessedMillis),
    birthtime: date(inode.bornMillis),
    dev: 1n,
    rdev: Option.some(0n),
    ino: Option.some(BigInt(inode.id)),
    mode: typeBits[inode._tag] | inode.mode,
    nlink: Option.some(BigInt(inode._tag === "Directory" ? 2 : inode.links)),
    uid: Option.some(inode.uid),
    gid: Option.some(inode.gid),
    size: ByteSize.bytes(size),
    blksize: Option.some(ByteSize.bytes(4_096)),
    blocks: Option.some(BigInt(Math.ceil(size / 512)))
  }
}

/** Node takes dates, and numbers of seconds. */
function millisOf(time: Date | number): number {
  return typeof time === "number" ? time * 1_000 : time.getTime()
}
