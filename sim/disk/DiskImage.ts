/**
 * A file system in memory, with the calls and the errors of POSIX: the tree as programs see it, and what of it is left when the
 * power fails.
 *
 * - D1 A change of directories (create, remove, rename, link) is atomic: after a loss of power it is there or it is not.
 * - D2 Changes of directories reach the disk in the order in which they were made, as with a journal, and at the latest when a
 *   directory that they concern is synced. Syncing a file saves its content, not its name.
 * - D3 A file that was removed lives on for whoever has it open.
 * Absent on purpose: permissions (kept, never enforced), owners' rights, devices, watching.
 */
import { Content, type Survival } from "./Content.ts"
import { Errno } from "./Errno.ts"

interface Attributes {
  readonly id: number
  mode: number
  uid: number
  gid: number
  links: number
  accessedMillis: number
  modifiedMillis: number
  readonly bornMillis: number
}

export interface FileNode extends Attributes {
  readonly _tag: "File"
  readonly content: Content
}

export interface DirectoryNode extends Attributes {
  readonly _tag: "Directory"
  readonly entries: Map<string, Inode>
  /** Itself for the root. */
  parent: DirectoryNode
}

export interface LinkNode extends Attributes {
  readonly _tag: "SymbolicLink"
  readonly target: string
}

export type Inode = FileNode | DirectoryNode | LinkNode

/** One name in one directory, before and after. */
interface Renaming {
  readonly directory: DirectoryNode
  readonly name: string
  readonly before: Inode | undefined
  readonly after: Inode | undefined
}

/** Where a path leads: the directory, the last name in it, and what stands there. The root has no name. */
interface Place {
  readonly directory: DirectoryNode
  readonly name: string
  readonly inode: Inode | undefined
}

const linksMax = 40

export class DiskImage {
  readonly #nowMillis: () => number
  readonly #root: DirectoryNode
  /** Files whose content may be unsynced. */
  readonly #dirty = new Set<FileNode>()
  /** Changes of directories that are not on the disk yet, in order. */
  #journal: Array<ReadonlyArray<Renaming>> = []
  #nextId = 1

  constructor(nowMillis: () => number) {
    this.#nowMillis = nowMillis
    this.#root = this.#directory(undefined, 0o755)
    this.makeDirectory("/tmp", 0o777)
    this.#journal = []
  }

  /** Follows symbolic links, the last one too unless told otherwise. Fails where nothing stands there. */
  find(path: string, options: { readonly follow: boolean } = { follow: true }): Inode {
    const { inode } = this.#walk(path, options.follow)
    if (inode === undefined) throw new Errno("ENOENT")
    return inode
  }

  openFile(
    path: string,
    how: {
      readonly create: boolean
      readonly exclusive: boolean
      readonly truncate: boolean
      readonly write: boolean
      readonly follow: boolean
      readonly mode: number
    }
  ): FileNode | DirectoryNode {
    const place = this.#walk(path, how.follow && !how.exclusive)
    const { inode } = place
    if (inode === undefined) {
      if (!how.create) throw new Errno("ENOENT")
      if (path.endsWith("/")) throw new Errno("EISDIR")
      const file: FileNode = { ...this.#attributes(how.mode), _tag: "File", content: new Content() }
      this.#change([{ ...place, before: undefined, after: file }])
      return file
    }
    if (how.exclusive) throw new Errno("EEXIST")
    if (inode._tag === "SymbolicLink") throw new Errno("ELOOP")
    if (inode._tag === "Directory" && (how.write || how.create)) throw new Errno("EISDIR")
    if (inode._tag === "File" && how.truncate) this.truncate(inode, 0)
    return inode
  }

  write(file: FileNode, offset: number, data: Uint8Array): void {
    if (data.length === 0) return
    file.content.write(offset, data)
    file.modifiedMillis = this.#nowMillis()
    this.#dirty.add(file)
  }

  truncate(file: FileNode, size: number): void {
    file.content.truncate(size)
    file.modifiedMillis = this.#nowMillis()
    this.#dirty.add(file)
  }

  sync(inode: FileNode | DirectoryNode): void {
    if (inode._tag === "File") {
      inode.content.sync()
      if (inode.content.unsynced === 0) this.#dirty.delete(inode)
    } else {
      const last = this.#journal.findLastIndex((changes) => changes.some(({ directory }) => directory === inode))
      this.#journal.splice(0, last + 1)
    }
  }

  makeDirectory(path: string, mode: number): void {
    const place = this.#walk(path, false)
    if (place.inode !== undefined) throw new Errno("EEXIST")
    this.#change([{ ...place, before: undefined, after: this.#directory(place.directory, mode) }])
  }

  /** Makes what is missing of the path; a directory that is there is as good. */
  makeDirectories(path: string, mode: number): void {
    const parts = partsOf(path)
    for (let count = 1; count <= parts.length; count++) {
      const prefix = `/${parts.slice(0, count).join("/")}`
      const inode = this.#there(prefix)
      if (inode === undefined) {
        // A link that leads nowhere is not made to lead somewhere.
        if (this.#walk(prefix, false).inode !== undefined) {
          throw new Errno(count === parts.length ? "ENOENT" : "ENOTDIR")
        }
        this.makeDirectory(prefix, mode)
      } else if (inode._tag !== "Directory") throw new Errno(count === parts.length ? "EEXIST" : "ENOTDIR")
    }
  }

  #there(path: string): Inode | undefined {
    try {
      return this.#walk(path, true).inode
    } catch (failure) {
      if (failure instanceof Errno && failure.code === "ENOENT") return undefined
      throw failure
    }
  }

  /** A file or symbolic link, or an empty directory. */
  unlink(path: string): void {
    const place = this.#walk(path, false)
    const { inode } = place
    if (inode === undefined) throw new Errno("ENOENT")
    if (inode === this.#root) throw new Errno("EPERM")
    if (inode._tag === "Directory" && inode.entries.size > 0) throw new Errno("ENOTEMPTY")
    this.#change([{ ...place, before: inode, after: undefined }])
  }

  rename(from: string, to: string): void {
    const source = this.#walk(from, false)
    const target = this.#walk(to, false)
    const moved = source.inode
    const replaced = target.inode
    if (moved === undefined) throw new Errno("ENOENT")
    if (moved === this.#root || replaced === this.#root) throw new Errno("EINVAL")
    if (moved === replaced) return
    if (isInside(target.directory, moved)) throw new Errno("EINVAL")
    if (isInside(source.directory, replaced)) throw new Errno("ENOTEMPTY")
    if (moved._tag === "Directory") {
      if (replaced !== undefined && replaced._tag !== "Directory") throw new Errno("ENOTDIR")
      if (replaced !== undefined && replaced.entries.size > 0) throw new Errno("ENOTEMPTY")
    } else if (replaced?._tag === "Directory") throw new Errno("EISDIR")
    else if (to.endsWith("/")) throw new Errno("ENOTDIR")
    this.#change([
      { directory: source.directory, name: source.name, before: moved, after: undefined },
      { directory: target.directory, name: target.name, before: replaced, after: moved }
    ])
  }

  /** A second name for a file. */
  link(existing: string, path: string): void {
    const inode = this.find(existing, { follow: false })
    const place = this.#walk(path, false)
    if (place.inode !== undefined) throw new Errno("EEXIST")
    if (inode._tag === "Directory") throw new Errno("EPERM")
    this.#change([{ ...place, before: undefined, after: inode }])
  }

  symlink(target: string, path: string): void {
    const place = this.#walk(path, false)
    if (place.inode !== undefined) throw new Errno("EEXIST")
    const link: LinkNode = { ...this.#attributes(0o777), _tag: "SymbolicLink", target }
    this.#change([{ ...place, before: undefined, after: link }])
  }

  /** The path without symbolic links, dots and doubled slashes. */
  realPath(path: string): string {
    const place = this.#walk(path, true)
    if (place.inode === undefined) throw new Errno("ENOENT")
    return pathOf(place.inode === this.#root ? this.#root : place.directory, place.name)
  }

  /** What is on the disk is all of it. */
  get isClean(): boolean {
    return this.#journal.length === 0 && this.#dirty.size === 0
  }

  /**
   * The power fails: of the changes to directories that are not on the disk the first `journalKept` (a fraction) survive, and of the
   * writes to each file those that `survives` says, the nth of so many. Returns how much was lost or torn.
   */
  losePower(
    journalKept: number,
    survives: (file: number, nth: number, count: number) => Survival
  ): { readonly writes: number; readonly names: number } {
    const kept = Math.floor(journalKept * (this.#journal.length + 1))
    const lost = this.#journal.splice(kept)
    this.#journal = []
    for (const changes of lost.toReversed()) {
      for (const { after, before, directory, name } of changes.toReversed()) put(directory, name, after, before)
    }
    let writes = 0
    for (const file of this.#dirty) {
      const count = file.content.pending
      writes += file.content.losePower((nth) => survives(file.id, nth, count))
    }
    this.#dirty.clear()
    return { writes, names: lost.length }
  }

  #walk(path: string, follow: boolean, linksFollowed = 0, from: DirectoryNode = this.#root): Place {
    if (path === "") throw new Errno("ENOENT")
    const parts = path.split("/").filter((part) => part !== "")
    const mustBeDirectory = /\/\.?$/.test(path)
    let directory = path.startsWith("/") ? this.#root : from
    let place: Place = { directory, name: "", inode: directory }
    for (const [index, part] of parts.entries()) {
      const isLast = index === parts.length - 1
      if (part === "." || part === "..") {
        directory = part === "." ? directory : directory.parent
        place = { directory: directory.parent, name: nameOf(directory), inode: directory }
        continue
      }
      const inode = directory.entries.get(part)
      place = { directory, name: part, inode }
      if (inode?._tag === "SymbolicLink" && (!isLast || follow || mustBeDirectory)) {
        if (linksFollowed >= linksMax) throw new Errno("ELOOP")
        place = this.#walk(inode.target, true, linksFollowed + 1, directory)
      }
      if (isLast) break
      if (place.inode === undefined) throw new Errno("ENOENT")
      if (place.inode._tag !== "Directory") throw new Errno("ENOTDIR")
      directory = place.inode
    }
    if (mustBeDirectory && place.inode !== undefined && place.inode._tag !== "Directory") throw new Errno("ENOTDIR")
    return place
  }

  #change(changes: ReadonlyArray<Renaming>): void {
    this.#journal.push(changes)
    for (const { after, before, directory, name } of changes) {
      put(directory, name, before, after)
      directory.modifiedMillis = this.#nowMillis()
    }
  }

  #directory(parent: DirectoryNode | undefined, mode: number): DirectoryNode {
    const directory: Omit<DirectoryNode, "parent"> & { parent: DirectoryNode | undefined } = {
      ...this.#attributes(mode),
      _tag: "Directory",
      entries: new Map(),
      parent
    }
    directory.parent ??= directory as DirectoryNode
    return directory as DirectoryNode
  }

  #attributes(mode: number): Attributes {
    const millis = this.#nowMillis()
    const id = this.#nextId++
    return { id, mode, uid: 0, gid: 0, links: 0, accessedMillis: millis, modifiedMillis: millis, bornMillis: millis }
  }
}

/** Names without the empty ones and dots. */
export const partsOf = (path: string): ReadonlyArray<string> =>
  path.split("/").filter((part) => part !== "" && part !== ".")

function put(directory: DirectoryNode, name: string, before: Inode | undefined, after: Inode | undefined): void {
  if (before !== undefined) before.links--
  if (after === undefined) directory.entries.delete(name)
  else {
    directory.entries.set(name, after)
    after.links++
    if (after._tag === "Directory") after.parent = directory
  }
}

function isInside(directory: DirectoryNode, outer: Inode | undefined): boolean {
  for (let above = directory; ; above = above.parent) {
    if (above === outer) return true
    if (above === above.parent) return false
  }
}

function nameOf(directory: DirectoryNode): string {
  for (const [name, inode] of directory.parent.entries) if (inode === directory) return name
  return ""
}

function pathOf(directory: DirectoryNode, name: string): string {
  const names = name === "" ? [] : [name]
  for (let above = directory; above !== above.parent; above = above.parent) names.unshift(nameOf(above))
  return `/${names.join("/")}`
}
