/**
 * Where a thread is that does not come back: the function and line in which it spends its time, from a short profile
 * that needs no help of the thread itself.
 */
import type { Worker } from "node:worker_threads"

const profileMillis = 200
/** A thread that is stuck in the host, not in JavaScript, may never answer. */
const patienceMillis = 2_000

/** "spin (scenarios/leaderKilled.ts:12)", in code that is no package's if there is any; undefined when nothing is known. */
export const whereIs = async (worker: Worker): Promise<string | undefined> =>
  Promise.race([profile(worker), pause(patienceMillis).then(() => undefined)])

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  readonly hitCount?: number
  readonly children?: ReadonlyArray<number>
  readonly positionTicks?: ReadonlyArray<{ readonly line: number; readonly ticks: number }>
}

async function profile(worker: Worker): Promise<string | undefined> {
  try {
    const handle = await worker.startCpuProfile()
    await pause(profileMillis)
    const { nodes } = JSON.parse(await handle.stop()) as { readonly nodes: ReadonlyArray<ProfileNode> }
    return describe(nodes)
  } catch {
    // It has ended meanwhile, which is a verdict of its own.
    return undefined
  }
}

/** The hottest function, or the nearest of its callers that is no package's. */
function describe(nodes: ReadonlyArray<ProfileNode>): string | undefined {
  const callerOf = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node] as const)))
  const isSource = (node: ProfileNode) => node.callFrame.url !== "" && !node.callFrame.url.startsWith("node:")
  const hottest = nodes.filter(isSource).toSorted((left, right) => hits(right) - hits(left))[0]
  if (hottest === undefined) return undefined
  let own: ProfileNode | undefined = hottest
  while (own !== undefined && (!isSource(own) || own.callFrame.url.includes("/node_modules/"))) {
    own = callerOf.get(own.id)
  }
  // A loop that was entered before the profile began may be missing from it; what called it says nothing.
  if (own === undefined || own.callFrame.url.includes("/sim/kernel/")) return undefined
  const { callFrame, positionTicks = [] } = own
  const line = positionTicks.toSorted((left, right) => right.ticks - left.ticks)[0]?.line ?? callFrame.lineNumber + 1
  const file = callFrame.url.replace(`file://${process.cwd()}/`, "")
  const place = `${file}:${line}`
  return callFrame.functionName === "" ? place : `${callFrame.functionName} (${place})`
}

function hits(node: ProfileNode): number {
  return node.hitCount ?? 0
}

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, millis).unref()
  })
}
