import { spawnSync } from "node:child_process"

/** What this command line prints when it is run by itself with other arguments. Throws when it ends with none of `codes`. */
export const inFreshProcess = (
  args: ReadonlyArray<string>,
  codes: ReadonlyArray<number>,
  env: Readonly<Record<string, string>> = {}
): string => {
  const child = spawnSync(process.execPath, [...process.execArgv, process.argv[1] as string, ...args], {
    env: { ...process.env, ...env },
    encoding: "utf8",
    maxBuffer: 1 << 26
  })
  if (!codes.includes(child.status ?? -1)) {
    throw new Error(`stormglass ${args.join(" ")} ended with ${child.status ?? child.signal}: ${child.stderr}`)
  }
  return child.stdout
}
