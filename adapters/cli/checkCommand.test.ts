/** The command for people who have a history from elsewhere. */
import { writeFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { checkCommand, type CheckOptions } from "./checkCommand.ts"
import { commandLine } from "./CommandLine.fixture.ts"
import { UsageError } from "./Usage.ts"

const { at, stormglassIn } = commandLine()

const check = (text: string | undefined, ...args: ReadonlyArray<string>) => {
  if (text !== undefined) writeFileSync(at("history"), text)
  return stormglassIn({ input: text ?? "" }, "check", ...args)
}

const stale =
  "0 :invoke :write 1\n1 :invoke :write 2\n0 :ok :write 1\n1 :ok :write 2\n2 :invoke :read nil\n2 :ok :read 7\n"

/** So many writes at once, and a read of what nobody wrote. */
const hard = (writes: number): string =>
  [
    ...Array.from({ length: writes }, (_, at) => `${at} :invoke :write ${at}`),
    "r :invoke :read nil",
    "r :ok :read -1",
    ...Array.from({ length: writes }, (_, at) => `${at} :ok :write ${at}`)
  ].join("\n")

describe("check", { timeout: 60_000 }, () => {
  it("ends with 0 where one order explains every answer, and says how large the history is", () => {
    const { code, out } = check(
      "0 :invoke :write 1\n1 :invoke :read nil\n1 :ok :read 1\n",
      "history",
      "--model",
      "register"
    )
    assert.match(
      out,
      /^linearizable: history, as register: 2 operations, \d+ steps\n1 call has no answer, or none that says/
    )
    assert.strictEqual(code, 0)
  })

  it("ends with 1 where none does, and says in words what cannot be", () => {
    const { code, out } = check(stale, "-", "--model", "register")
    assert.deepStrictEqual(out.split("\n"), [
      "not linearizable: -, as register: 2 of 3 operations are explained up to lines 5 and 6",
      "No order explains read → 7  (process 2, lines 5 and 6).",
      "What was answered before it can be explained, by this order:",
      "  write 1  (process 0, lines 1 and 3)",
      "  write 2  (process 1, lines 2 and 4)",
      "Then the value is 2, and of what was called by then there is left:",
      "  read → 7  (process 2, lines 5 and 6): cannot be next",
      ""
    ])
    assert.strictEqual(code, 1)
  })

  it("prints one document with --json", () => {
    const { code, out } = check(stale, "history", "--model", "register", "--json")
    const { explanation, ...rest } = JSON.parse(out)
    assert.deepStrictEqual(rest, {
      file: "history",
      model: "register",
      format: "log",
      verdict: "not linearizable",
      operations: 3,
      steps: rest.steps,
      parts: 1,
      partsDone: 0,
      key: "",
      explained: 2,
      where: "lines 5 and 6"
    })
    assert.strictEqual(explanation.length, 6)
    assert.strictEqual(code, 1)
  })

  it("ends with 4 where time or memory did not suffice", () => {
    const late = check(hard(40), "history", "--model", "register", "--timeout", "0.1")
    assert.match(late.out, /^unknown: history, as register: undecided after 0\.1 s; 41 operations, \d+ steps\n$/)
    assert.strictEqual(late.code, 4)
    const full = check(hard(40), "history", "--model", "register", "--memory", "2", "--json")
    const { reason, verdict } = JSON.parse(full.out)
    assert.deepStrictEqual([verdict, reason], ["unknown", "the search needs more memory than 2 MB"])
    assert.strictEqual(full.code, 4)
  })

  it("judges transactions by isolation levels: the promised one, and the strongest that is kept", () => {
    const record = (process: number, type: string, value: unknown) => JSON.stringify({ process, type, f: "txn", value })
    const history = [
      record(0, "invoke", [
        ["r", "x", null],
        ["append", "y", 1]
      ]),
      record(1, "invoke", [
        ["r", "y", null],
        ["append", "x", 1]
      ]),
      record(0, "ok", [
        ["r", "x", []],
        ["append", "y", 1]
      ]),
      record(1, "ok", [
        ["read", "y", null],
        ["append", "x", 1]
      ]),
      record(2, "invoke", [
        ["r", "x", null],
        ["r", "y", null]
      ]),
      record(2, "ok", [
        ["r", "x", [1]],
        ["r", "y", [1]]
      ])
    ].join("\n")
    const broken = check(history, "history", "--model", "list-append")
    assert.deepStrictEqual(broken.out.split("\n"), [
      "serializable is broken: history, as list-append: 3 transactions, 4 dependencies; repeatable read is kept",
      "G2-item: T1 T2",
      "  T1 came before T2: T1 read x as empty, and T2 appended 1 next.",
      "  T2 came before T1: T2 read y as empty, and T1 appended 1 next.",
      "  So T1 would have come before itself.",
      ""
    ])
    assert.strictEqual(broken.code, 1)
    const kept = check(history, "history", "--model", "list-append", "--level", "repeatable-read", "--json")
    const { anomalies, level, verdict } = JSON.parse(kept.out)
    assert.deepStrictEqual([level, verdict, anomalies.length], ["repeatable read", "kept", 1])
    assert.strictEqual(kept.code, 0)
  })

  it("says in one line what is wrong, and ends with 2", () => {
    const { code, err, out } = check(stale, "history", "--model", "registr")
    assert.deepStrictEqual([code, out], [2, ""])
    assert.match(
      err,
      /^stormglass: --model: there is no model "registr"; did you mean "register"\?; there are register, [^\n]*\n$/
    )
  })
})

describe("check refuses", () => {
  const cases: ReadonlyArray<readonly [text: string | undefined, options: Partial<CheckOptions>, said: RegExp]> = [
    [undefined, {}, /check \S+: cannot read it: .*no such file/],
    ["\n", {}, /check \S+: line 1: there is nothing in it/],
    [`${stale}3 :ok :read 1`, {}, /check \S+: line 7: process 3 is answered ok to read and has called nothing/],
    [stale, { model: "queue" }, /check \S+: line 1: unknown operation write; there are enqueue, dequeue/],
    [stale, { level: "serializable" }, /--level: only with --model list-append/],
    [stale, { model: "list-append", isWhole: true }, /--whole: transactions are always judged as a whole/],
    [stale, { model: "list-append" }, /check \S+: line 1: unknown operation write; there is txn/],
    ["0 :invoke :txn [[:r 1 nil] [:pop 1 2]]", { model: "list-append" }, /: line 1: txn: \["pop",1,2\] is neither/],
    ...(
      [
        ["[[:append :x 2]]", String.raw`\["append","x",2\] where \["append","x",1\] was asked for`],
        ["[[:append :y 1]]", String.raw`\["append","y",1\] where`],
        ["[[:r :x [1]]]", String.raw`\["r","x",\[1\]\] where`],
        ["[[:append :x 1] [:append :x 2]]", "2 operations, not 1"]
      ] as const
    ).map(
      ([answer, what]) =>
        [
          `0 :invoke :txn [[:append :x 1]]\n0 :ok :txn ${answer}`,
          { model: "list-append" },
          new RegExp(`: line 2: txn: it answers another transaction than was called on line 1: ${what}`)
        ] as const
    ),
    [
      "0 :invoke :txn [[:r :x [1]]]\n0 :ok :txn [[:r :x [1 2]]]",
      { model: "list-append" },
      /: line 2: txn: .*: \["r","x",\[1,2\]\] where \["r","x",\[1\]\] was asked for/
    ],
    ["0 :invoke :txn nil\n0 :ok :txn [[:r :x nil]]", { model: "list-append" }, /: line 1: txn: its value is a list/],
    [stale, { format: "ndjson" }, /check \S+: line 1: no JSON/],
    [
      stale,
      { model: "list-append", memoryMegabytes: 64 },
      /--memory: not with --model list-append, .*; give --timeout$/
    ],
    [stale, { memoryMegabytes: 0 }, /--memory: 0 is less than a megabyte/]
  ]
  for (const [text, options, said] of cases) {
    it(String(said), async () => {
      const file = at("history")
      if (text !== undefined) writeFileSync(file, text)
      const error = await checkCommand({ ...plain, file, ...options }).catch((error: unknown) => error)
      assert.instanceOf(error, UsageError)
      assert.match(error.message, said)
      assert.notInclude(error.message, "\n")
    })
  }
})

const plain: Omit<CheckOptions, "file"> = {
  model: "register",
  format: undefined,
  isWhole: false,
  level: undefined,
  timeoutMillis: undefined,
  memoryMegabytes: undefined,
  isJson: false,
  isStopped: () => false
}
