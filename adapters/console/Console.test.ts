/** The console in a browser, on a node with an agent: what its reader sees and does. */
import { once } from "node:events"
import fs from "node:fs"
import net, { type AddressInfo } from "node:net"
import os from "node:os"
import path from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { type Browser, launch, type Page } from "puppeteer-core"
import { afterAll, assert, beforeAll, describe, it, vi } from "vitest"
import { firstKeyCommand } from "../cli/serve/firstKeyCommand.ts"
import { readKey } from "../cli/serve/keyStore.ts"
import { chooseDatabase } from "../pglite/chooseDatabase.ts"
import { startGuarded } from "../cli/cluster/GuardedProcess.ts"
import { ChildProcesses } from "../node/ChildProcesses.ts"
import { database, skipped } from "../postgres/Database.fixture.ts"
import { Gateway } from "./Gateway.fixture.ts"

const root = path.join(import.meta.dirname, "..", "..")

/** `STORMGLASS_CHROMIUM`, or what a Linux calls it. */
const chromium = [
  process.env["STORMGLASS_CHROMIUM"],
  ...["chromium", "chromium-browser", "google-chrome"].flatMap(inPath)
]
  .filter((file) => file !== undefined)
  .find((file) => fs.existsSync(file))

function inPath(name: string): ReadonlyArray<string> {
  return (process.env["PATH"] ?? "").split(path.delimiter).map((directory) => path.join(directory, name))
}

if (chromium === undefined) {
  console.warn(
    "skipped: the console in a browser: no chromium, chromium-browser or google-chrome; STORMGLASS_CHROMIUM names one"
  )
}

/** In the page, which knows a document. */
const stopHere = `(() => {
  const it = document.activeElement
  const { outlineStyle, outlineWidth } = getComputedStyle(it)
  const isSeen = outlineStyle !== "none" && Number.parseFloat(outlineWidth) >= 2
  return it === document.body ? null : { name: it.tagName + " " + (it.id || it.textContent), isSeen }
})()`
interface Stop {
  readonly name: string
  readonly isSeen: boolean
}

const waiting = { timeout: 50_000, interval: 50 }

describe.skipIf(chromium === undefined)("the console in a browser", () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "stormglass-console-"))
  const gateway = new Gateway(() => port)
  const scope = Scope.makeUnsafe()
  let port = 0
  let browser: Browser
  let page: Page
  let address: string
  let key: string
  /** What was begun last ends first. */
  const closing: Array<() => unknown> = [
    () => gateway.close(),
    async () => {
      const host = new ChildProcesses({ directory: path.join(directory, "agent", "instances"), command: [] })
      await vi.waitFor(() => {
        for (const uid of host.list()) host.stop(uid)
        assert.isEmpty(host.list())
      }, waiting)
    },
    () => Effect.runPromise(Scope.close(scope, Exit.void)),
    () => fs.rmSync(directory, { recursive: true })
  ]
  const complaints: Array<string> = []
  const requested = new Set<string>()

  const put = async (name: string, desired: number): Promise<void> => {
    const headers = {
      authorization: `Bearer ${key}`,
      "content-type": "application/json",
      "idempotency-key": `test-${name}`
    }
    const body = JSON.stringify({ desired, spec: { image: "web:1", size: "small" } })
    const answer = await fetch(`http://127.0.0.1:${port}/v1/projects/default/fleets/${name}`, {
      method: "PUT",
      headers,
      body
    })
    assert.isBelow(answer.status, 300, await answer.text())
  }
  const textOf = (selector: string): Promise<string> => page.$eval(selector, (it) => it.textContent)
  const fleetsShown = (): Promise<ReadonlyArray<string>> =>
    page.$$eval(".card h3", (heads) => heads.map((it) => it.textContent))
  const isOpen = (dialog: string): Promise<boolean> =>
    page.$eval(dialog, (it) => (it as unknown as { open: boolean }).open)
  const valuesOf = (inputs: ReadonlyArray<object>): ReadonlyArray<string> =>
    inputs.map((it) => (it as { value: string }).value)
  /** Into one field after the other. */
  const typeInto = async (...texts: ReadonlyArray<string>): Promise<void> => {
    for (const [nth, text] of texts.entries()) {
      if (nth > 0) await page.keyboard.press("Tab")
      await page.keyboard.type(text)
    }
  }
  const selectAll = async (): Promise<void> => {
    await page.keyboard.down("Control")
    await page.keyboard.press("a")
    await page.keyboard.up("Control")
  }
  /** Whatever has been done is shown: who signs in sees what was there before for one more frame. */
  const untilDrawn = (): Promise<unknown> =>
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
  const untilText = (selector: string, text: RegExp): Promise<void> =>
    vi.waitFor(async () => assert.match(await textOf(selector), text), waiting)
  const untilFocused = (selector: string): Promise<void> =>
    vi.waitFor(async () => assert.isTrue(await page.$eval(selector, (it) => it.matches(":focus-visible"))), waiting)

  beforeAll(async () => {
    ;[browser] = await Promise.all([launchBrowser(), startNode()])
    closing.unshift(() => browser.close())
    page = await browser.newPage()
    page.on("console", (message) => complaints.push(`${message.text()} ${message.location().url ?? ""}`))
    page.on("pageerror", (error) => complaints.push(String(error)))
    page.on("request", (request) => requested.add(new URL(request.url()).origin))
    await page.setViewport({ width: 1280, height: 800 })
    await page.goto(address)
  }, 240_000)

  const launchBrowser = (): Promise<Browser> => {
    const args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    return launch({ executablePath: chromium!, headless: true, args })
  }

  const startNode = async (): Promise<void> => {
    port = await freePort()
    address = await gateway.listen()
    const main = [process.execPath, "--conditions=stormglass-source", path.join(root, "adapters/cli/main.ts")]
    // What has been started is believed to run at once.
    const agent = ["--agent", "--start-millis", "1"]
    const serve = [...main, "serve", "--migrate", ...agent, "--port", String(port), "--directory", directory]
    const url = await databaseUrl(scope)
    const log = path.join(directory, "log")
    const compiled = path.join(root, "node_modules/.cache/stormglass")
    const env = {
      ...process.env,
      NODE_COMPILE_CACHE: compiled,
      DATABASE_URL: url
    }
    const node = await startGuarded(serve, { log, env })
    closing.unshift(async () => {
      node.kill()
      await node.ended
    })
    const isReady = async (): Promise<void> => {
      const answers = await fetch(`http://127.0.0.1:${port}/ready`, { signal: AbortSignal.timeout(5_000) }).then(
        ({ ok }) => ok,
        () => false
      )
      assert.isTrue(answers, fs.readFileSync(log, "utf8"))
    }
    await vi.waitFor(isReady, waiting)
    key = await keyOf(url, directory)
  }

  afterAll(async () => {
    for (const close of closing) await close()
  })

  it("asks for a key, says what is wrong with one that is not known, and is live with one that is", async () => {
    await untilText("#health-text", /^signed out/)
    await untilFocused("#key")
    await page.keyboard.sendCharacter("sg_0123456789abcdef_no")
    await page.keyboard.press("Enter")
    await vi.waitFor(async () => assert.isTrue(await page.$eval("#key", (it) => it.matches(":focus"))), waiting)
    assert.isNotEmpty(await textOf("#sign-in-why"))
    await page.keyboard.sendCharacter(key)
    await page.keyboard.press("Enter")
    await untilText("#health-text", /^live, \d s old$/)
    // That nobody is let in without one is said on the browser's console, too.
    assert.isTrue(complaints.splice(0).every((each) => each.includes(" 401 ")))
  })

  it("shows who leads as of which epoch, what each works on, and that there is no fleet", async () => {
    await untilText("#fleets-note", /No fleet in this project/)
    await untilText("#member-rows", /^local\/1leader, epoch 11024\d s$/)
    await untilText("#lease-rows", /^leaderlocal\/11/)
    await untilText("#agent-rows", /^local01\d s$/)
    await untilText("#operations-note", /^Nothing was asked for/)
    assert.strictEqual(await textOf("#moving-note"), "Everything is as it is wanted.")
  })

  it("makes a fleet by n, and says of each field what is wrong, keeping what was written", async () => {
    await page.keyboard.press("n")
    await untilFocused("#create-name")
    await typeInto("Web!", "web:1", "medium", "2000")
    await page.keyboard.press("Enter")
    await untilText("#create-desired-fault", /1000/)
    assert.match(await textOf("#create-name-fault"), /lower case/)
    assert.strictEqual(await textOf("#create-image-fault"), "")
    await untilFocused("#create-name")
    assert.deepStrictEqual(await page.$$eval("#create input", valuesOf), ["Web!", "web:1", "2000"])
    await selectAll()
    await typeInto("web", "web:1", "medium", "3")
    const errors = [{ path: "payload.spec.image", message: "is none of ours" }]
    gateway.refuses = { status: 400, problem: { detail: "payload.spec.image: is none of ours", errors } }
    await page.keyboard.press("Enter")
    await untilText("#create-image-fault", /^is none of ours$/)
    await untilFocused("#create-image")
    await page.keyboard.press("Enter")
    await untilText(".card .figures", /^3of 3 running$/)
    assert.isFalse(await isOpen("#create"))
    assert.match(await textOf(".card-foot .about"), /^web:1, medium, generation 1$/)
    await untilText("#operation-rows", /adminfleets\/put fleets\/web201, generation 1/)
  })

  it("is scaled to ten without a mouse, shows a killed process replaced, and exactly seven deleted at three", async () => {
    const scale = async (desired: string): Promise<void> => {
      await page.keyboard.press("s")
      await untilFocused(".card input")
      await page.keyboard.type(desired)
      await page.keyboard.press("Enter")
      await untilText(".card .said", new RegExp(`^${desired} wanted$`))
      await page.keyboard.press("Escape")
    }
    await scale("10")
    await untilText(".card .figures", /^10of 10 running$/)
    await untilText(".card .tally", /^since generation 2: 7 created$/)

    const instances = path.join(directory, "agent", "instances")
    const [any] = fs.readdirSync(instances).filter((file) => file.endsWith(".json"))
    const { pid } = JSON.parse(fs.readFileSync(path.join(instances, any!), "utf8")) as { readonly pid: number }
    process.kill(pid, "SIGKILL")
    await untilText(".card .tally", /^since generation 2: 8 created, 1 failed, 1 deleted$/)
    await untilText(".card .figures", /^10of 10 running$/)
    assert.match(await textOf("#change-rows"), /ERROR: Vanished/)

    await scale("3")
    await untilText(".card .tally", /^since generation 3: 7 deleted$/)
    await untilText(".card .figures", /^3of 3 running$/)
    await untilText("#instances-count", /^3$/)
    const drawn = await page.$eval(".card path.running", (it) => it.getAttribute("d")!)
    assert.isAbove(drawn.split("V").length, 3, "it has gone up, and down")
    assert.match(await textOf("#moving-fleets"), /^(web: .*)?$/)
  })

  it("keeps what was written, and the focus, whatever is refused or comes meanwhile", async () => {
    const counts = (): Promise<ReadonlyArray<string>> => page.$$eval(".card .scaling input", valuesOf)
    const count = ".card[aria-labelledby=fleet-web] .scaling input"
    gateway.refuses = { status: 412, problem: { detail: "it is at another tag" } }
    await page.keyboard.press("s")
    await page.keyboard.type("5")
    await page.keyboard.press("Enter")
    await untilText(".card .said", /^it was changed meanwhile/)
    await put("another", 0)
    await vi.waitFor(async () => assert.deepStrictEqual(await fleetsShown(), ["another", "web"]), waiting)
    assert.deepStrictEqual(await counts(), ["0", "5"])
    await untilFocused(count)
    gateway.refuses = { status: 401, problem: { detail: "this key was revoked" } }
    await page.keyboard.press("Enter")
    await untilText("#sign-in-why", /^this key was revoked$/)
    await page.keyboard.sendCharacter(key)
    await page.keyboard.press("Enter")
    await untilDrawn()
    await vi.waitFor(async () => assert.deepStrictEqual(await counts(), ["0", "5"]), waiting)
    await page.focus(count)
    await page.keyboard.press("Escape")
    assert.deepStrictEqual(await counts(), ["0", "3"])
    assert.isTrue(complaints.splice(0).every((each) => / 4(12|01|00) /.test(each)))
  })

  it("deletes a fleet by d when its name is written, and not before", async () => {
    const card = ".card[aria-labelledby=fleet-another]"
    await page.focus(card)
    await page.keyboard.press("d")
    await untilFocused("#delete-name")
    assert.strictEqual(await textOf("#delete-head"), "Delete another?")
    assert.match(await textOf("#delete-why"), /This cannot be undone/)
    await page.keyboard.type("web")
    await page.keyboard.press("Enter")
    await untilText("#delete-said", /^Write another/)
    await page.keyboard.press("Escape")
    assert.isFalse(await isOpen("#delete"))
    await untilFocused(card)
    assert.notMatch(await textOf(`${card} .why`), /deleted/)

    await page.keyboard.press("d")
    await page.keyboard.type("another")
    await page.keyboard.press("Enter")
    await vi.waitFor(async () => assert.isFalse(await isOpen("#delete")), waiting)
    await vi.waitFor(async () => assert.deepStrictEqual(await fleetsShown(), ["web"]), waiting)
    await untilFocused("#fleets")
  })

  it("lists its keys under ?, which Escape closes, and does not take what is typed for shortcuts", async () => {
    await page.keyboard.press("Escape")
    await page.keyboard.type("?")
    await vi.waitFor(async () => assert.isTrue(await isOpen("#help")), waiting)
    assert.match(await textOf("#help-keys"), /\/find fleets and instances/)
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    await page.keyboard.type("web-2")
    await vi.waitFor(async () => assert.lengthOf(await page.$$("#instance-rows tr"), 1), waiting)
    await page.keyboard.press("Escape")
    await vi.waitFor(async () => assert.lengthOf(await page.$$("#instance-rows tr"), 3), waiting)
  })

  it("is gone through by Tab from the top, each stop seen and named", async () => {
    const stops: Array<string> = []
    await page.focus("a.skip")
    for (let nth = 0; nth < 60; nth++) {
      if (nth > 0) await page.keyboard.press("Tab")
      const stop = (await page.evaluate(stopHere)) as Stop | null
      if (stop === null) break
      assert.isTrue(stop.isSeen, stop.name)
      stops.push(stop.name)
    }
    const order = [
      "A Skip to the fleets",
      "INPUT project",
      "BUTTON theme",
      "INPUT find",
      "BUTTON create-open",
      "BUTTON −",
      "BUTTON +",
      "BUTTON Scale",
      "BUTTON Pause",
      "BUTTON Delete…"
    ]
    const places = order.map((name) => stops.indexOf(name))
    assert.notInclude(places, -1, stops.join(", "))
    assert.deepStrictEqual(
      places,
      places.toSorted((a, b) => a - b)
    )
    const roles = new Set([
      "button",
      "link",
      "textbox",
      "searchbox",
      "spinbutton",
      "checkbox",
      "combobox",
      "dialog",
      "image"
    ])
    const unnamed: Array<string> = []
    const visit = (it: { role: string; name?: string; children?: ReadonlyArray<never> }): void => {
      if (roles.has(it.role) && !it.name) unnamed.push(it.role)
      for (const child of it.children ?? []) visit(child)
    }
    visit((await page.accessibility.snapshot({ interestingOnly: true })) as never)
    assert.deepStrictEqual(unnamed, [])
  })

  it("is light or dark as the reader's system is, or as the reader says", async () => {
    const brightness = (): Promise<number> =>
      page.evaluate(
        `Number(getComputedStyle(document.documentElement).backgroundColor.match(/[0-9]+/)[0])`
      ) as Promise<number>
    await page.evaluate("document.activeElement.blur()")
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }])
    assert.isAbove(await brightness(), 200)
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }])
    assert.isBelow(await brightness(), 50)
    await page.keyboard.press("t")
    await untilText("#theme", /light/)
    assert.isAbove(await brightness(), 200)
    await page.keyboard.press("t")
    await page.keyboard.press("t")
    await untilText("#theme", /auto/)
  })

  it("fits a narrow screen", async () => {
    await page.setViewport({ width: 390, height: 844 })
    assert.isAtMost((await page.evaluate("document.documentElement.scrollWidth")) as number, 390)
    const top = (id: string): Promise<number> => page.$eval(id, (it) => it.getBoundingClientRect().top)
    assert.isBelow(await top("#moving"), await top("#instances"), "what is under way comes before the long list")
    await page.setViewport({ width: 1280, height: 800 })
  })

  it("has complained of nothing so far, and asked nobody but its node", () => {
    assert.deepStrictEqual([complaints, [...requested]], [[], [address]])
  })

  it("says that it is lost when it is cut, goes on from its tokens, and lists again when they are too old", async () => {
    gateway.cut()
    await untilText("#lost-text", /^Stream lost.* What is shown is \d+ s old\.$/)
    assert.match(await textOf("#health-text"), /^lost, /)
    await put("while-cut", 0)
    const before = gateway.streams.length
    await page.focus("#lost-retry")
    gateway.mend()
    await page.keyboard.press("Enter")
    await vi.waitFor(async () => assert.include(await fleetsShown(), "while-cut"), waiting)
    assert.isTrue(await page.$eval("#lost", (it) => (it as unknown as { hidden: boolean }).hidden))
    await untilFocused("#fleets")
    const resumed = gateway.streams.slice(before)
    assert.isNotEmpty(resumed)
    assert.isTrue(resumed.every(({ token }) => token !== undefined))

    gateway.forgets = true
    const since = gateway.streams.length
    await page.keyboard.press("r")
    await vi.waitFor(() => {
      const path = gateway.streams[since]?.path
      const [first, second] = gateway.streams.slice(since).filter((each) => each.path === path)
      assert.deepStrictEqual(
        [first?.token === undefined, second !== undefined, second?.token],
        [false, true, undefined]
      )
    }, waiting)
    await untilText("#health-text", /^live/)
    await vi.waitFor(async () => assert.includeMembers([...(await fleetsShown())], ["web", "while-cut"]), waiting)
    await untilText(".card .figures", /of 3 running$/)
  })

  it("shows what became of all wishes", async () => {
    await untilText(".card .figures", /^3of 3 running$/)
    await untilText(".card .why", /^stable$/)
    await untilText("#instances-count", /^3$/)
    await untilText("#moving-note", /^Everything is as it is wanted/)
    assert.deepStrictEqual(await fleetsShown(), ["web", "while-cut"])
    assert.match(
      (await page.$eval(".card svg", (it) => it.getAttribute("aria-label")))!,
      /3 instances running of 3 desired/
    )
  })

  it("pauses the fleet that has the focus with h, shows that it is left as it is, and resumes it", async () => {
    await page.evaluate("document.activeElement.blur()")
    await page.keyboard.press("h")
    assert.notMatch(await textOf(".card .said"), /pause/, "no fleet has the focus")
    await page.keyboard.press("j")
    gateway.refuses = { status: 429, problem: { detail: "admin has used its share" } }
    await page.keyboard.press("h")
    await untilText(".card .said", /^admin has used its share; sent again in 1 s$/)
    await untilText(".card .why", /^paused, for \d s$/)
    await untilText(".card .said", /^paused$/)
    await untilText("#moving-fleets", /^web: paused/)
    assert.strictEqual(await textOf(".card .pause"), "Resume")
    await page.keyboard.press("s")
    await page.keyboard.type("1")
    await page.keyboard.press("Enter")
    await untilText(".card .figures", /^3of 1 running$/)
    assert.match(await textOf(".card .why"), /^paused/, "scaling ends no pause")
    await page.keyboard.press("Escape")
    await page.keyboard.press("h")
    await untilText(".card .said", /^resumed$/)
    await untilText(".card .why", /^(?!paused)/)
    assert.strictEqual(await textOf(".card .pause"), "Pause")
  })

  it("shows who runs what, what was done, by whom, and how it was answered", async () => {
    await untilText("#instance-rows", /^web-\dRUNNINGlocal/)
    await untilText("#agent-rows", /^local[1-3]1\d s$/)
    await untilText("#audit-rows", /admin.*fleets\/put/)
    assert.isFalse(await page.$eval("#audit", (it) => (it as unknown as { hidden: boolean }).hidden))
  })

  it("keeps the key in this tab alone, and forgets it at signing out", async () => {
    const kept = (): Promise<readonly [string, string]> =>
      page.evaluate("[JSON.stringify(sessionStorage), JSON.stringify(localStorage) + document.cookie]") as Promise<
        readonly [string, string]
      >
    const [session, others] = await kept()
    assert.include(session, key)
    assert.notInclude(others, key)
    assert.isNotEmpty(await page.$$("#member-rows tr"))
    await page.click("#sign")
    await untilText("#health-text", /signed out/)
    assert.notInclude(await page.content(), key)
    assert.deepStrictEqual((await kept())[0], "{}")
    assert.lengthOf(await page.$$(".card, #member-rows tr, #audit-rows tr"), 0, "and shows nothing any more")
  })
})

/** Undefined: the embedded one, which takes longer to begin. */
async function databaseUrl(scope: Scope.Scope): Promise<string | undefined> {
  if (skipped()) return undefined
  const { database: name, host, password, port, username } = await Effect.runPromise(Scope.provide(database, scope))
  return `postgres://${username}:${Redacted.value(password) as string}@${host}:${port}/${name}`
}

/** For everything. */
async function keyOf(url: string | undefined, directory: string): Promise<string> {
  if (url === undefined) return Redacted.value(readKey(directory)!) as string
  const choice = chooseDatabase({ DATABASE_URL: url }, directory)
  return await firstKeyCommand({ choice, origin: "DATABASE_URL", isAgain: false, say: () => undefined })
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}
