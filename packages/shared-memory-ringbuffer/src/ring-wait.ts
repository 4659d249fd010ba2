/**
 * Waits until the other side of a ring moves its position: by spinning, by spinning and then parking, or by parking.
 *
 * - Nothing here waits unbounded: a spin gives the CPU away for a moment now and then, a park sleeps in slices.
 * - No wake is lost. The waiter stores `parked` in its signal word, *then* looks at the position again, then sleeps as
 *   long as the word says `parked`. The other side stores its position, *then* looks at the signal word. All four are
 *   sequentially consistent, so at least one of the two sees the other's store: either the waiter sees the new position
 *   and doesn't sleep, or the other side sees `parked`, sets the word to `awake` and wakes. If that happens before the
 *   waiter sleeps, the futex finds another value than `parked` and returns at once.
 * - A side killed between setting `awake` and waking costs the sleeper at most one slice.
 */
import { ArgumentError } from "./errors.ts";
import type { Futex } from "./futex.ts";
import { SIGNAL_AWAKE, SIGNAL_CLOSED, SIGNAL_PARKED } from "./records.ts";

/**
 * How a blocked side spends its time: `spin` never asks to be woken and burns a CPU (fastest across two CPUs);
 * `adaptive` spins for a few microseconds and then parks; `park` sleeps at once.
 */
export type WaitStrategy = "spin" | "adaptive" | "park";

export interface WaitOptions {
  /** Milliseconds to wait at most; default: for ever. 0 looks once. */
  readonly timeoutMs?: number;
  /** Default `adaptive`. */
  readonly strategy?: WaitStrategy;
  /** Looked at before waiting and between slices; throws its reason. It can't be aborted by the thread that is blocked. */
  readonly signal?: AbortSignal | undefined;
}

/** `closed`: the other side closed, and there is nothing more to wait for. */
export type WaitResult = "ready" | "timed-out" | "closed";

/** A sleeper looks again after this long, whatever happens to its waker. */
export const WAIT_SLICE_MS = 50;

/** Looks between two looks at the clock: about 2 µs. */
const LOOKS_PER_CLOCK = 64;
/** How long `adaptive` spins before it parks: about what a wake across CPUs costs. */
const ADAPTIVE_SPIN_MS = 0.05;
/** A spin with no progress for this long naps, because the other side may be waiting for this very CPU. */
const SPIN_BEFORE_NAP_MS = 1;
const SPIN_NAP_MS = 0.05;

/** Tells the CPU that this is a spin. Node 25 and later; earlier ones spin without. */
const pause: () => void = (Atomics as { pause?: () => void }).pause ?? (() => {});

/** One side's view of what it waits on: indexes into `i32`. */
export interface WaitPlace {
  readonly i32: Int32Array;
  readonly futex: Futex | undefined;
  /** The other side's position. */
  readonly position: number;
  readonly ownSignal: number;
  readonly peerSignal: number;
  /** Counts this side's sleeps. */
  readonly waits: number;
}

/** Waits until the word `place.position` differs from `seen`. Throws ArgumentError on a strategy it can't follow. */
export function waitForMove(place: WaitPlace, seen: number, options: WaitOptions = {}): WaitResult {
  const { timeoutMs = Number.POSITIVE_INFINITY, strategy = "adaptive", signal } = options;
  signal?.throwIfAborted();
  const early = look(place, seen);
  if (early !== undefined) return early;
  if (!(timeoutMs >= 0)) throw new ArgumentError(`timeoutMs must be 0 or more: timeoutMs=${timeoutMs}`, { timeoutMs });
  const start = performance.now();
  const deadline = start + timeoutMs;
  switch (strategy) {
    case "spin":
      return spin(place, seen, deadline, signal);
    case "adaptive": {
      const spun = spinUntil(place, seen, Math.min(deadline, start + ADAPTIVE_SPIN_MS));
      return spun === "timed-out" ? park(place, seen, deadline, signal) : spun;
    }
    case "park":
      return park(place, seen, deadline, signal);
    default:
      throw new ArgumentError(`unknown wait strategy: strategy=${String(strategy)}`, { strategy });
  }
}

/** What can be said without waiting: the position moved, or never will again. */
function look(place: WaitPlace, seen: number): WaitResult | undefined {
  const { i32 } = place;
  if (Atomics.load(i32, place.position) !== seen) return "ready";
  if (Atomics.load(i32, place.peerSignal) !== SIGNAL_CLOSED) return undefined;
  // The other side closes after its last move: what it published before is seen by now.
  return Atomics.load(i32, place.position) !== seen ? "ready" : "closed";
}

function spinUntil(place: WaitPlace, seen: number, deadline: number): WaitResult {
  const { i32, position } = place;
  for (;;) {
    for (let looks = 0; looks < LOOKS_PER_CLOCK; looks++) {
      // An atomic load: a plain one could be hoisted out of the loop.
      if (Atomics.load(i32, position) !== seen) return "ready";
      pause();
    }
    const found = look(place, seen);
    if (found !== undefined) return found;
    if (performance.now() >= deadline) return "timed-out";
  }
}

function spin(place: WaitPlace, seen: number, deadline: number, signal: AbortSignal | undefined): WaitResult {
  for (;;) {
    signal?.throwIfAborted();
    const result = spinUntil(place, seen, Math.min(deadline, performance.now() + SPIN_BEFORE_NAP_MS));
    if (result !== "timed-out" || performance.now() >= deadline) return result;
    // No signal is set, so nobody pays for waking this side: it comes back by itself.
    place.futex?.wait(place.ownSignal, SIGNAL_AWAKE, SPIN_NAP_MS);
  }
}

function park(place: WaitPlace, seen: number, deadline: number, signal: AbortSignal | undefined): WaitResult {
  const { i32, futex, ownSignal } = place;
  if (futex === undefined) {
    throw new ArgumentError("parking needs a futex: give one to the handle, or wait with strategy spin");
  }
  for (;;) {
    signal?.throwIfAborted();
    const remainingMs = deadline - performance.now();
    if (remainingMs <= 0) return look(place, seen) ?? "timed-out";
    // SYNC POINT with notify in the other handle: the store comes before the look, see the header.
    Atomics.store(i32, ownSignal, SIGNAL_PARKED);
    let result = look(place, seen);
    if (result === undefined) {
      Atomics.add(i32, place.waits, 1);
      futex.wait(ownSignal, SIGNAL_PARKED, Math.min(WAIT_SLICE_MS, remainingMs));
      result = look(place, seen);
    }
    Atomics.store(i32, ownSignal, SIGNAL_AWAKE);
    if (result !== undefined) return result;
  }
}
