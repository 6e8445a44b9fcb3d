/** Whether a node says that requests should come to it. */
const answerWithinMillis = 1_000

/** "ready", or why it is not, in a word or two. */
export const readiness = async (address: string): Promise<string> => {
  try {
    const answer = await fetch(`${address}/ready`, { signal: AbortSignal.timeout(answerWithinMillis) })
    const { status } = (await answer.json()) as { readonly status?: unknown }
    return typeof status === "string" ? status : `status ${answer.status}`
  } catch {
    // Refused, cut off, silent: for whoever asks it is the same.
    return "no answer"
  }
}

export const isReady = async (address: string): Promise<boolean> => (await readiness(address)) === "ready"
