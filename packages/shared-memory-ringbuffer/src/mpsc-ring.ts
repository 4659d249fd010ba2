/**
 * A ring of records from any number of producers to one consumer, in different threads or processes, without locks.
 *
 * - `formatMpscRing` lays one out in a region; `MpscProducer`s and one `MpscConsumer` on that region use it.
 * - Records arrive whole, once, and in the order in which they were claimed; those of one producer in its own order.
 * - Whoever dies when, the others go on: a claim names its claimer, and one whose claimer is proven dead becomes padding.
 *
 * The protocol. Every free multiple of 8 bytes in the data holds a *free word* that names the lap in which it may be
 * claimed. A producer loads `tail`, sees by `head` that there is room, and claims with one compare-and-swap at the tail:
 * free word of this lap → {size, claimer}. Only then is `tail` moved past the claim, by the claimer or by whoever comes
 * upon it first, as in the queue of Michael and Scott. It fills the payload and changes {claimer} to {committed, length}
 * with a second compare-and-swap. The consumer reads in order up to the first header that is neither committed nor padding,
 * then puts the free words of the next lap over what it read, and stores `head`.
 *
 * Why a claim can't be lost or taken twice. `tail` never goes back and never wraps (64 bits). A header leaves "free of lap
 * n" once and never comes back to it (the lap has 32 bits, and would have to wrap while one producer stands between a load
 * and its exchange), so of all exchanges at one position exactly one succeeds, and one that comes late fails. The tail moves
 * from t only by an exchange t → t + size with the size in the header at t, which everybody reads the same.
 *
 * Why nobody waits for the dead. At every moment each byte between head and tail belongs to a header that says its size;
 * there is no moment in which room is taken but nobody named. Before the exchange nothing is taken, after it the size and
 * the claimer stand there together. So whoever is held up (the consumer, or a producer that finds the ring full) can ask
 * whether {slot, generation} is dead, and change exactly that claim to padding. The claims of the living are waited for.
 */

export { MpscConsumer } from "./mpsc-consumer.ts";
export { type MpscHandleOptions, MpscProducer } from "./mpsc-producer.ts";
export {
  type Claims,
  type FormatMpscRingOptions,
  formatMpscRing,
  inspectMpscRing,
  type MpscRingState,
  mpscRegionSizeBytes,
} from "./mpsc-words.ts";

/** Every failpoint of an MPSC ring, named `area:what was stored last`. */
export const MPSC_FAILPOINTS: readonly string[] = [
  "mpsc-claim:begin",
  "mpsc-claim:claimed",
  "mpsc-claim:tail",
  "mpsc-commit:begin",
  "mpsc-commit:state",
  "mpsc-batch:filled",
  "mpsc-batch:committed",
  "mpsc-abort:padded",
  "mpsc-producer-wake:signal",
  "mpsc-room:parked",
  "mpsc-room:armed",
  "mpsc-end:begin",
  "mpsc-end:ended",
  "mpsc-pad:begin",
  "mpsc-pad:padded",
  "mpsc-park:signal",
  "mpsc-release:begin",
  "mpsc-release:intent",
  "mpsc-release:cleared",
  "mpsc-release:head",
  "mpsc-consumer-wake:room",
  "mpsc-consumer-close:begin",
  "mpsc-consumer-close:signal",
];
