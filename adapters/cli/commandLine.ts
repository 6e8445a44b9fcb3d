/**
 * The command line: every command, and what ends it (`exitCodes.ts`).
 */
import { closeSync, openSync, writeFileSync } from "node:fs"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import { catalogue } from "../../scenarios/catalogue.ts"
import { mutants } from "../../scenarios/mutants/catalogue.ts"
import type { Mutant } from "../../scenarios/mutants/Mutant.ts"
import * as FailureFile from "../../reports/FailureFile.ts"
import * as FailureScreen from "../../reports/FailureScreen.ts"
import * as Timeline from "../../reports/Timeline.ts"
import { type SearchName, searchNames, searchStrategies } from "../../sim/search/strategies.ts"
import { strategyNames, type StrategyName } from "../../sim/kernel/Schedule.ts"
import { faultKinds } from "../../sim/nemesis/faultKinds.ts"
import { type DatabaseName, databaseNames } from "../../sim/storage/Databases.ts"
import { isFailure, type RunRequest, type RunResult } from "../../sim/run/Verdict.ts"
import { checkables } from "../../core/history/checkables.ts"
import { historyFormats } from "../../core/history/readHistory.ts"
import { mergeCommand } from "./campaign/mergeCommand.ts"
import { checkCommand } from "./checkCommand.ts"
import { compareCommand } from "./compareCommand.ts"
import { isolationModel, levelNames } from "./judgeIsolation.ts"
import { configFlag, readConfig } from "./config/readConfig.ts"
import { databaseSettings, flagsOf } from "./config/settings.ts"
import { choiceArgument } from "./choiceArgument.ts"
import { declaredMarks } from "./declaredMarks.ts"
import { determinism, isChild, printDigests } from "./determinism.ts"
import { exitCodeLines, exitCodeOf } from "./exitCodes.ts"
import { HelpSection } from "./HelpSection.ts"
import { paint } from "./Output.ts"
import { cluster } from "./clusterCommands.ts"
import { choiceOf } from "./openDatabase.ts"
import { audit, keys } from "./keysCommands.ts"
import { operateCommands } from "./operateCommands.ts"
import { remoteFlags, remoteOf } from "./remote/remoteFlags.ts"
import { proveCommand } from "./proveCommand.ts"
import { attempt } from "./runCommand.ts"
import { shrinkCommand } from "./shrinkCommand.ts"
import { migrateCommand } from "./migrateCommand.ts"
import { type MutantRow, mutantLine, mutantRow, whyNot } from "./mutantRow.ts"
import { reasonOf } from "../../reports/saveFailure.ts"
import * as Session from "./Session.ts"
import { neutralMutants } from "../../scenarios/mutants/neutral.ts"
import { shrunkHead, shrunkLine, type ShrunkRow, shrunkRow } from "./shrunkRow.ts"
import { jobsDefault } from "./Sweep.ts"
import { searchCommand } from "./searchCommand.ts"
import { tryStrategy, trialHead, trialLine, type Trial, worthLines, worthOf } from "./strategyTable.ts"
import { sweepCommand } from "./sweepCommand.ts"
import { durationMicros, parseSeed, patienceMillis, requireJobs, seedOfEnvironment, UsageError } from "./Usage.ts"

const json = Flag.Boolean("json").pipe(
  Flag.withDescription("One JSON document on standard output"),
  Flag.withDefault(false)
)
const scenarios = Argument.String("scenario").pipe(
  Argument.withDescription("A name from `list scenarios`, or a file that exports one. Default: all of the catalogue"),
  Argument.variadic()
)
const strategy = Flag.Literals("strategy", strategyNames).pipe(
  Flag.withDescription("Which runnable task goes first, and where fibers are preempted"),
  Flag.withDefault("random" as const)
)
const storageFlag = Flag.Literals("storage", databaseNames)
const storageDescription = "What the database is: the model, or production SQL on PGlite"
const storage = storageFlag.pipe(Flag.withDescription(storageDescription), Flag.withDefault("model" as const))
const mutant = Flag.String("mutant").pipe(
  Flag.withDescription("Plant a bug: a name from `list mutants`, or a file"),
  Flag.optional
)
const plan = Flag.String("plan").pipe(
  Flag.withDescription("A file with the faults of every run, instead of those of the seed: a plan, or a saved failure"),
  Flag.optional
)
const seed = Flag.String("seed").pipe(
  Flag.withDescription("One seed: a number, or a word of letters, digits and _ . : -"),
  Flag.optional
)
const patience = Flag.String("patience").pipe(
  Flag.withDescription("Host time after which a run that does not come back is ended: 60s, the default"),
  Flag.optional
)
const jobs = Flag.Int("jobs").pipe(Flag.withDescription("Worker threads"), Flag.withDefault(jobsDefault()))

/** Between the first seeds of two trials: more than any of them comes to. */
const seedsApart = 10_000

/** What a command says with its exit code. */
export const state = { exitCode: 0, isStopped: false, stopSignal: undefined as "SIGINT" | "SIGTERM" | undefined }

const run = Command.make(
  "run",
  {
    scenarios,
    seeds: Flag.String("seeds").pipe(
      Flag.withDescription("How many, or a range: 20, 5..9; at most a million runs"),
      Flag.optional
    ),
    seed,
    jobs,
    budget: Flag.String("budget").pipe(Flag.withDescription("No run begins after this: 60s"), Flag.optional),
    minEffects: Flag.Int("min-effects").pipe(
      Flag.withDescription("Fail unless every kind of fault changed something so often"),
      Flag.withDefault(0)
    ),
    mutant,
    plan,
    strategy,
    storage,
    store: Flag.String("store").pipe(
      Flag.withDescription(
        "Keep every run in this file, and run only those that are not in it; also with a mutant, all"
      ),
      Flag.optional
    ),
    shard: Flag.String("shard").pipe(
      Flag.withDescription("Only this part of the runs, as 1/2 and 2/2, for several machines: see `merge`"),
      Flag.optional
    ),
    noShrink: Flag.Boolean("no-shrink").pipe(
      Flag.withDescription("Show failures as they were found, and do not make them small"),
      Flag.withDefault(false)
    ),
    patience,
    json
  },
  (options) =>
    attempt(async () => {
      state.exitCode = await sweepCommand({
        ...options,
        seeds: Option.getOrUndefined(options.seeds),
        seed: Option.getOrUndefined(options.seed),
        budget: Option.getOrUndefined(options.budget),
        mutant: Option.getOrUndefined(options.mutant),
        plan: Option.getOrUndefined(options.plan),
        store: Option.getOrUndefined(options.store),
        shard: Option.getOrUndefined(options.shard),
        patience: Option.getOrUndefined(options.patience),
        isStopped: () => state.isStopped,
        stopSignal: () => state.stopSignal,
        print
      })
    })
).pipe(
  Command.withDescription("Run scenarios over seeds, and show what fails"),
  Command.withExamples([
    { command: "stormglass run", description: "every scenario, a few seeds each" },
    { command: "stormglass run everything --seeds 1000", description: "one scenario, a thousand seeds" },
    { command: "stormglass run ./my/scenario.ts --seeds 100", description: "a scenario of your own" },
    { command: "stormglass run --mutant no-fence", description: "with a planted bug, until it is found" },
    { command: "stormglass run everything --storage pglite", description: "on production SQL, under virtual time" },
    { command: "stormglass run everything --plan plan.json", description: "with these faults, whatever the seed" },
    {
      command: "stormglass run --seeds 1000 --store night.ndjson --shard 1/2",
      description: "a campaign: killed or not, the same line goes on with it"
    }
  ])
)

const replay = Command.make(
  "replay",
  {
    target: Argument.String("file or scenario"),
    seed,
    strategy: Flag.Literals("strategy", strategyNames).pipe(
      Flag.withDescription(
        "Which runnable task goes first, and where fibers are preempted: random, the default; a saved failure has its own"
      ),
      Flag.optional
    ),
    storage: storageFlag.pipe(
      Flag.withDescription(`${storageDescription}; a saved failure has its own`),
      Flag.optional
    ),
    mutant,
    plan,
    pinned: Flag.Boolean("pinned").pipe(
      Flag.withDescription("Of a saved failure: strike what was struck, by name, whatever the seed would draw by now"),
      Flag.withDefault(false)
    ),
    until: Flag.String("until").pipe(Flag.withDescription("Stop at this virtual time: 12.5s"), Flag.optional),
    trace: Flag.String("trace").pipe(Flag.withDescription("Write every fact to this file, as NDJSON"), Flag.optional),
    patience,
    json
  },
  (options) => attempt(() => replayCommand(options))
).pipe(
  Command.withDescription("Run one case again, exactly"),
  Command.withExamples([
    { command: "stormglass replay failures/everything-7.json", description: "a saved failure" },
    { command: "stormglass replay failures/everything-7.json --pinned", description: "after the program has changed" },
    { command: "stormglass replay everything --seed 7 --trace facts.ndjson", description: "a seed, with all its facts" }
  ])
)

const shrink = Command.make(
  "shrink",
  {
    file: Argument.String("file").pipe(Argument.withDescription("A saved failure")),
    mutant,
    budget: Flag.String("budget").pipe(
      Flag.withDescription("What is smallest by then is the result: 60s, the default"),
      Flag.withDefault("60s")
    ),
    patience,
    json
  },
  (options) =>
    attempt(async () => {
      state.exitCode = await shrinkCommand({
        file: options.file,
        mutant: Option.getOrUndefined(options.mutant),
        budgetMillis: durationMicros("--budget", options.budget) / 1_000,
        patienceMillis: patienceMillis(Option.getOrUndefined(options.patience)),
        json: options.json,
        isStopped: () => state.isStopped,
        print
      })
    })
).pipe(
  Command.withDescription("Make a saved failure small, and say which of its faults it needs"),
  Command.withExamples([
    { command: "stormglass shrink failures/everything-7.json", description: "writes failures/everything-7-small.json" },
    { command: "stormglass shrink failures/everything-7.json --budget 5m", description: "for as long as it takes" }
  ])
)

const compare = Command.make(
  "compare",
  {
    scenario: Argument.String("scenario").pipe(
      Argument.withDescription("A name from `list scenarios`, or a file that exports one")
    ),
    with: Flag.String("with").pipe(
      Flag.withDescription("A package, and the alias that its other version is installed as: effect=effect-beta"),
      Flag.between(0, 20)
    ),
    seeds: Flag.String("seeds").pipe(
      Flag.withDescription("How many, or a range: 50, the default, 5..9"),
      Flag.withDefault("50")
    ),
    plan,
    strategy,
    jobs,
    noShrink: Flag.Boolean("no-shrink").pipe(
      Flag.withDescription("Show failures as they were found, and do not make them small"),
      Flag.withDefault(false)
    ),
    patience,
    json
  },
  (options) =>
    attempt(async () => {
      state.exitCode = await compareCommand({
        ...options,
        plan: Option.getOrUndefined(options.plan),
        patience: Option.getOrUndefined(options.patience),
        isStopped: () => state.isStopped,
        print
      })
    })
).pipe(
  Command.withDescription("Run the same seeds and plans on two versions of a package, side by side"),
  Command.withExamples([
    {
      command: "stormglass compare ./my/scenario.ts --with effect=effect-beta",
      description: "after npm install --save-dev effect-beta@npm:effect@4.0.0-beta.99"
    },
    {
      command: "stormglass compare ./my/scenario.ts --with effect=effect-beta --plan plan.json --seeds 1000",
      description: "with these faults, whatever the seed"
    }
  ])
)

const prove = Command.make(
  "prove",
  {
    scenario: Argument.String("scenario").pipe(
      Argument.withDescription("A small one: a name from `list scenarios`, or a file that exports one")
    ),
    choices: Flag.Int("choices").pipe(
      Flag.withDescription("How many things go another way in one run, at the most: 2, the default"),
      Flag.withDefault(2)
    ),
    until: Flag.String("until").pipe(
      Flag.withDescription("What goes another way begins before this moment of the run: 3s, the default"),
      Flag.withDefault("3s")
    ),
    within: Flag.String("within").pipe(
      Flag.withDescription("Of several, the next begins so soon after the one before: 5ms, the default"),
      Flag.withDefault("5ms")
    ),
    seed,
    mutant,
    mutants: Flag.String("mutants").pipe(
      Flag.withDescription("Of each of these, a line that says what finds it: names, separated by commas"),
      Flag.optional
    ),
    jobs,
    noShrink: Flag.Boolean("no-shrink").pipe(
      Flag.withDescription("Show a failure as it was found, and do not make it small"),
      Flag.withDefault(false)
    ),
    patience,
    json
  },
  (options) =>
    attempt(async () => {
      state.exitCode = await proveCommand({
        ...options,
        mutants: Option.getOrUndefined(options.mutants),
        seed: Option.getOrUndefined(options.seed),
        mutant: Option.getOrUndefined(options.mutant),
        patience: Option.getOrUndefined(options.patience),
        isStopped: () => state.isStopped,
        print
      })
    })
).pipe(
  Command.withDescription(
    "Try everything that may befall a small scenario, up to a bound: every fault at every place, every other order, and pairs of them"
  ),
  Command.withExamples([
    { command: "stormglass prove example/two-node-lease", description: "a few minutes on two cores" },
    {
      command: "stormglass prove example/two-node-lease --choices 1",
      description: "one thing at a time: some seconds"
    },
    {
      command: "stormglass prove example/two-node-lease --mutant no-fence",
      description: "with a planted bug, until it is found"
    },
    {
      command: "stormglass prove example/two-node-lease --choices 1 --mutants no-fence,leader-never-told",
      description: "with each of several, a line for each"
    }
  ])
)

const merge = Command.make(
  "merge",
  {
    stores: Argument.String("store").pipe(
      Argument.withDescription("What `run --store` keeps; several of one campaign"),
      Argument.variadic({ min: 1 })
    ),
    out: Flag.String("out").pipe(Flag.withDescription("Write them as one store to this new file"), Flag.optional),
    without: Flag.String("without").pipe(
      Flag.withDescription("Leave out runs that met faults of this kind, or of all that begin so (process/)"),
      Flag.between(0, 100)
    ),
    json
  },
  ({ json, out, stores, without }) =>
    attempt(async () => {
      state.exitCode = mergeCommand({ stores, out: Option.getOrUndefined(out), without, isJson: json, print })
    })
).pipe(
  Command.withDescription(
    "Report on the runs of stores, as if they were one: what failed, grouped, and how to replay it"
  ),
  Command.withExamples([
    { command: "stormglass merge night.ndjson", description: "what a campaign has found by now" },
    {
      command: "stormglass merge night.ndjson --without process/ --without storage/",
      description: "what fails although no process and no storage did"
    },
    { command: "stormglass merge one.ndjson two.ndjson --out all.ndjson", description: "the shards of two machines" }
  ])
)

const list = Command.make(
  "list",
  {
    what: choiceArgument(
      "what",
      ["scenarios", "mutants", "faults", "invariants", "marks", "models", "searches"],
      "What is listed"
    ),
    json
  },
  (options) => attempt(() => listCommand(options))
).pipe(Command.withDescription("What there is, one line each"))

const gate = Command.make(
  "determinism",
  {
    scenarios,
    seeds: Flag.String("seeds").pipe(
      Flag.withDescription("Of each scenario and strategy, how many or a range: 20, 5..9"),
      Flag.withDefault("2")
    ),
    strategy: Flag.Literals("strategy", strategyNames).pipe(
      Flag.withDescription("Only this one. Default: each"),
      Flag.optional
    ),
    storage,
    patience
  },
  (options) =>
    attempt(async () => {
      const gate = {
        scenarios: Session.requireScenarios(options.scenarios),
        seeds: options.seeds,
        strategies: Option.match(options.strategy, { onNone: () => strategyNames, onSome: (only) => [only] }),
        storage: options.storage,
        patience: Option.getOrUndefined(options.patience),
        patienceMillis: patienceMillis(Option.getOrUndefined(options.patience))
      }
      if (isChild()) await printDigests(gate)
      else if (!(await determinism(gate))) state.exitCode = exitCodeOf("nondeterministic")
    })
).pipe(
  Command.withDescription("Run seeds twice in one process and again in a fresh one, and compare"),
  Command.withExamples([
    { command: "stormglass determinism", description: "two seeds of every scenario and strategy" },
    { command: "stormglass determinism ./my/scenario.ts --seeds 20", description: "a scenario of your own" },
    {
      command: "stormglass determinism ./my/scenario.ts --seeds 42..43 --storage pglite",
      description: "on its own SQL"
    }
  ])
)

const by = Flag.Literals("by", searchNames).pipe(
  Flag.withDescription("How to search: see `list searches`"),
  Flag.withDefault("portfolio" as const)
)
const seedFirst = Flag.Int("seed-first").pipe(Flag.withDescription("The first seed"), Flag.withDefault(1))

const search = Command.make(
  "search",
  {
    scenarios,
    by,
    runs: Flag.Int("runs").pipe(Flag.withDescription("At most so many"), Flag.withDefault(100_000)),
    budget: Flag.String("budget").pipe(Flag.withDescription("No run begins after this: 60s"), Flag.optional),
    seedFirst,
    mutant,
    storage,
    jobs,
    noShrink: Flag.Boolean("no-shrink").pipe(
      Flag.withDescription("Show the failure as it was found"),
      Flag.withDefault(false)
    ),
    patience,
    json
  },
  (options) =>
    attempt(async () => {
      state.exitCode = await searchCommand({
        ...options,
        budget: Option.getOrUndefined(options.budget),
        mutant: Option.getOrUndefined(options.mutant),
        patience: Option.getOrUndefined(options.patience),
        isStopped: () => state.isStopped,
        print
      })
    })
).pipe(
  Command.withDescription("Look for a failure until one is found or the time is over, and show it small"),
  Command.withExamples([
    { command: "stormglass search --budget 10m", description: "every scenario, by several strategies in turn" },
    { command: "stormglass search everything --by novelty --runs 2000", description: "by the one that learns" },
    { command: "stormglass search --mutant no-fence", description: "for a planted bug" }
  ])
)

const strategiesTable = Command.make(
  "strategies",
  {
    names: Argument.String("mutant").pipe(Argument.variadic()),
    runs: Flag.Int("runs").pipe(Flag.withDescription("At most so many for each mutant"), Flag.withDefault(400)),
    budget: Flag.String("budget").pipe(Flag.withDescription("And so long: 60s"), Flag.optional),
    trials: Flag.Int("trials").pipe(Flag.withDescription("With other seeds each"), Flag.withDefault(1)),
    jobs,
    json
  },
  (options) => attempt(() => strategiesCommand(options))
).pipe(
  Command.withDescription("How many runs each way to search takes to find every mutant of a scenario"),
  Command.withExamples([
    {
      command: "stormglass strategies --trials 1 --budget 20s",
      description: "the table of docs/search.md: a quarter of an hour"
    },
    { command: "stormglass strategies no-fence no-brake", description: "two mutants" }
  ])
)

const table = Command.make(
  "mutants",
  {
    names: Argument.String("mutant").pipe(Argument.variadic()),
    by,
    runs: Flag.Int("runs").pipe(Flag.withDescription("At most so many for each mutant"), Flag.withDefault(500)),
    storage,
    shrink: Flag.Boolean("shrink").pipe(
      Flag.withDescription("Make the first failure of each small, and run it under the neutral mutants"),
      Flag.withDefault(false)
    ),
    out: Flag.String("out").pipe(
      Flag.withDescription("With --shrink: write the small failures to this directory"),
      Flag.optional
    ),
    jobs,
    json
  },
  (options) => attempt(() => (options.shrink ? shrunkCommand(options) : mutantsCommand(options)))
).pipe(
  Command.withDescription("For every mutant, or those named: its incident, the runs to find it, what caught it"),
  Command.withExamples([
    { command: "stormglass mutants", description: "all, a few minutes" },
    { command: "stormglass mutants no-fence no-brake", description: "two of them" },
    {
      command: "stormglass mutants --shrink",
      description: "how small their failures become, and whether edits lose them"
    }
  ])
)

const migrate = Command.make(
  "migrate",
  {
    runtimeRole: Flag.String("runtime-role").pipe(
      Flag.withDescription("The role that programs run as: it may read and write rows, and nothing else"),
      Flag.optional
    ),
    check: Flag.Boolean("check").pipe(
      Flag.withDescription("Alter nothing: only say whether this program can run on the schema"),
      Flag.withDefault(false)
    ),
    restored: Flag.Boolean("restored").pipe(
      Flag.withDescription("It was restored from a backup: nothing that it gave out since is given out again"),
      Flag.withDefault(false)
    ),
    revokeKeys: Flag.String("revoke-keys").pipe(
      Flag.withDescription("With --restored: ids of API keys that were revoked since, separated by commas; or all"),
      Flag.optional
    ),
    ...flagsOf(databaseSettings),
    ...configFlag
  },
  ({ check, restored, revokeKeys, runtimeRole, ...given }) =>
    attempt(async () => {
      const { origins, values } = readConfig(databaseSettings, given)
      const choice = choiceOf(values)
      if (choice._tag === "Server" && origins.directory.kind === "flag") {
        throw new UsageError("--directory: DATABASE_URL names a server; unset it to use the embedded database")
      }
      if (check && restored) throw new UsageError("--check and --restored: give one; the first alters nothing")
      const say = (line: string): void => console.log(line)
      const origin = origins.databaseUrl.name
      say(
        await migrateCommand({
          isCheck: check,
          isRestored: restored,
          revokeKeys: Option.getOrUndefined(revokeKeys),
          runtimeRole: Option.getOrUndefined(runtimeRole),
          choice,
          origin,
          say
        })
      )
    })
).pipe(
  Command.withDescription(
    "Bring the database that DATABASE_URL names, or else the embedded one, to this version of the schema, as its owner"
  ),
  Command.withExamples([
    {
      command: "stormglass migrate --runtime-role app",
      description: "before the first start, and before each upgrade"
    },
    { command: "stormglass migrate --check", description: "whether that is due" },
    { command: "stormglass migrate --restored", description: "after a restore, before the first start" }
  ])
)

const check = Command.make(
  "check",
  {
    file: Argument.String("file").pipe(Argument.withDescription("A history; - is standard input")),
    model: Flag.String("model").pipe(
      Flag.withDescription("What it is a history of: a name from `list models`, or a file that exports a model")
    ),
    format: Flag.Literals("format", historyFormats).pipe(
      Flag.withDescription("How it is written, if its first line does not tell"),
      Flag.optional
    ),
    whole: Flag.Boolean("whole").pipe(
      Flag.withDescription("All keys as one object, as for operations over several of them: slower"),
      Flag.withDefault(false)
    ),
    level: Flag.Literals("level", levelNames).pipe(
      Flag.withDescription("Of list-append: the isolation level that is promised; serializable unless given"),
      Flag.optional
    ),
    timeout: Flag.String("timeout").pipe(
      Flag.withDescription("Undecided after this, in seconds or as 5m; the exit code is 4"),
      Flag.optional
    ),
    memory: Flag.Int("memory").pipe(
      Flag.withDescription(
        "Megabytes that the search may remember in; undecided beyond: 512, the default; not of list-append"
      ),
      Flag.optional
    ),
    json
  },
  ({ file, format, json, level, memory, model, timeout, whole }) =>
    attempt(async () => {
      const seconds = Option.getOrUndefined(timeout)
      const duration = seconds === undefined || !/^\d+(\.\d+)?$/.test(seconds) ? seconds : `${seconds}s`
      const { exitCode, text } = await checkCommand({
        file,
        model,
        format: Option.getOrUndefined(format),
        isWhole: whole,
        level: Option.getOrUndefined(level),
        timeoutMillis: duration === undefined ? undefined : durationMicros("--timeout", duration) / 1_000,
        memoryMegabytes: Option.getOrUndefined(memory),
        isJson: json,
        isStopped: () => state.isStopped
      })
      state.exitCode = exitCode
      print(text)
    })
).pipe(
  Command.withDescription(
    "Judge a history from anywhere: whether one order of its operations explains every answer, or which isolation level it keeps"
  ),
  Command.withExamples([
    { command: "stormglass check history.ndjson --model register", description: "our own lines of JSON" },
    { command: "stormglass check history.edn --model cas-register --timeout 60", description: "as Jepsen writes it" },
    { command: "stormglass check etcd_000.log --model cas-register", description: "lines of Jepsen's log" },
    { command: "stormglass check c10-ok.txt --model kv --whole", description: "all keys as one object" },
    { command: "stormglass check history.ndjson --model ./my/model.ts", description: "a model of your own" },
    {
      command: "stormglass check elle.edn --model list-append --level repeatable-read",
      description: "transactions against an isolation level"
    },
    { command: "stormglass list models", description: "the models, and what their operations are called" }
  ])
)

const conform = Command.make(
  "conform",
  {
    image: Flag.String("image").pipe(
      Flag.withDescription("What the instances run that are made for it: conform:1, the default"),
      Flag.withDefault("conform:1")
    ),
    patience: Flag.String("patience").pipe(
      Flag.withDescription("How long instances may take to be started and stopped: 60s, the default"),
      Flag.withDefault("60s")
    ),
    ...remoteFlags,
    json
  },
  (options) =>
    attempt(async () => {
      const { conform, judgedLine, summary } = await import("./remote/conformCommand.ts")
      const all = await conform(remoteOf(options), {
        image: options.image,
        patienceMillis: durationMicros("--patience", options.patience) / 1_000,
        onJudged: (judged) => {
          if (!options.json) print(judgedLine(judged))
        }
      })
      print(options.json ? JSON.stringify(all, null, 2) : summary(all))
      if (all.some(({ broken }) => broken !== null)) state.exitCode = exitCodeOf("found")
    })
).pipe(
  Command.withDescription(
    "Tries at its addresses what a control plane promises: makes a few fleets of its own in the project, and takes them away"
  ),
  Command.withExamples([
    { command: "stormglass conform", description: "after an upgrade, say; exit code 1 when a law does not hold" },
    { command: "stormglass conform --server http://n1:8081,http://n2:8081 --project smoke", description: "elsewhere" }
  ])
)

export const stormglass = Command.make("stormglass").pipe(
  Command.withDescription("Deterministic simulation and chaos testing for distributed control planes"),
  Command.withSubcommands([
    run,
    search,
    replay,
    shrink,
    compare,
    prove,
    merge,
    check,
    list,
    gate,
    table,
    strategiesTable,
    migrate,
    ...operateCommands,
    conform,
    keys,
    audit,
    cluster
  ]),
  Command.annotate(HelpSection, { title: "EXIT CODES", lines: exitCodeLines() })
)

async function replayCommand(options: {
  readonly target: string
  readonly seed: Option.Option<string>
  readonly strategy: Option.Option<StrategyName>
  readonly storage: Option.Option<DatabaseName>
  readonly mutant: Option.Option<string>
  readonly plan: Option.Option<string>
  readonly pinned: boolean
  readonly until: Option.Option<string>
  readonly trace: Option.Option<string>
  readonly patience: Option.Option<string>
  readonly json: boolean
}): Promise<void> {
  const isFailureFile = Session.isFailureFile(options.target)
  const named = Option.getOrUndefined(options.mutant)
  const opened = isFailureFile ? Session.openFailure(options.target, named) : undefined
  const saved = opened?.saved
  if (!isFailureFile) Session.requireScenario(options.target)
  const own = (["seed", "strategy", "storage"] as const).find((flag) => Option.isSome(options[flag]))
  if (saved !== undefined && own !== undefined) {
    throw new UsageError(`replay ${options.target}: --${own} is of the saved failure; give it with a scenario's name`)
  }
  const typed = Option.getOrUndefined(options.seed)
  const seedText = saved?.seed ?? (typed === undefined ? seedOfEnvironment() : parseSeed("--seed", typed))
  if (seedText === undefined) throw new UsageError(`replay ${options.target}: say which --seed`)
  const edits = opened?.edits ?? (named === undefined ? undefined : Session.findMutant(named))
  const until = Option.getOrUndefined(options.until)
  const planFile = Option.getOrUndefined(options.plan)
  if (options.pinned && planFile !== undefined) throw new UsageError("--pinned and --plan: give one")
  if (options.pinned && saved?.pinned === undefined) {
    throw new UsageError(`replay ${options.target}: --pinned needs the file of a failure whose run came to an end`)
  }
  const savedPlan = options.pinned ? saved?.pinned : saved?.plan
  const chosenPlan = planFile === undefined ? savedPlan : Session.readPlan(planFile)
  const isSaved =
    saved !== undefined &&
    until === undefined &&
    planFile === undefined &&
    !options.pinned &&
    (named === undefined || Session.isSameMutant(edits, saved.mutant))
  const request: RunRequest = {
    ...(saved === undefined
      ? {
          scenario: options.target,
          seed: seedText,
          strategy: Option.getOrElse(options.strategy, () => "random" as const),
          ...Session.storageOf(Option.getOrUndefined(options.storage))
        }
      : FailureFile.requestOf(saved)),
    ...(chosenPlan === undefined ? {} : { plan: chosenPlan }),
    ...(until === undefined ? {} : { untilMicros: durationMicros("--until", until) })
  }
  const trace = Option.getOrUndefined(options.trace)
  if (trace !== undefined) requireWritable("--trace", trace)
  const supervisor = Session.supervise(
    edits,
    1,
    patienceMillis(Option.getOrUndefined(options.patience)),
    opened?.versions
  )
  try {
    const running = supervisor.run(request, "facts")
    const isOwnPlan = saved !== undefined && planFile === undefined
    const { facts, result } = await (isOwnPlan ? Session.ofFailure(options.target, saved, running) : running)
    if (trace !== undefined) writeFileSync(trace, facts.map((fact) => `${JSON.stringify(fact)}\n`).join(""))
    const isEqual = isSaved ? saved.digest === result.digest : undefined
    const isNondeterministic = result.verdict._tag === "escaped" || isEqual === false
    state.exitCode = exitCodeOf(isNondeterministic ? "nondeterministic" : isFailure(result.verdict) ? "found" : "done")
    const differences =
      saved === undefined || opened === undefined
        ? []
        : [...opened.differences, ...(isEqual === true || until !== undefined ? [] : Session.unusedOf(saved, result))]
    if (options.json) {
      print(
        JSON.stringify(
          {
            ...result,
            isStopped: isCut(result),
            expectedDigest: saved?.digest ?? null,
            isDigestEqual: isEqual ?? null,
            differences
          },
          null,
          2
        )
      )
      return
    }
    if (isFailure(result.verdict)) {
      const how = { mutant: named, plan: planFile, until }
      const line =
        saved === undefined
          ? Session.replayLine(request, how)
          : Session.replayFileLine(options.target, { ...how, isPinned: options.pinned })
      print(FailureScreen.render({ result, facts, replay: line, file: undefined, paint }))
    } else {
      for (const envelope of facts.filter((fact) => !Timeline.isFine(fact)).slice(-20)) print(Timeline.line(envelope))
      const about = `${request.scenario}, seed ${request.seed}`
      // What was not let come to its end has not passed.
      if (isCut(result))
        print(`\n${paint("bold", `stopped at ${seconds(result)} s`)}: ${about}, nothing had failed by then`)
      else
        print(
          `\n${paint("green", "passed")}: ${about}, ${(result.virtualMicros / 1_000_000).toFixed(1)} virtual seconds`
        )
    }
    print(
      `${result.digest === "" ? "no digest: the run gave no result" : `digest ${result.digest}`}${isEqual === undefined ? "" : isEqual ? ", equal" : `: DIGEST DIFFERS, it was ${saved?.digest}`}`
    )
    for (const line of differences) print(`differs: ${line}`)
    if (isEqual === false && saved !== undefined) print(Session.whatMayDiffer(saved))
  } finally {
    await supervisor.close()
  }
}

/** Whether the run was ended by `--until`. */
function isCut({ request, verdict, virtualMicros }: RunResult): boolean {
  return verdict._tag === "passed" && request.untilMicros !== undefined && virtualMicros >= request.untilMicros
}

function seconds({ virtualMicros }: RunResult): string {
  return (virtualMicros / 1_000_000).toFixed(3)
}

interface Row {
  readonly name: string
  readonly describes: string
  /** Of a model: name to what its value is. */
  readonly operations?: Readonly<Record<string, string>>
}

interface FaultRow extends Row {
  /** What its `when` may have. */
  readonly when: ReadonlyArray<string>
  /** Name to unit. */
  readonly parameters: Readonly<Record<string, string>>
}

async function listCommand(options: { readonly what: string; readonly json: boolean }): Promise<void> {
  const rows: ReadonlyArray<Row | FaultRow> = options.what === "faults" ? faultRows() : await rowsOf(options.what)
  if (options.json) return print(JSON.stringify(rows, null, 2))
  const width = Math.max(...rows.map(({ name }) => name.length), 0)
  for (const row of rows) {
    const { describes, name, operations = {} } = row
    print(`${name.padEnd(width)}  ${isFaultRow(row) ? faultText(row) : describes}`)
    for (const [operation, value] of Object.entries(operations)) print(`${" ".repeat(width + 2)}${operation}: ${value}`)
  }
}

function faultRows(): ReadonlyArray<FaultRow> {
  return faultKinds.map(({ describes, mode, name, parameters = {} }) => {
    const when = mode === "event" ? ["at", "on"] : ["from", "until", "rate"]
    return { name, describes, when, parameters }
  })
}

function isFaultRow(row: Row | FaultRow): row is FaultRow {
  return "when" in row
}

function faultText({ describes, parameters, when }: FaultRow): string {
  const given = Object.entries(parameters).map(([name, unit]) => `${name}: ${unit}`)
  const all = given.length === 0 ? "" : `  {${given.join("; ")}}`
  return `${when.join(when.length === 2 ? " or " : " ").padEnd(15)}  ${describes}${all}`
}

async function rowsOf(what: string): Promise<ReadonlyArray<Row>> {
  const scenarios = async () => Promise.all(catalogue.map(({ load }) => load()))
  switch (what) {
    case "scenarios":
      return (await scenarios()).map(({ name, story }) => ({ name, describes: story.split("\n").join(" ") }))
    case "searches":
      return searchNames.map((name) => ({ name, describes: searchStrategies[name].describes }))
    case "mutants":
      return mutants.map(({ incident, name, why }) => ({ name, describes: `${why} (${incident})` }))
    case "invariants": {
      const all = (await scenarios()).flatMap(({ invariants }) => invariants)
      return [...new Map(all.map(({ name, states }) => [name, { name, describes: states }])).values()]
    }
    case "models":
      return [...checkables, isolationModel].map(({ describes, name, operations }) => ({ name, describes, operations }))
    default:
      return declaredMarks().map(({ kind, name }) => ({ name, describes: kind }))
  }
}

async function mutantsCommand(options: {
  readonly names: ReadonlyArray<string>
  readonly by: SearchName
  readonly runs: number
  readonly storage: DatabaseName
  readonly jobs: number
  readonly json: boolean
}): Promise<void> {
  const named = options.names.length === 0 ? mutants : options.names.map(Session.requireMutant)
  const chosen = named.filter((mutant) => whyNot(mutant, options.storage) === undefined)
  if (chosen.length === 0) {
    const [first] = named as [Mutant]
    throw new UsageError(`--storage ${options.storage}: ${first.name}: ${whyNot(first, options.storage)}`)
  }
  const rows: Array<MutantRow> = []
  const { by, runs, storage } = options
  const search = { by, runs, storage, jobs: requireJobs(options.jobs), isStopped: () => state.isStopped }
  const find = async (mutant: Mutant): Promise<void> => {
    if (state.isStopped) return
    const row = await mutantRow(mutant, search)
    rows.push(row)
    if (!options.json) print(mutantLine(row))
  }
  // Scenarios spread over all cores by themselves, suites mostly wait for servers.
  const isByScenarios = ({ suite }: Mutant) => suite === undefined || storage === "pglite"
  for (const mutant of chosen.filter(isByScenarios)) await find(mutant)
  const suites = chosen.filter((mutant) => !isByScenarios(mutant)).values()
  const lane = async (): Promise<void> => {
    for (const mutant of suites) await find(mutant)
  }
  await Promise.all(Array.from({ length: search.jobs }, lane))
  const found = rows.filter(({ isFound }) => isFound).length
  if (found < chosen.length) state.exitCode = exitCodeOf("found")
  if (options.json) return print(JSON.stringify(rows, null, 2))
  for (const mutant of named) {
    const why = whyNot(mutant, storage)
    if (why !== undefined) print(`${mutant.name.padEnd(44)}${paint("dim", why)}`)
  }
  print(`\n${found} of ${chosen.length} found and replayed`)
}

async function shrunkCommand(options: {
  readonly names: ReadonlyArray<string>
  readonly by: SearchName
  readonly runs: number
  readonly storage: DatabaseName
  readonly out: Option.Option<string>
  readonly jobs: number
  readonly json: boolean
}): Promise<void> {
  const named = options.names.length === 0 ? mutants : options.names.map(Session.requireMutant)
  const chosen = named.filter(({ suite }) => suite === undefined)
  const { by, runs, storage } = options
  const search = { by, runs, storage, jobs: 1, isStopped: () => state.isStopped }
  const rows: Array<ShrunkRow> = []
  if (!options.json) print(paint("bold", shrunkHead))
  const left = chosen.values()
  const lane = async (): Promise<void> => {
    for (const mutant of left) {
      if (state.isStopped) return
      const row = await shrunkRow(mutant, search, Option.getOrUndefined(options.out))
      if (row === undefined) {
        state.exitCode = exitCodeOf("found")
        if (!options.json) print(paint("red", `${mutant.name.padEnd(38)} not found`))
        continue
      }
      rows.push(row)
      if (!row.isGood) state.exitCode = exitCodeOf("found")
      if (!options.json) print(shrunkLine(row))
    }
  }
  await Promise.all(Array.from({ length: requireJobs(options.jobs) }, lane))
  if (options.json) return print(JSON.stringify(rows, null, 2))
  const pairs = rows.length * neutralMutants.length
  const lost = rows.flatMap(({ lostUnder }) => lostUnder).length
  print(
    `\n${rows.filter(({ isGood }) => isGood).length} of ${chosen.length} small; ${pairs - lost} of ${pairs} fail in the same way under a neutral mutant`
  )
}

async function strategiesCommand(options: {
  readonly names: ReadonlyArray<string>
  readonly runs: number
  readonly budget: Option.Option<string>
  readonly trials: number
  readonly jobs: number
  readonly json: boolean
}): Promise<void> {
  const named = options.names.length === 0 ? mutants : options.names.map(Session.requireMutant)
  const chosen = named.filter(({ suite }) => suite === undefined)
  const { json, runs } = options
  const budget = Option.getOrUndefined(options.budget)
  const budgetMillis = budget === undefined ? {} : { budgetMillis: durationMicros("--budget", budget) / 1_000 }
  const trials: Array<Trial> = []
  const jobs = requireJobs(options.jobs)
  if (!json) print(trialHead(searchNames))
  for (const mutant of chosen) {
    for (let nth = 0; nth < options.trials; nth++) {
      for (const by of searchNames) {
        if (state.isStopped) continue
        const seedFirst = 1 + nth * seedsApart
        const search = { by, runs, ...budgetMillis, seedFirst, storage: "model", jobs } as const
        trials.push(await tryStrategy(mutant, { ...search, isStopped: () => state.isStopped }))
      }
    }
    if (!json) print(trialLine(mutant.name, searchNames, trials))
  }
  const worths = searchNames.map((by) => worthOf(by, trials))
  print(json ? JSON.stringify({ trials, worths }, null, 2) : `\n${worthLines(worths).join("\n")}`)
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Known before the run, whose report would be lost with it. The file is empty from then on. */
function requireWritable(flag: string, path: string): void {
  try {
    closeSync(openSync(path, "w"))
  } catch (error) {
    throw new UsageError(`${flag}: cannot write ${path}: ${reasonOf(error)}`)
  }
}
