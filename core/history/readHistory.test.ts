/** Histories as they are written, and what is wrong with some. */
import { assert, describe, it } from "@effect/vitest"
import { checkables } from "./checkables.ts"
import { pairRecords } from "./pairRecords.ts"
import { formatOf, readHistory } from "./readHistory.ts"

const ndjson = `
{"process":0,"type":"invoke","f":"write","value":1,"time":10}
{"process":"b","type":"invoke","f":"read"}
{"process":0,"type":"ok","f":"write","time":12}
{"process":"b","type":"ok","f":"read","value":1,"time":12}
`

const edn = `; as Jepsen writes it
{:process 0, :type :invoke, :f :write, :value 1, :time 10, :index 0}
#jepsen.history.Op{:process :nemesis, :type :info, :f :kill, :value nil}
{:process "b", :type :invoke, :f :read, :value nil}
{:process 0, :type :ok, :f :write, :value nil, :time 12} #_ {:process 9}
{:process "b", :type :ok, :f :read, :value 1,
 :time 12}`

const log = `INFO  jepsen.util - 0\t:invoke\t:write\t1
2016-01-02 03:04:05 INFO jepsen.util - b :invoke :read nil
0 :ok :write nil
INFO  jepsen.util - :nemesis :info :kill nil
INFO  jepsen.util - b\t:ok\t:read\t1`

const withoutLines = (text: string) => readHistory(text).map(({ line: _line, time: _time, ...rest }) => rest)

describe("reading a history", () => {
  it("gives the same records, whatever it was written in", () => {
    assert.deepStrictEqual([ndjson, edn, log].map(formatOf), ["ndjson", "edn", "log"])
    assert.deepStrictEqual(withoutLines(edn), withoutLines(ndjson))
    assert.deepStrictEqual(withoutLines(log), withoutLines(ndjson))
    assert.deepStrictEqual(readHistory(edn)[3], {
      line: 6,
      process: "b",
      type: "ok",
      f: "read",
      key: "",
      value: 1,
      time: 12
    })
  })

  it("looks through one vector around all records", () => {
    assert.deepStrictEqual(withoutLines(`[${edn}]`), withoutLines(edn))
  })

  it("reads the values of EDN", () => {
    const [{ value } = { value: null }] = readHistory(
      String.raw`{:process 0 :type :invoke :f :f :value [nil true -3 2.5 9007199254740993 "a\n\"b\"" :k #{2 1} {:x 1, "y" (1 2)} \space #inst "t"]}`
    )
    assert.deepStrictEqual(JSON.parse(JSON.stringify(value)), [
      null,
      true,
      -3,
      2.5,
      "9007199254740993",
      'a\n"b"',
      "k",
      [1, 2],
      { x: 1, y: [1, 2] },
      " ",
      "t"
    ])
  })

  it.each([ndjson.trimStart(), edn.trimStart(), log])("as an editor of Windows saves it is read the same: %#", (text) =>
    assert.deepStrictEqual(readHistory(`\uFEFF${text.replaceAll("\n", "\r\n")}`), readHistory(text))
  )

  const wrong: ReadonlyArray<readonly [what: string, text: string, said: string]> = [
    ["nothing", " \n", "line 1: there is nothing in it"],
    ["no history", "hello\n", "line 1: neither JSON, nor a map of EDN, nor a line such as"],
    ["a line of JSON that is cut off", ndjson.slice(0, -10), "line 5: cut off in the middle of the line"],
    ["a line that is no JSON", ndjson.replace('"read"}', '"read"'), "line 3: no JSON: "],
    ["EDN that is cut off", edn.slice(0, -5), "line 6: what begins here has no end"],
    ["a vector that is cut off", `[${edn}`, "line 1: what begins here has no end"],
    ["a line of a log that is none", `${log}\nsegfault`, "line 6: not of the form"],
    ["a record without its type", ndjson.replace('"type":"ok",', ""), "line 4: without type"],
    ["another type", ndjson.replace('"ok"', '"maybe"'), 'line 4: type "maybe"; there are invoke, ok, fail, info'],
    ["a time that is none", ndjson.replace(":10", ':"ten"'), 'line 2: time "ten" is no number'],
    ["an empty vector", "[]", "line 1: nothing in it is of a client"],
    ["what only the nemesis did", ":nemesis :info :kill nil", "line 1: nothing in it is of a client"],
    [
      "a text with half a character in it",
      String.raw`{:process 0 :type :invoke :f :write :value "\u00g1"}`,
      String.raw`line 1: a text with \u00g1 in it`
    ],
    [
      "EDN that goes down without end",
      `${edn}${"[".repeat(100_000)}`,
      "line 7: more than 500 values inside each other"
    ],
    [
      "JSON that goes down almost without end",
      ndjson.replace('"value":1', `"value":${"[".repeat(100_000)}${"]".repeat(100_000)}`),
      "more than 500 values inside each other"
    ]
  ]
  for (const [what, text, said] of wrong) {
    it(`refuses ${what}, with its line`, () => assert.throws(() => readHistory(text), said))
  }
})

describe("calls and answers", () => {
  const paired = (text: string) => pairRecords(readHistory(text))

  it("are put together, and what has no answer stays open", () => {
    assert.deepStrictEqual(
      paired(
        "0 :invoke :read nil\n1 :invoke :write 1\n0 :ok :read 1\n0 :invoke :read nil\n0 :info :read :timed-out\n0 :invoke :read nil"
      ).map(({ answer, call, called, returned }) => [call.process, called, returned, answer?.error]),
      [
        ["0", 0, 2, undefined],
        ["1", 1, Infinity, undefined],
        ["0", 3, Infinity, "timed-out"],
        ["0", 5, Infinity, undefined]
      ]
    )
  })

  const wrong: ReadonlyArray<readonly [what: string, text: string, said: string]> = [
    [
      "a process that does two things at a time",
      "0 :invoke :read nil\n0 :invoke :write 1",
      "line 2: process 0 calls write while its read of line 1 has no answer; one process does one thing at a time"
    ],
    [
      "an answer to nothing",
      "0 :ok :read 1",
      "line 1: process 0 is answered ok to read and has called nothing; is the beginning of the history missing?"
    ],
    [
      "an answer to something else",
      "0 :invoke :read nil\n0 :ok :write 1",
      "line 2: process 0 is answered to write, and had called read on line 1"
    ],
    [
      "a clock that goes backwards",
      ndjson.replace('"f":"read"}', '"f":"read","time":9}'),
      "line 3: the clock goes backwards: 9, after 10 on line 2"
    ]
  ]
  for (const [what, text, said] of wrong) it(`refuse ${what}`, () => assert.throws(() => paired(text), said))
})

/** The verdict on a history in lines of a log, and what cannot be explained in it. */
const judged = (name: string, text: string, options = {}): string => {
  const checkable = checkables.find((one) => one.name === name)!
  const judging = checkable.begin(pairRecords(readHistory(text)), options)
  const judgement = judging.advance(1_000_000)
  return judgement?._tag === "NotLinearizable" ? judgement.explanation[0]! : (judgement?._tag ?? "not decided")
}

/** One after the other: `f value answer`, each by a process of its own. */
const serial = (...calls: ReadonlyArray<string>): string =>
  calls
    .flatMap((call, at) => {
      const [, f, value, type, answer] = /^(\S+) (.*) -> (ok|fail|info) ?(.*)$/.exec(call)!
      return [`${at} :invoke :${f} ${value}`, `${at} :${type} :${f} ${answer === "" ? "nil" : answer}`]
    })
    .join("\n")

describe("models by name", () => {
  const cases: ReadonlyArray<readonly [model: string, story: string, calls: ReadonlyArray<string>, verdict: string]> = [
    ["register", "reads what was written", ["write 1 -> ok", "read nil -> ok 1"], "Linearizable"],
    [
      "register",
      "reads what was overwritten",
      ["write 1 -> ok", "write 2 -> ok", "read nil -> ok 1"],
      "No order explains read → 1  (process 2, lines 5 and 6)."
    ],
    [
      "register",
      "a write of unknown end may happen later",
      ["write 1 -> info", "read nil -> ok nil", "read nil -> ok 1"],
      "Linearizable"
    ],
    [
      "register",
      "a failed write did not happen",
      ["write 1 -> fail", "read nil -> ok 1"],
      "No order explains read → 1  (process 1, lines 3 and 4)."
    ],
    [
      "cas-register",
      "set where it matched",
      ["cas [nil 2] -> ok", "cas [1 3] -> fail", "read nil -> ok 2"],
      "Linearizable"
    ],
    [
      "cas-register",
      "refused though it matched",
      ["cas [nil 2] -> fail"],
      "No order explains compare null and set 2 → was something else  (process 0, lines 1 and 2)."
    ],
    ["cas-register", "timed out, and set all the same", ["cas [nil 2] -> info", "read nil -> ok 2"], "Linearizable"],
    ["cas-register", "failed for a reason of its own", ["cas [nil 2] -> fail :timed-out"], "Linearizable"],
    ["map", "deleted", ["put 1 -> ok", "delete nil -> ok", "get nil -> ok nil"], "Linearizable"],
    [
      "kv",
      "appended",
      ['get nil -> ok ""', 'append "a" -> ok', 'append "b" -> ok', 'get nil -> ok "ab"'],
      "Linearizable"
    ],
    ["counter", "added up", ["add 2 -> ok", "add-and-get -1 -> ok 1", "read nil -> ok 1"], "Linearizable"],
    [
      "counter",
      "an addition is lost",
      ["add 2 -> ok", "add-and-get 1 -> ok 1"],
      "No order explains add 1 → 1  (process 1, lines 3 and 4)."
    ],
    ["set", "all elements", ["add 1 -> ok", "add 2 -> ok", "remove 1 -> ok", "read nil -> ok #{2}"], "Linearizable"],
    [
      "set",
      "an element is lost",
      ["add 1 -> ok", "read nil -> ok []"],
      "No order explains read → []  (process 1, lines 3 and 4)."
    ],
    ["set", "it was there", ["add 1 -> ok", "add 1 -> fail", "has 1 -> ok true", "remove 2 -> fail"], "Linearizable"],
    [
      "queue",
      "first in, first out",
      ["enqueue 1 -> ok", "enqueue 2 -> ok", "dequeue nil -> ok 1", "dequeue nil -> ok 2", "dequeue nil -> fail"],
      "Linearizable"
    ],
    [
      "queue",
      "taken twice",
      ["enqueue 1 -> ok", "dequeue nil -> ok 1", "dequeue nil -> ok 1"],
      "No order explains dequeue → 1  (process 2, lines 5 and 6)."
    ],
    [
      "queue",
      "one that was taken by nobody knows whom",
      ["enqueue 1 -> ok", "dequeue nil -> info", "dequeue nil -> fail"],
      "Linearizable"
    ],
    [
      "lock",
      "given back",
      ["acquire nil -> ok 1", "use 1 -> ok", "release 1 -> ok", "acquire nil -> ok 2", "use 1 -> fail"],
      "Linearizable"
    ],
    [
      "lock",
      "two holders",
      ["acquire nil -> ok 1", "acquire nil -> ok 2"],
      "No order explains acquire → token 2  (process 1, lines 3 and 4)."
    ],
    [
      "lock",
      "refused though it is free",
      ["acquire nil -> fail"],
      "No order explains acquire → refused  (process 0, lines 1 and 2)."
    ],
    [
      "lock",
      "a token twice",
      ["acquire nil -> ok 1", "release 1 -> ok", "acquire nil -> ok 1"],
      "No order explains acquire → token 1  (process 2, lines 5 and 6)."
    ],
    [
      "lock",
      "a stale holder writes",
      ["acquire 5 -> ok 1", "acquire 5 -> ok 2", "use 1 -> ok"],
      "No order explains use 1 → accepted  (process 2, lines 5 and 6)."
    ]
  ]
  for (const [model, story, calls, verdict] of cases) {
    it(`${model}: ${story}`, () => assert.strictEqual(judged(model, serial(...calls)), verdict))
  }

  const record = (process: string, type: string, f: string, value: unknown, time: number) =>
    JSON.stringify({ process, type, f, value, time })

  it("lock: taken over when its time is over, and not before", () => {
    const history = (second: number) =>
      [
        record("a", "invoke", "acquire", 100, 0),
        record("a", "ok", "acquire", 1, 10),
        record("b", "invoke", "acquire", 100, second),
        record("b", "ok", "acquire", 2, second + 5)
      ].join("\n")
    assert.strictEqual(judged("lock", history(95)), "Linearizable")
    assert.match(judged("lock", history(94)), /^No order explains acquire for 100 → token 2/)
  })

  it("lock: a renewal puts off the end, by as much as before where it does not say", () => {
    const history = (renewal: unknown, takeOver: number) =>
      [
        record("a", "invoke", "acquire", 100, 0),
        record("a", "ok", "acquire", 1, 0),
        record("a", "invoke", "renew", renewal, 50),
        record("a", "ok", "renew", null, 50),
        record("b", "invoke", "acquire", 100, takeOver),
        record("b", "ok", "acquire", 2, takeOver)
      ].join("\n")
    assert.match(judged("lock", history(1, 149)), /^No order explains acquire/)
    assert.strictEqual(judged("lock", history(1, 150)), "Linearizable")
    assert.match(judged("lock", history([1, 200], 249)), /^No order explains acquire/)
    assert.strictEqual(judged("lock", history([1, 200], 250)), "Linearizable")
  })

  it("says of an unknown operation, and of a value that it cannot have, on which line it is", () => {
    assert.throws(
      () => judged("register", serial("read nil -> ok 1", "cas [1 2] -> ok")),
      "line 3: unknown operation cas; there are read, write"
    )
    assert.throws(
      () => judged("counter", serial("add one -> ok")),
      'line 1: add, answered on line 2: its value is a number, not "one"'
    )
    assert.throws(
      () => judged("cas-register", serial("cas 1 -> ok")),
      "line 1: cas, answered on line 2: its value is [from, to], not 1"
    )
  })

  it("judges each key by itself, or all of them as one", () => {
    const text = [
      '{:process 0 :type :invoke :f :write :key "x" :value 1}',
      '{:process 0 :type :ok :f :write :key "x" :value 1}',
      '{:process 1 :type :invoke :f :read :key "y" :value nil}',
      '{:process 1 :type :ok :f :read :key "y" :value 1}'
    ].join("\n")
    for (const isWhole of [false, true]) {
      assert.strictEqual(
        judged("register", text, { isWhole }),
        'No order explains "y": read → 1  (process 1, lines 3 and 4).'
      )
    }
  })
})
