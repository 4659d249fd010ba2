/**
 * A ring of records from one producer to one consumer, in different threads or processes, without locks.
 *
 * - `formatRing` lays one out in a region; a `RingProducer` and a `RingConsumer` on that region use it.
 * - Records arrive whole, in order and once, whatever dies when: a record counts as sent with the store of `tail` that
 *   publishes it, and as read with the store of `head` that releases it.
 * - Positions wrap at 2^32 and are only ever compared by their difference.
 * - Full, empty, closed and timed out are return values.
 */

export { type OnRingRecord, RingConsumer } from "./ring-consumer.ts";
export {
  type FormatRingOptions,
  formatRing,
  inspectRing,
  type RingState,
  ringRegionSizeBytes,
} from "./ring-header.ts";
export { type RingHandleOptions, RingProducer } from "./ring-producer.ts";
export type { WaitOptions, WaitResult, WaitStrategy } from "./ring-wait.ts";

/** Every failpoint of a ring, named `area:what was stored last`. */
export const RING_FAILPOINTS: readonly string[] = [
  "ring-reserve:padding",
  "ring-publish:begin",
  "ring-publish:tail",
  "ring-producer-wake:signal",
  "ring-producer-close:begin",
  "ring-producer-close:signal",
  "ring-room:armed",
  "ring-release:begin",
  "ring-release:head",
  "ring-consumer-wake:signal",
  "ring-consumer-close:begin",
  "ring-consumer-close:signal",
];
