/**
 * The end of the launcher, however it came, is the end of its program: killed at once (SIGKILL) it passes no signal on, but the channel
 * between the two closes. To the program this is SIGTERM: it finishes what is under way, as it would be asked to.
 */
export const endWithLauncher = (): void => {
  // Who was started by nobody who listens has no channel.
  if (process.send === undefined) return
  const end = (): void => void process.kill(process.pid, "SIGTERM")
  if (!process.connected) return end()
  process.once("disconnect", end)
  // To listen is no work that keeps a program going.
  process.channel?.unref()
}
