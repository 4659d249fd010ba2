export type { LockOptions, LockResult } from "./async-lock.ts";
export type { LogItem, ReadAsyncOptions, RecordsOptions } from "./async-read.ts";
export { AtomicsFutex } from "./atomics-futex.ts";
export type { Doorbells, LockGrant, LogGates, Mutex } from "./contracts.ts";
export { COUNTER, type CounterName, Counters, type CounterTotals } from "./counters.ts";
export { EventLoopDoorbell, type EventLoopDoorbellOptions, RECHECK_MS } from "./doorbell.ts";
export { ArgumentError, CorruptSegmentError, SharedMemoryError, type SharedMemoryErrorCode } from "./errors.ts";
export type { EventLoopWaits } from "./event-loop-waits.ts";
export { armFailpoint, FOUNDATION_FAILPOINTS, failpoint } from "./failpoint.ts";
export type { Futex, WaitOutcome } from "./futex.ts";
export type { SegmentHeader } from "./header.ts";
export type { MappingKind, SegmentMode } from "./mapping.ts";
export { REGION_ALIGNMENT_BYTES, type Region, type SharedMemory, sharedMemoryOver } from "./memory.ts";
export {
  type Claims,
  type FormatMpscRingOptions,
  formatMpscRing,
  inspectMpscRing,
  MPSC_FAILPOINTS,
  MpscConsumer,
  type MpscHandleOptions,
  MpscProducer,
  type MpscRingState,
  mpscRegionSizeBytes,
} from "./mpsc-ring.ts";
export { LOCK_SLICE_MS, type RobustMutex } from "./mutex.ts";
export { unsupportedReason } from "./native.ts";
export {
  attachAnonymousSegment,
  createAnonymousSegment,
  createSegment,
  openOrCreateSegment,
  openSegment,
  type SegmentOptions,
} from "./open-segment.ts";
export type { Participant, ParticipantInfo, ParticipantPhase } from "./participants.ts";
export type { Segment } from "./segment.ts";
export { listSegments, type RemoveOptions, removeSegment, type SegmentListing } from "./segment-files.ts";
export type { ReapHook } from "./segment-life.ts";
export { segmentPath } from "./segment-name.ts";
export { type LockState, type ObserveOptions, observeSegment, SegmentObserver } from "./segment-observer.ts";
export { OBJECT_KINDS, type ObjectInfo, type ObjectKind, type ObjectSpec, type SegmentSpec } from "./segment-spec.ts";
export {
  type AppendResult,
  type FormatLogOptions,
  formatLog,
  type GatedReaderResult,
  inspectLog,
  LOG_FAILPOINTS,
  LogReader,
  type LogState,
  type LogTransaction,
  logRegionSizeBytes,
  type OnLogRecord,
  type ReadOptions,
  type ReadResult,
  SharedLog,
  type SharedLogOptions,
  type TransactionOptions,
  type TransactionResult,
  type WriteRecord,
} from "./shared-log.ts";
export {
  type FormatRingOptions,
  formatRing,
  inspectRing,
  type OnRingRecord,
  RingConsumer,
  type RingHandleOptions,
  RingProducer,
  type RingState,
  ringRegionSizeBytes,
  type WaitOptions,
  type WaitResult,
  type WaitStrategy,
} from "./spsc-ring.ts";
export { StringCodec, type StringEncoding, type StringTarget } from "./string-codec.ts";
export { PARK_SLICE_MS, Waiter } from "./wait-strategy.ts";
