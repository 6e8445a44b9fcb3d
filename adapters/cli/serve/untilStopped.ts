/** Runs a service until a signal asks it to stop, and then until its finalizers have run, or a deadline has passed. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { httpStopDeadlineMillis } from "../../../core/Limits.ts"

/** Sets the exit code 0 when it was stopped in order. Throws what the service fails with; ends the process when it does not stop in time. */
export const untilStopped = async <E>(
  service: Effect.Effect<never, E>,
  {
    deadlineMillis = httpStopDeadlineMillis,
    onStop = () => {}
  }: { readonly onStop?: () => void; readonly deadlineMillis?: number } = {}
): Promise<void> => {
  const fiber = Effect.runFork(service)
  let isAsked = false
  const stop = (): void => {
    if (isAsked) return
    isAsked = true
    onStop()
    setTimeout(() => {
      process.stderr.write(`stormglass: did not stop within ${deadlineMillis / 1_000} s; ends at once\n`)
      process.exit(1)
    }, deadlineMillis).unref()
    Effect.runFork(Fiber.interrupt(fiber))
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, stop)
  const exit = await Effect.runPromise(Fiber.await(fiber))
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, stop)
  if (Exit.isFailure(exit) && !(isAsked && Cause.hasInterruptsOnly(exit.cause))) throw Cause.squash(exit.cause)
  process.exitCode = 0
}
