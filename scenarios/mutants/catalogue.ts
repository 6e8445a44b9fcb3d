/**
 * Every mutant.
 */
import { acknowledgedAndNotDone } from "./acknowledgedAndNotDone.ts"
import { auditOfSuccesses } from "./auditOfSuccesses.ts"
import { bucketDiffersWhereStored } from "./bucketDiffersWhereStored.ts"
import { cachingOnlyBelow400 } from "./cachingOnlyBelow400.ts"
import { checkThenInsert } from "./checkThenInsert.ts"
import { claimedAndNeverDone } from "./claimedAndNeverDone.ts"
import { deafWhileItDecides } from "./deafWhileItDecides.ts"
import { deletionByName } from "./deletionByName.ts"
import { deletionPanics } from "./deletionPanics.ts"
import { desiredTrustedInMemory } from "./desiredTrustedInMemory.ts"
import { dueUnheard } from "./dueUnheard.ts"
import { edgeTriggeredReconcile } from "./edgeTriggeredReconcile.ts"
import { effectBeforeIntent } from "./effectBeforeIntent.ts"
import { eventApart } from "./eventApart.ts"
import { expiryByApplicationClock } from "./expiryByApplicationClock.ts"
import { feedOrderedByTransaction } from "./feedOrderedByTransaction.ts"
import { feedTrustsPositions } from "./feedTrustsPositions.ts"
import { fenceByUnlockedRead } from "./fenceByUnlockedRead.ts"
import { fenceWithoutLock } from "./fenceWithoutLock.ts"
import { followerHidesItsGap } from "./followerHidesItsGap.ts"
import { heartbeatByAnotherClock } from "./heartbeatByAnotherClock.ts"
import { heartbeatByTheSendersClock } from "./heartbeatByTheSendersClock.ts"
import { heartbeatOfAnyAgent } from "./heartbeatOfAnyAgent.ts"
import { idempotencyRecordApart } from "./idempotencyRecordApart.ts"
import { incarnationStays } from "./incarnationStays.ts"
import { instanceOfAnybody } from "./instanceOfAnybody.ts"
import { keyKnownForEver } from "./keyKnownForEver.ts"
import { leaderGateOnShardWork } from "./leaderGateOnShardWork.ts"
import { leaderNeverTold } from "./leaderNeverTold.ts"
import { leaseMeasuredFromTheAnswer } from "./leaseMeasuredFromTheAnswer.ts"
import { limitInCharacters } from "./limitInCharacters.ts"
import { limitOfEachNode } from "./limitOfEachNode.ts"
import { lockWithoutTimeout } from "./lockWithoutTimeout.ts"
import { lostCommitIsRetried } from "./lostCommitIsRetried.ts"
import { noAdmissionLimit } from "./noAdmissionLimit.ts"
import { noBrake } from "./noBrake.ts"
import { noFence } from "./noFence.ts"
import { noJitter } from "./noJitter.ts"
import { orphansLeft } from "./orphansLeft.ts"
import { placementLeftAtOnce } from "./placementLeftAtOnce.ts"
import { purgeOfWhatStillExecutes } from "./purgeOfWhatStillExecutes.ts"
import { readsFromMemory } from "./readsFromMemory.ts"
import { quotaReadWithoutLock } from "./quotaReadWithoutLock.ts"
import { readThenCreateLock } from "./readThenCreateLock.ts"
import { releaseUnheard } from "./releaseUnheard.ts"
import { releaseWithoutOwnerCheck } from "./releaseWithoutOwnerCheck.ts"
import { removedUnconfirmed } from "./removedUnconfirmed.ts"
import { removedWithoutStopping } from "./removedWithoutStopping.ts"
import { renewalSetsTheEpoch } from "./renewalSetsTheEpoch.ts"
import { retentionTooShort } from "./retentionTooShort.ts"
import { sentIsGone } from "./sentIsGone.ts"
import { sessionOutlivesItsKey } from "./sessionOutlivesItsKey.ts"
import { settledLooksAgain } from "./settledLooksAgain.ts"
import { shardCountIntoClusterCounter } from "./shardCountIntoClusterCounter.ts"
import { silenceIsLife } from "./silenceIsLife.ts"
import { slowReaderIsSilent } from "./slowReaderIsSilent.ts"
import { slowReaderJudges } from "./slowReaderJudges.ts"
import { slowWatcherLoses } from "./slowWatcherLoses.ts"
import { stopByName } from "./stopByName.ts"
import { stoppedSaysDone } from "./stoppedSaysDone.ts"
import { parkedIsWorkedOn } from "./parkedIsWorkedOn.ts"
import { pausedIsWorkedOn } from "./pausedIsWorkedOn.ts"
import { surplusCountsOnlyRunning } from "./surplusCountsOnlyRunning.ts"
import { sweepPanics } from "./sweepPanics.ts"
import { takeOverKeepsTheEpoch } from "./takeOverKeepsTheEpoch.ts"
import { watcherJoinsTooSoon } from "./watcherJoinsTooSoon.ts"
import { givenUpIsReplaced } from "./givenUpIsReplaced.ts"
import { fleetLeavesFirst } from "./fleetLeavesFirst.ts"
import { pagesOfNow } from "./pagesOfNow.ts"
import { watcherToldTwice } from "./watcherToldTwice.ts"
import { watchGoesOnFromNow } from "./watchGoesOnFromNow.ts"
import { workOutlivesItsLease } from "./workOutlivesItsLease.ts"
import { writerNeverWaits } from "./writerNeverWaits.ts"
import { zombieCompletesAnothersAttempt } from "./zombieCompletesAnothersAttempt.ts"
import type { Mutant } from "./Mutant.ts"

export const mutants: ReadonlyArray<Mutant> = [
  acknowledgedAndNotDone,
  auditOfSuccesses,
  bucketDiffersWhereStored,
  cachingOnlyBelow400,
  checkThenInsert,
  claimedAndNeverDone,
  deafWhileItDecides,
  deletionByName,
  deletionPanics,
  desiredTrustedInMemory,
  dueUnheard,
  edgeTriggeredReconcile,
  effectBeforeIntent,
  eventApart,
  expiryByApplicationClock,
  feedOrderedByTransaction,
  feedTrustsPositions,
  fenceByUnlockedRead,
  fenceWithoutLock,
  followerHidesItsGap,
  heartbeatByAnotherClock,
  heartbeatByTheSendersClock,
  heartbeatOfAnyAgent,
  idempotencyRecordApart,
  incarnationStays,
  instanceOfAnybody,
  keyKnownForEver,
  leaderGateOnShardWork,
  leaderNeverTold,
  leaseMeasuredFromTheAnswer,
  limitInCharacters,
  limitOfEachNode,
  lockWithoutTimeout,
  lostCommitIsRetried,
  noAdmissionLimit,
  noBrake,
  noFence,
  noJitter,
  orphansLeft,
  placementLeftAtOnce,
  purgeOfWhatStillExecutes,
  readsFromMemory,
  quotaReadWithoutLock,
  readThenCreateLock,
  releaseUnheard,
  releaseWithoutOwnerCheck,
  removedUnconfirmed,
  removedWithoutStopping,
  renewalSetsTheEpoch,
  retentionTooShort,
  sentIsGone,
  sessionOutlivesItsKey,
  settledLooksAgain,
  shardCountIntoClusterCounter,
  silenceIsLife,
  slowReaderIsSilent,
  slowReaderJudges,
  slowWatcherLoses,
  stopByName,
  stoppedSaysDone,
  surplusCountsOnlyRunning,
  parkedIsWorkedOn,
  pausedIsWorkedOn,
  givenUpIsReplaced,
  sweepPanics,
  takeOverKeepsTheEpoch,
  watcherJoinsTooSoon,
  fleetLeavesFirst,
  pagesOfNow,
  watcherToldTwice,
  watchGoesOnFromNow,
  workOutlivesItsLease,
  writerNeverWaits,
  zombieCompletesAnothersAttempt
]
