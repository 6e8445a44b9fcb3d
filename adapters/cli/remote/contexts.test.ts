import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { added, chosen, contextsFile, none, readContexts, removed, used, withKey, writeContexts } from "./contexts.ts"

const shop = { servers: ["http://n1:8081"], project: "shop" }
const both = added(added(none, "shop", shop), "test", { ...shop, project: "test" })

describe("contexts", () => {
  it("the first that is added is used, until another one is, or it is removed", () => {
    assert.strictEqual(chosen(none, undefined), undefined)
    assert.strictEqual(chosen(both, undefined)?.name, "shop")
    assert.strictEqual(chosen(used(both, "test"), undefined)?.project, "test")
    assert.strictEqual(chosen(both, "test")?.project, "test")
    assert.isUndefined(chosen(removed(both, "shop"), undefined))
    assert.strictEqual(chosen(removed(both, "test"), undefined)?.name, "shop")
  })

  it("a key is kept for one of them and leaves with it", () => {
    const kept = withKey(both, "test", "sg_secret")
    assert.strictEqual(chosen(kept, "test")?.key, "sg_secret")
    assert.notInclude(JSON.stringify(kept.contexts["shop"]), "key")
    assert.notInclude(JSON.stringify(removed(kept, "test")), "sg_secret")
  })

  it("says what there is where there is none of that name, also of a name that every object has", () => {
    assert.throws(() => chosen(both, "shpo"), 'there is no context "shpo"; did you mean "shop"?')
    assert.throws(() => chosen(none, "shop"), 'there is no context "shop"; none was added yet')
    assert.throws(() => chosen(both, "constructor"), /there is no context "constructor"/)
    assert.throws(() => added(both, "shop", shop), /there is a context "shop" already/)
  })
})

describe("the file of contexts", () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "stormglass-contexts-"))
  const file = contextsFile({ XDG_CONFIG_HOME: directory })
  afterAll(() => fs.rmSync(directory, { recursive: true }))

  it("is below XDG_CONFIG_HOME, or else ~/.config", () => {
    assert.strictEqual(file, path.join(directory, "stormglass", "contexts.json"))
    for (const environment of [{}, { XDG_CONFIG_HOME: "" }, { XDG_CONFIG_HOME: "here" }]) {
      assert.strictEqual(contextsFile(environment), path.join(os.homedir(), ".config", "stormglass", "contexts.json"))
    }
  })

  it("is for its owner alone, and refused when others may read it, or when it is of something else", () => {
    assert.deepStrictEqual(readContexts(file), none)
    writeContexts(withKey(both, "shop", "sg_secret"), file)
    assert.strictEqual(fs.statSync(file).mode & 0o777, 0o600)
    assert.strictEqual(chosen(readContexts(file), "shop")?.key, "sg_secret")
    fs.chmodSync(file, 0o644)
    assert.throws(() => readContexts(file), `others may read the keys in it: chmod 600 ${file}`)
    fs.chmodSync(file, 0o600)
    fs.writeFileSync(file, '{"key":"sg_secret"')
    assert.throws(() => readContexts(file), /not a file of contexts; mend it, or remove it and log in again$/)
  })
})
