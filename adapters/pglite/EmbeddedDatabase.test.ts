import * as PgConnection from "@effect/sql-pg/PgConnection"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import crypto from "node:crypto"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { createInterface } from "node:readline"
import { announce, chooseDatabase } from "./chooseDatabase.ts"
import * as Claims from "./Claims.ts"
import * as DataDirectory from "./DataDirectory.ts"
import * as EmbeddedDatabase from "./EmbeddedDatabase.ts"
import { majorVersion } from "./Pglite.ts"
import * as Processes from "./Processes.ts"

const fixture = path.join(import.meta.dirname, "Writer.fixture.ts")

/** A directory of one's own, and everything beside it, gone with the scope. */
const place = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "stormglass-pglite-"))),
    (parent) => Effect.sync(() => fs.rmSync(parent, { recursive: true, force: true }))
  ),
  (parent) => path.join(parent, "data")
)

/** Another process that has the directory open and writes one row after another; says each that is committed. */
const writer = (directory: string) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<{ readonly child: ChildProcess; readonly said: ReadonlyArray<number> }>((resolve, reject) => {
          const child = spawn(process.execPath, [fixture, directory], { stdio: ["ignore", "pipe", "inherit"] })
          const said: Array<number> = []
          createInterface({ input: child.stdout }).on("line", (line) => {
            said.push(Number(line))
            if (said.length === 20) resolve({ child, said })
          })
          child.on("exit", () => reject(new Error("the writer ended")))
        })
    ),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

const ended = (child: ChildProcess) => Effect.promise(() => new Promise((resolve) => child.once("exit", resolve)))

const query = (directory: string, text: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { connection } = yield* EmbeddedDatabase.make({ directory })
      const session = yield* PgConnection.make(connection)
      return yield* session.queryValues(text)
    })
  )

const refusal = (directory: string) =>
  Effect.map(Effect.flip(Effect.scoped(DataDirectory.acquire(directory))), ({ message }) => message)

const draftsBeside = (directory: string) =>
  fs.readdirSync(path.dirname(directory)).filter((name) => name.startsWith("data.draft."))

/** Every file below, with what is in it. */
const pictureOf = (directory: string): ReadonlyArray<string> =>
  filesBelow(directory).map((file) => `${file} ${crypto.hash("sha256", fs.readFileSync(file))}`)

/** Every file below, and when it was written; a tenth of the time that its content takes. */
const touchesOf = (directory: string): ReadonlyArray<string> =>
  filesBelow(directory).map((file) => {
    const { ctimeMs, ino, mtimeMs, size } = fs.statSync(file)
    return [file, ino, size, mtimeMs, ctimeMs].join(" ")
  })

const filesBelow = (directory: string): ReadonlyArray<string> =>
  fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .toSorted()

/** Why nothing can be mounted here; undefined where it can. */
const noMounts = (() => {
  const { status } = spawnSync("unshare", ["-rm", "sh", "-c", 'mount -t tmpfs none "$1"', "sh", os.tmpdir()])
  return status === 0 ? undefined : "a namespace of its own with a mount in it cannot be had"
})()
if (noMounts !== undefined) console.warn(`skipped: ${noMounts}`)

describe("an embedded database in a directory", () => {
  it.live(
    "keeps what was committed when its process is killed, and is locked while that lives",
    () =>
      Effect.gen(function* () {
        const directory = yield* place
        const { child, said } = yield* writer(directory)
        assert.strictEqual(
          yield* refusal(directory),
          `${directory}: process ${child.pid} has it open: end that one, or name another directory`
        )
        const gone = ended(child)
        child.kill("SIGKILL")
        yield* gone
        const [[count, maximum, version] = []] = yield* query(
          directory,
          "select count(*)::int, max(id), current_setting('server_version_num')::int / 10000 from written"
        )
        assert.isAtLeast(count as number, said.length, "no committed row is lost")
        assert.strictEqual(count, maximum, "and none is half there")
        assert.strictEqual(version, majorVersion)
        assert.deepStrictEqual(fs.readdirSync(path.dirname(directory)), ["data"], "the lock is gone with its owner")
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "is not left half made and unlocked when whoever makes it is interrupted",
    () =>
      Effect.gen(function* () {
        const directory = yield* place
        const making = yield* Effect.forkChild(Effect.scoped(EmbeddedDatabase.make({ directory })))
        yield* Effect.repeat(
          Effect.sync(() => draftsBeside(directory).length),
          { until: (count) => count === 1, schedule: Schedule.spaced(5), times: 6_000 }
        )
        yield* Fiber.interrupt(making)
        assert.deepStrictEqual(fs.readdirSync(path.dirname(directory)), ["data"], "neither a draft nor a lock")
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "is made without a touch to what lies beside it, drafts apart whose makers are dead",
    () =>
      Effect.gen(function* () {
        const directory = yield* place
        const { pid } = spawnSync(process.execPath, ["--version"])
        const dead = `data.draft.${Claims.nameOf({ pid, began: "", token: "a" })}`
        const living = `data.draft.${Claims.nameOf({ pid: process.pid, began: "", token: "a" })}`
        const others = ["data.new", "data.draft.mine", living]
        for (const name of [dead, ...others]) {
          fs.mkdirSync(path.join(path.dirname(directory), name))
          fs.writeFileSync(path.join(path.dirname(directory), name, "precious.txt"), "years of work")
        }
        yield* Effect.scoped(EmbeddedDatabase.make({ directory }))
        assert.sameMembers(fs.readdirSync(path.dirname(directory)), ["data", ...others])
        for (const name of others)
          assert.isTrue(fs.existsSync(path.join(path.dirname(directory), name, "precious.txt")), name)
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "is refused when something has come into its directory meanwhile, which stays; the draft does not",
    () =>
      Effect.gen(function* () {
        const directory = yield* place
        fs.mkdirSync(directory)
        const making = yield* Effect.forkChild(Effect.flip(Effect.scoped(EmbeddedDatabase.make({ directory }))))
        yield* Effect.repeat(
          Effect.sync(() => draftsBeside(directory).length),
          { until: (count) => count === 1, schedule: Schedule.spaced(1), times: 30_000 }
        )
        fs.writeFileSync(path.join(directory, "thesis.txt"), "years of work")
        assert.match((yield* Fiber.join(making)).message, /data: it cannot be used: ENOTEMPTY[^\n]+$/)
        assert.deepStrictEqual(fs.readdirSync(path.dirname(directory)), ["data"])
        assert.deepStrictEqual(fs.readdirSync(directory), ["thesis.txt"])
      }).pipe(Effect.scoped),
    60_000
  )

  it.live.skipIf(noMounts !== undefined)(
    "is not put in the place of an empty mount point, as of a new volume: refused in one line, and nothing is left",
    () =>
      Effect.gen(function* () {
        const directory = yield* place
        fs.mkdirSync(directory)
        const script = 'mount -t tmpfs none "$1"; shift; exec "$@"'
        const inside = ["sh", directory, process.execPath, fixture, directory]
        const { stderr } = spawnSync("unshare", ["-rm", "sh", "-c", script, ...inside], { encoding: "utf8" })
        assert.match(
          stderr,
          /data: it is empty, and no database can be put in its place \(EBUSY[^\n]+\): name a directory inside of it\n/
        )
        assert.deepStrictEqual(fs.readdirSync(path.dirname(directory)), ["data"])
      }).pipe(Effect.scoped),
    60_000
  )
})

/** A database that was closed in order: made once. */
const parent = path.join(os.tmpdir(), `stormglass-pglite-${process.pid}`)
const intact = path.join(parent, "intact")
beforeAll(() => Effect.runPromise(Effect.scoped(EmbeddedDatabase.make({ directory: intact }))), 60_000)
afterAll(() => fs.rmSync(parent, { recursive: true, force: true }))

describe("a damaged database", () => {
  const wal = "pg_wal/000000010000000000000001"
  const damages: Readonly<Record<string, readonly [damage: (file: (name: string) => string) => void, said: RegExp]>> = {
    "a control file that is gone": [(file) => fs.rmSync(file("global/pg_control")), /global\/pg_control is missing/],
    "a control file cut short": [
      (file) => fs.truncateSync(file("global/pg_control"), 100),
      /global\/pg_control is cut short/
    ],
    "a control file of zeros": [
      (file) => fs.writeFileSync(file("global/pg_control"), new Uint8Array(8192)),
      /global\/pg_control is not what was written/
    ],
    "a version without a number": [(file) => fs.truncateSync(file("PG_VERSION")), /PG_VERSION names no version/],
    "nothing but its version": [
      (file) => {
        for (const name of fs.readdirSync(file(".")))
          if (name !== "PG_VERSION") fs.rmSync(file(name), { recursive: true })
      },
      /global\/pg_control is missing/
    ],
    "no log": [(file) => fs.rmSync(file(wal)), /pg_wal\/0{7}10{15}1 is missing/],
    "a log of zeros": [
      (file) => fs.writeFileSync(file(wal), new Uint8Array(16 * 1024 * 1024)),
      /pg_wal\/\w+ is not the log of this database/
    ],
    "a log cut short": [(file) => fs.truncateSync(file(wal), 5_000_000), /pg_wal\/\w+ is cut short/],
    "no databases": [(file) => fs.rmSync(file("base"), { recursive: true }), /base\/1\/PG_VERSION is missing/],
    "no map of its catalogs": [
      (file) => fs.rmSync(file("base/5/pg_filenode.map")),
      /base\/5\/pg_filenode.map is missing/
    ],
    "a catalog that is gone": [(file) => fs.rmSync(file("base/5/1259")), /base\/5\/1259 is missing/],
    "a catalog cut short": [(file) => fs.truncateSync(file("base/5/1259"), 100), /base\/5\/1259 is cut short/],
    "no list of databases": [(file) => fs.truncateSync(file("global/1262")), /global\/1262 is cut short/],
    "no settings": [(file) => fs.rmSync(file("postgresql.conf")), /postgresql.conf is missing/],
    "no outcomes of transactions": [
      (file) => fs.rmSync(file("pg_xact"), { recursive: true }),
      /pg_xact is missing or empty/
    ]
  }
  for (const [title, [damage, said]] of Object.entries(damages)) {
    it.live(`is refused in one line and not touched: ${title}`, () =>
      Effect.gen(function* () {
        const directory = yield* place
        fs.cpSync(intact, directory, { recursive: true })
        damage((name) => path.join(directory, name))
        const before = touchesOf(path.dirname(directory))
        const { message } = yield* Effect.flip(Effect.scoped(EmbeddedDatabase.make({ directory })))
        assert.isTrue(message.startsWith(`${directory}: its data are damaged: `), message)
        assert.match(message, said)
        assert.match(message, /; put back a copy of the directory, or name another one$/)
        assert.notInclude(message, "\n")
        assert.deepStrictEqual(touchesOf(path.dirname(directory)), before)
      }).pipe(Effect.scoped)
    )
  }

  it.live("that only PGlite finds damaged is refused in one line: settings that are none", () =>
    Effect.gen(function* () {
      const directory = yield* place
      fs.cpSync(intact, directory, { recursive: true })
      fs.writeFileSync(path.join(directory, "postgresql.conf"), "no = such = thing")
      const before = pictureOf(path.dirname(directory))
      const { message } = yield* Effect.flip(Effect.scoped(EmbeddedDatabase.make({ directory })))
      assert.match(message, /: its data are damaged: PGlite cannot open them \([^\n]+\); put back a copy/)
      assert.deepStrictEqual(pictureOf(path.dirname(directory)), before)
    }).pipe(Effect.scoped)
  )
})

describe("a database that fails while it is open", () => {
  it.live(
    "tells its connections, and its cause is in the log; what was committed is there when it is opened again",
    () =>
      Effect.gen(function* () {
        const directory = yield* place
        fs.cpSync(intact, directory, { recursive: true })
        const logged: Array<string> = []
        const logger = Logger.make(({ cause, logLevel, message }) => {
          if (logLevel === "Error") logged.push(`${String(message)} ${Cause.pretty(cause)}`)
        })
        const log = path.join(directory, "pg_wal")
        const failing = Effect.gen(function* () {
          const { connection } = yield* EmbeddedDatabase.make({ directory })
          const [first, second] = [yield* PgConnection.make(connection), yield* PgConnection.make(connection)]
          yield* first.query("create table kept as select 1 as id")
          yield* first.query("checkpoint")
          fs.renameSync(log, `${log}.gone`)
          yield* first.query("select pg_switch_wal()::text")
          // Postgres panics: there is no place for the next piece of its log.
          yield* Effect.flip(first.query("insert into kept values (2)"))
          yield* Effect.flip(second.query("select 1"))
        })
        yield* Effect.provide(Effect.scoped(failing), Logger.layer([logger]))
        assert.lengthOf(logged, 1)
        assert.match(
          logged[0]!,
          /^the embedded database has failed: close it, .*Error: could not create file "pg_wal\//s
        )
        fs.renameSync(`${log}.gone`, log)
        assert.deepStrictEqual(yield* query(directory, "select id from kept"), [[1]])
      }).pipe(Effect.scoped)
  )
})

describe("the directory of a database", () => {
  const acquire = (directory: string) =>
    Effect.map(Effect.scoped(DataDirectory.acquire(directory)), ({ contents }) => contents)
  /** A claim of this process, unless the parameters say otherwise. */
  const claim = (
    directory: string,
    { began, pid = process.pid, token }: { began?: string; pid?: number; token: string }
  ) => {
    const found = Processes.find(process.pid)
    const own = found._tag === "Somebody" ? found.began : assert.fail("this process lives")
    const file = `${directory}.lock.${Claims.nameOf({ pid, began: began ?? own, token })}`
    fs.writeFileSync(file, "")
    return file
  }
  const claimsBeside = (directory: string) =>
    fs.readdirSync(path.dirname(directory)).filter((name) => name.startsWith("data.lock."))

  it.effect("is new when it is missing or empty", () =>
    Effect.gen(function* () {
      const directory = yield* place
      assert.strictEqual(yield* acquire(directory), "nothing yet")
      fs.mkdirSync(directory)
      assert.strictEqual(yield* acquire(directory), "nothing yet")
    }).pipe(Effect.scoped)
  )

  it.effect("is refused when its data are of another major version, and not touched", () =>
    Effect.gen(function* () {
      const directory = yield* place
      fs.mkdirSync(directory)
      fs.writeFileSync(path.join(directory, "PG_VERSION"), "16\n")
      const before = pictureOf(path.dirname(directory))
      assert.strictEqual(
        yield* refusal(directory),
        `${directory}: its data are of Postgres 16, and this is 18: dump them with 16, or name another directory`
      )
      assert.deepStrictEqual(pictureOf(path.dirname(directory)), before)
    }).pipe(Effect.scoped)
  )

  it.effect("is refused when it holds something else, or is a file, and not touched", () =>
    Effect.gen(function* () {
      const directory = yield* place
      fs.mkdirSync(directory)
      const file = path.join(directory, "thesis.txt")
      fs.writeFileSync(file, "years of work")
      const before = pictureOf(path.dirname(directory))
      assert.match(yield* refusal(directory), /: it holds something else than a database: name another directory/)
      assert.match(yield* refusal(file), /: it is not a directory$/)
      assert.deepStrictEqual(pictureOf(path.dirname(directory)), before)
    }).pipe(Effect.scoped)
  )

  it.live("whose owner is dead is taken over, and of its claims nothing is left", () =>
    Effect.gen(function* () {
      const directory = yield* place
      const { pid } = spawnSync(process.execPath, ["--version"])
      claim(directory, { pid, token: "a" })
      // The process id lives again as another's: since a restart of the machine, perhaps.
      claim(directory, { began: "long ago", token: "b" })
      assert.strictEqual(yield* acquire(directory), "nothing yet")
      assert.deepStrictEqual(claimsBeside(directory), [])
    }).pipe(Effect.scoped)
  )

  it.live("is refused while another has it, whichever name comes first, and the other's claim stays", () =>
    Effect.gen(function* () {
      const directory = yield* place
      for (const token of ["0", "zz"]) {
        const other = claim(directory, { token })
        const refused = `${directory}: process ${process.pid} has it open: end that one, or name another directory`
        assert.strictEqual(yield* refusal(directory), refused)
        assert.deepStrictEqual(claimsBeside(directory), [path.basename(other)])
        fs.rmSync(other)
      }
      // Where the system does not say when a process began, its id alone must do.
      const unclear = claim(directory, { began: "", token: "0" })
      assert.include(yield* refusal(directory), `(if that is another program, remove ${fs.realpathSync(unclear)})`)
    }).pipe(Effect.scoped)
  )

  it.live("is one and the same by every link that leads to it", () =>
    Effect.gen(function* () {
      const directory = yield* place
      fs.mkdirSync(directory)
      fs.symlinkSync(directory, `${directory}.link`)
      yield* DataDirectory.acquire(directory)
      assert.match(yield* refusal(`${directory}.link`), new RegExp(`process ${process.pid} has it open`))
    }).pipe(Effect.scoped)
  )

  it.live("is not opened twice in one process either", () =>
    Effect.gen(function* () {
      const directory = yield* place
      yield* DataDirectory.acquire(directory)
      assert.match(yield* refusal(directory), new RegExp(`process ${process.pid} has it open`))
    }).pipe(Effect.scoped)
  )

  const versions = [
    ["18", /^a database$/],
    ["16", /: its data are of Postgres 16, and this is 18/]
  ] as const
  for (const [version, expected] of versions) {
    it.live(`is looked at again behind the lock: another has made data of version ${version} meanwhile`, () =>
      Effect.gen(function* () {
        const directory = yield* place
        const other = claim(directory, { token: "zz" })
        const waiting = yield* Effect.forkChild(
          Effect.match(acquire(directory), { onFailure: ({ message }) => message, onSuccess: (contents) => contents })
        )
        yield* Effect.repeat(
          Effect.sync(() => claimsBeside(directory).length),
          { until: (count) => count === 2, schedule: Schedule.spaced(1), times: 1_000 }
        )
        fs.cpSync(intact, directory, { recursive: true })
        fs.writeFileSync(path.join(directory, "PG_VERSION"), version)
        fs.rmSync(other)
        assert.match(yield* Fiber.join(waiting), expected)
        assert.deepStrictEqual(claimsBeside(directory), [])
      }).pipe(Effect.scoped)
    )
  }
})

describe("a process", () => {
  it("is found with when it began, the same each time it is asked about", () => {
    const found = Processes.find(process.pid)
    assert.deepStrictEqual(Processes.find(process.pid), found)
    assert.match(found._tag === "Somebody" ? found.began : "", /\S/)
    const { pid } = spawnSync(process.execPath, ["--version"])
    assert.deepStrictEqual(Processes.find(pid), { _tag: "Nobody" })
  })

  it("is told from one before a restart of the machine that began as long after its start", () => {
    const stat = "4711 (a name) (of) R) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 1234 20"
    const before = Processes.foundIn(stat, "first-boot\n")
    assert.deepStrictEqual(before, { _tag: "Somebody", began: "first-boot-1234" })
    assert.isFalse(Processes.isSame("first-boot-1234", Processes.foundIn(stat, "second-boot\n")))
    assert.isTrue(Processes.isSame("first-boot-1234", before))
  })

  it("that is dead and not yet asked for by its parent is nobody, whoever tells", () => {
    assert.deepStrictEqual(Processes.foundIn("4711 (node) Z 1 2", "boot"), { _tag: "Nobody" })
    assert.deepStrictEqual(Processes.foundByPs("Z+   Mon Nov 21 13:01:44 2026\n"), { _tag: "Nobody" })
    assert.deepStrictEqual(Processes.foundByPs("Ss   Mon Nov 21 13:01:44 2026    \n"), {
      _tag: "Somebody",
      began: "Mon Nov 21 13:01:44 2026"
    })
  })

  it("counts as alive where nothing is known about when it began", () => {
    const unknown = { _tag: "Somebody", began: "" } as const
    assert.isTrue(Processes.isSame("boot-1", unknown))
    assert.isTrue(Processes.isSame("", { _tag: "Somebody", began: "boot-1" }))
    assert.isFalse(Processes.isSame("", { _tag: "Nobody" }))
  })
})

describe("which database", () => {
  it("is the server that DATABASE_URL names, whose password is not said", () => {
    const choice = chooseDatabase({ DATABASE_URL: "postgres://me:secret@db/app" }, "./data")
    assert.deepStrictEqual(choice, { _tag: "Server", url: Redacted.make("postgres://me:secret@db/app") })
    assert.strictEqual(announce(choice), "database: the server that DATABASE_URL names")
  })

  it("is the embedded one where there is no DATABASE_URL, said in one line", () => {
    for (const environment of [{}, { DATABASE_URL: "" }, { DATABASE_URL: " " }]) {
      const choice = chooseDatabase(environment, "./data")
      assert.deepStrictEqual(choice, { _tag: "Embedded", directory: "./data" })
      assert.strictEqual(
        announce(choice),
        "database: embedded (PGlite) in ./data, for this process alone; set DATABASE_URL to use a server"
      )
    }
  })
})
