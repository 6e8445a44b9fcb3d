export interface Migration {
  /** From 1, without gaps. */
  readonly version: number
  readonly name: string
  /** Programs that know fewer versions than this cannot run on the result. */
  readonly oldestProgram: number
  /** Those that it creates. */
  readonly tables: ReadonlyArray<string>
  readonly statements: ReadonlyArray<string>
}
