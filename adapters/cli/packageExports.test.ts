/** What users import by the package's name. */
import { execFileSync } from "node:child_process"
import fs from "node:fs"
import path from "node:path"
import { assert, describe, it } from "vitest"

const root = path.join(import.meta.dirname, "..", "..")

/** Written out, so that the compiler resolves them as a user's does. */
const modules: Readonly<Record<string, () => Promise<object>>> = {
  "layer of adapters/node/HttpCalling": () => import("stormglass/adapters/node/HttpCalling"),
  "layer of adapters/node/HttpServing": () => import("stormglass/adapters/node/HttpServing"),
  "layer of adapters/node/ProcessExit": () => import("stormglass/adapters/node/ProcessExit"),
  "make of adapters/pglite/EmbeddedDatabase": () => import("stormglass/adapters/pglite/EmbeddedDatabase"),
  "chooseDatabase of adapters/pglite/chooseDatabase": () => import("stormglass/adapters/pglite/chooseDatabase"),
  "layer of adapters/postgres/PostgresStorage": () => import("stormglass/adapters/postgres/PostgresStorage"),
  "layer of adapters/postgres/Feed": () => import("stormglass/adapters/postgres/Feed"),
  "layer of adapters/postgres/FeedClient": () => import("stormglass/adapters/postgres/FeedClient"),
  "layer of adapters/postgres/FeedHints": () => import("stormglass/adapters/postgres/FeedHints"),
  "createFeed of adapters/postgres/FeedSchema": () => import("stormglass/adapters/postgres/FeedSchema"),
  "createSchema of adapters/postgres/Schema": () => import("stormglass/adapters/postgres/Schema"),
  "migrate of adapters/postgres/migrate": () => import("stormglass/adapters/postgres/migrate"),
  "make of adapters/postgres/EmbeddedPostgres": () => import("stormglass/adapters/postgres/EmbeddedPostgres"),
  "layer of adapters/websocket/WebSocketDial": () => import("stormglass/adapters/websocket/WebSocketDial"),
  "WebSocketUpgrades of adapters/websocket/WebSocketUpgrades": () =>
    import("stormglass/adapters/websocket/WebSocketUpgrades")
}

describe("the package", () => {
  it("gives its ports of production by name, to tests and to Node", async () => {
    for (const [what, load] of Object.entries(modules)) assert.property(await load(), what.split(" ")[0]!)
    const script = `for (const what of ${JSON.stringify(Object.keys(modules))}) {
      const [name, , file] = what.split(" ")
      console.log(name in await import("stormglass/" + file))
    }`
    const args = ["--conditions=stormglass-source", "--input-type=module", "--eval", script]
    const said = execFileSync(process.execPath, args, { cwd: root, encoding: "utf8" })
    assert.strictEqual(said, "true\n".repeat(Object.keys(modules).length))
  })

  it("is built to where it says that each of them is, from a source that is there", () => {
    const { exports } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8")) as {
      readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
    }
    for (const targets of Object.values(exports)) {
      if (typeof targets === "string") continue
      const source = targets["stormglass-source"]!
      const built = source.replace(/^\.\/(.*)\.ts$/, "./dist/$1")
      assert.deepStrictEqual(targets, { "stormglass-source": source, types: `${built}.d.ts`, default: `${built}.js` })
      assert.isTrue(fs.existsSync(path.join(root, path.dirname(source))), source)
    }
  })
})
