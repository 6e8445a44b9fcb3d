import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { DiskImage, type Inode } from "./DiskImage.ts"
import { Errno } from "./Errno.ts"

const path = fc.constantFrom("/a", "/b", "/d", "/d/a", "/d/b", "/d/e")

type Step =
  | { readonly does: "make" | "create" | "unlink" | "sync"; readonly path: string }
  | { readonly does: "rename" | "link"; readonly path: string; readonly to: string }

const change: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ does: fc.constantFrom("make" as const, "create" as const, "unlink" as const), path }),
  fc.record({ does: fc.constantFrom("rename" as const, "link" as const), path, to: path })
)

const create = { create: true, exclusive: false, truncate: false, write: true, follow: true, mode: 0o644 } as const

const perform = (image: DiskImage, it: Step): void => {
  try {
    switch (it.does) {
      case "make":
        return image.makeDirectory(it.path, 0o755)
      case "create":
        return void image.openFile(it.path, create)
      case "unlink":
        return image.unlink(it.path)
      case "rename":
      case "link":
        return image[it.does](it.path, it.to)
      case "sync": {
        const inode = image.find(it.path)
        if (inode._tag !== "SymbolicLink") image.sync(inode)
      }
    }
  } catch (failure) {
    if (!(failure instanceof Errno)) throw failure
  }
}

/** Every name with what stands there, by its number. */
const tree = (inode: Inode): unknown =>
  inode._tag === "Directory"
    ? Object.fromEntries([...inode.entries].toSorted().map(([name, entry]) => [name, tree(entry)]))
    : `${inode._tag} ${inode.id}, ${inode.links} links`

const play = (steps: ReadonlyArray<Step>): DiskImage => {
  const image = new DiskImage(() => 0)
  for (const it of steps) perform(image, it)
  return image
}

describe("DiskImage", () => {
  it("after a loss of power shows the directories as they were after some first part of the changes, no mixture", () =>
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 20 }),
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        (steps, keptShare) => {
          const image = play(steps)
          image.losePower(keptShare, () => "lost")
          const states = steps.map((_, count) => tree(play(steps.slice(0, count)).find("/")))
          assert.deepInclude([...states, tree(play(steps).find("/"))], tree(image.find("/")))
        }
      )
    ))

  it("has on the disk what happened before a directory was synced, if the directory had part in it", () =>
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), fc.array(change, { maxLength: 6 }), (before, after) => {
        // The root has part in the last one.
        const synced: ReadonlyArray<Step> = [...before, { does: "create", path: "/last" }, { does: "sync", path: "/" }]
        const image = play([...synced, ...after])
        image.losePower(0, () => "lost")
        assert.deepStrictEqual(tree(image.find("/")), tree(play(synced).find("/")))
      })
    ))

  it("keeps the old content under the name, or has the new, when a synced file takes its place", () => {
    const written = (image: DiskImage, name: string, text: string) => {
      const file = image.openFile(name, create)
      if (file._tag !== "File") throw new Error("a directory")
      image.write(file, 0, new TextEncoder().encode(text))
      image.sync(file)
      image.sync(image.find("/") as never)
    }
    const seen = [0, 0.99].map((keptShare) => {
      const image = new DiskImage(() => 0)
      written(image, "/file", "old")
      written(image, "/file.new", "new")
      image.rename("/file.new", "/file")
      image.losePower(keptShare, () => "lost")
      const file = image.find("/file")
      return file._tag === "File" ? new TextDecoder().decode(file.content.read(0, 10)) : file._tag
    })
    assert.deepStrictEqual(seen, ["old", "new"])
  })

  it("loses the name of a file that was synced in a directory that was not", () => {
    const image = new DiskImage(() => 0)
    const file = image.openFile("/file", create)
    if (file._tag === "File") image.write(file, 0, Uint8Array.of(1))
    image.sync(file)
    image.losePower(0, () => "lost")
    assert.throws(() => image.find("/file"), /ENOENT/)
  })

  it("asks about every write that may still survive, and says how many those are, also after a sync that failed", () => {
    const image = new DiskImage(() => 0)
    const file = image.openFile("/file", create)
    if (file._tag !== "File") throw new Error("a directory")
    image.write(file, 0, Uint8Array.of(1))
    file.content.failSync()
    image.write(file, 1, Uint8Array.of(2))
    image.write(file, 2, Uint8Array.of(3))
    const asked: Array<string> = []
    image.losePower(1, (_file, nth, count) => (asked.push(`${nth} of ${count}`), "whole"))
    assert.deepStrictEqual(asked, ["0 of 2", "1 of 2"])
  })
})
