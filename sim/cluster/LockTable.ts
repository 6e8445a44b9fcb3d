/**
 * Runners and locks of shards as `SqlRunnerStorage` keeps them where advisory locks are disabled: tables `cluster_runners` and
 * `cluster_locks`, by the time of whoever keeps them. Lists are in no order that counts.
 */

interface RunnerRow {
  readonly machineId: number
  readonly runner: string
  readonly isHealthy: boolean
  readonly heartbeatMillis: number
}

interface Of {
  readonly address: string
}

/** How old a lock or a heartbeat may be, as whoever asks is configured. */
interface Expiring {
  readonly expirationMillis: number
}

/** Every method is one statement, or two in one piece. */
export class LockTable {
  readonly #runners = new Map<string, RunnerRow>()
  readonly #locks = new Map<string, { readonly address: string; readonly acquiredMillis: number }>()
  #machines = 0

  getRunners(nowMillis: number, { expirationMillis }: Expiring): ReadonlyArray<readonly [string, boolean]> {
    const rows = [...this.#runners.values()].filter((row) => row.heartbeatMillis > nowMillis - expirationMillis)
    return rows.map((row) => [row.runner, row.isHealthy])
  }

  register(
    nowMillis: number,
    { address, isHealthy, runner }: Of & { readonly runner: string; readonly isHealthy: boolean }
  ): number {
    // A sequence counts what conflicts too.
    const drawn = ++this.#machines
    const machineId = this.#runners.get(address)?.machineId ?? drawn
    this.#runners.set(address, { machineId, runner, isHealthy, heartbeatMillis: nowMillis })
    return machineId
  }

  unregister(nowMillis: number, { address, expirationMillis }: Of & Expiring): void {
    const expiredMillis = nowMillis - expirationMillis
    for (const [key, row] of this.#runners) {
      if (key === address || row.heartbeatMillis < expiredMillis) this.#runners.delete(key)
    }
  }

  setRunnerHealth(_: number, { address, isHealthy }: Of & { readonly isHealthy: boolean }): void {
    const row = this.#runners.get(address)
    if (row !== undefined) this.#runners.set(address, { ...row, isHealthy })
  }

  acquire(
    nowMillis: number,
    { address, expirationMillis, shards }: Of & Expiring & { readonly shards: ReadonlyArray<string> }
  ): ReadonlyArray<string> {
    const expiredMillis = nowMillis - expirationMillis
    return shards.filter((shard) => {
      const lock = this.#locks.get(shard)
      if (lock !== undefined && lock.address !== address && lock.acquiredMillis >= expiredMillis) return false
      this.#locks.set(shard, { address, acquiredMillis: nowMillis })
      return true
    })
  }

  /** However old they are, as there. */
  refresh(
    nowMillis: number,
    { address, shards }: Of & { readonly shards: ReadonlyArray<string> }
  ): ReadonlyArray<string> {
    const row = this.#runners.get(address)
    if (row !== undefined) this.#runners.set(address, { ...row, heartbeatMillis: nowMillis })
    return shards.filter((shard) => {
      if (this.#locks.get(shard)?.address !== address) return false
      this.#locks.set(shard, { address, acquiredMillis: nowMillis })
      return true
    })
  }

  release(_: number, { address, shard }: Of & { readonly shard: string }): void {
    if (this.#locks.get(shard)?.address === address) this.#locks.delete(shard)
  }

  releaseAll(_: number, { address }: Of): void {
    for (const [shard, lock] of this.#locks) if (lock.address === address) this.#locks.delete(shard)
  }
}
