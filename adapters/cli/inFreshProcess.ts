import { execFile } from "node:child_process"

/** What this command line prints when it is run by itself with other arguments. Rejects when it ends with none of `codes`. */
export const inFreshProcess = (
  args: ReadonlyArray<string>,
  codes: ReadonlyArray<number>,
  env: Readonly<Record<string, string>> = {}
): Promise<string> =>
  new Promise((done, failed) => {
    const options = { env: { ...process.env, ...env }, encoding: "utf8", maxBuffer: 1 << 26 } as const
    const all = [...process.execArgv, process.argv[1] as string, ...args]
    const child = execFile(process.execPath, all, options, (_error, stdout, stderr) => {
      const { exitCode, signalCode } = child
      if (exitCode !== null && codes.includes(exitCode)) done(stdout)
      else failed(new Error(`stormglass ${args.join(" ")} ended with ${exitCode ?? signalCode}: ${stderr}`))
    })
  })
