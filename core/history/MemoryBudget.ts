/** How much the parts of one search may hold, all together. */
export class MemoryBudget {
  readonly bytesMax: number
  #bytes = 0

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /** False where it would be too much: then nothing was taken. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.bytesMax) return false
    this.#bytes += bytes
    return true
  }

  giveBack(bytes: number): void {
    this.#bytes -= bytes
  }
}
