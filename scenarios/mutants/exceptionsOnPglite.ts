/**
 * Mutants that no run on PGlite can find, each with its reason: it has one session, so that transactions never overlap. Suites on
 * real Postgres find them.
 */
export const exceptionsOnPglite: Readonly<Record<string, string>> = {
  "feed-ordered-by-transaction": "transactions of one session commit in the order in which they began",
  "feed-trusts-positions": "transactions of one session commit in the order of their positions",
  "fence-without-lock": "nobody commits between the look and the write of one session",
  "lock-without-timeout": "no row is waited for, and a wait for the session ends by the statement's own limit"
}
