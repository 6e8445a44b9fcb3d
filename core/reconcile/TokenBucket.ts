/** A token bucket as data: how many may go on at once, and when the next may. Time is an argument. */
export interface TokenBucket {
  readonly burst: number
  readonly perSecond: number
  readonly tokens: number
  readonly atMicros: number
}

export const make = (options: { readonly burst: number; readonly perSecond: number; readonly nowMicros: number }) => ({
  burst: options.burst,
  perSecond: options.perSecond,
  tokens: options.burst,
  atMicros: options.nowMicros
})

/** What has flowed in by `nowMicros`; a clock that stands still or goes back adds nothing. */
export const refill = (bucket: TokenBucket, nowMicros: number): TokenBucket => {
  if (nowMicros <= bucket.atMicros) return bucket
  const gained = ((nowMicros - bucket.atMicros) / 1_000_000) * bucket.perSecond
  return { ...bucket, tokens: Math.min(bucket.burst, bucket.tokens + gained), atMicros: nowMicros }
}

/** Takes one token, or nothing when there is none; `refill` first. */
export const take = (bucket: TokenBucket): TokenBucket | undefined =>
  bucket.tokens >= 1 ? { ...bucket, tokens: bucket.tokens - 1 } : undefined

/** Takes one token, also one that is still to flow in, and says how long until then; `refill` first. */
export const reserve = (bucket: TokenBucket): { readonly bucket: TokenBucket; readonly waitMicros: number } => {
  const tokens = bucket.tokens - 1
  return {
    bucket: { ...bucket, tokens },
    waitMicros: tokens >= 0 ? 0 : Math.ceil((-tokens / bucket.perSecond) * 1_000_000)
  }
}
