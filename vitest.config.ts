import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

// Before any worker starts: a process reads its time zone once.
process.env.TZ = "UTC"

// What was stripped and compiled once is not again by the processes that tests start: a third of their start.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL("node_modules/.cache/stormglass", import.meta.url))

// A planted bug, to see whether the tests find it: a name from `stormglass list mutants`, or a file. The module is named by its
// URL so that it is no part of this configuration, which is bundled whenever tests start.
const mutant = process.env.STORMGLASS_MUTANT
const { href } = new URL("adapters/cli/mutantPlugin.ts", import.meta.url)
const plugins = mutant === undefined ? [] : [(await import(href)).mutantPlugin(mutant)]

/** Whoever starts processes and servers takes longest: first, so that no core has nothing to do in the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>) {
    const rank = ({ moduleId }: TestSpecification) => (/\/adapters\/|Differential|corpus/.test(moduleId) ? 0 : 1)
    return files.toSorted((one, other) => rank(one) - rank(other))
  }
}

const shared = [
  "core/**/*.test.ts",
  "reports/**/*.test.ts",
  "sim/{disk,kernel,nemesis,network,provider,run,search,shrink,storage}/**/*.test.ts"
]

export default defineConfig({
  plugins,
  // Users' import paths (`stormglass/sim/…`) lead to the sources here.
  resolve: { conditions: ["stormglass-source"] },
  ssr: { resolve: { conditions: ["stormglass-source"] } },
  test: {
    // What was transformed without the mutant must not stand in for it, nor the other way round.
    fsModuleCache: mutant === undefined,
    setupFiles: ["./scenarios/propertySeed.ts"],
    projects: [
      // Where no module has state of its own and no test changes what is global, files share what was loaded: a third of their time.
      { extends: true, test: { name: "shared", include: shared, isolate: false } },
      // Whatever else is called a test, a user's own folders included.
      {
        extends: true,
        test: {
          name: "rest",
          include: ["**/*.test.ts"],
          exclude: [...shared, "**/node_modules/**", "dist/**", ".mutation/**"]
        }
      }
    ],
    // Processes, not threads: tests trap the host's globals and start workers of their own, and one that loops for ever
    // can be killed. One more than there are cores: who starts servers and processes waits for them.
    pool: "forks",
    maxWorkers: availableParallelism() + 1,
    // Sweeps and property tests are long by design; what hangs is ended by its own supervisor long before this.
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: process.env.GITHUB_ACTIONS === "true" ? ["default", "github-actions"] : ["default"]
  }
})
