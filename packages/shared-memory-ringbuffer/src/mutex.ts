/**
 * One lock for a segment, owned by a participant, that survives the death of its owner.
 *
 * - Lock word: 0 free, else waiters bit | owner's generation | owner's slot + 1. Taking is one compare-and-swap,
 *   giving back one exchange, and the kernel is called only when the waiters bit was set (Drepper, "Futexes Are
 *   Tricky", mutex 2, with an owner in the word).
 * - A waiter spins, then sleeps in slices of {@link LOCK_SLICE_MS}. After a slice without progress it looks whether
 *   the owner lives; a lock whose owner is dead is taken over with a compare-and-swap on exactly the dead word.
 * - After a takeover every grant says `recovered: true` until an owner who was told gives the lock back with
 *   {@link RobustMutex.unlock}: the repair word keeps it, so a repairer that dies, or code that only needs the lock to
 *   join or to reap, passes the duty on.
 * - Not reentrant. One RobustMutex belongs to one thread.
 *
 * An owner word that names a free slot, another generation or no slot counts as dead: the living owner of a lock
 * always has its slot (it gives the lock back before it frees the slot), so only a dead one or corruption looks so. If
 * it looks so because the owner has left meanwhile, the word has changed too and the takeover's exchange fails.
 */
import { checkTimeout, type LockOptions, type LockResult, lockAsync } from "./async-lock.ts";
import type { LockGrant, Mutex } from "./contracts.ts";
import { ArgumentError, SharedMemoryError } from "./errors.ts";
import { failpoint } from "./failpoint.ts";
import type { Futex } from "./futex.ts";
import {
  LOCK_GENERATION_MASK,
  LOCK_OFFSET,
  LOCK_SLOT_BITS,
  LOCK_SLOT_MASK,
  LOCK_WAITERS,
  REPAIR_OFFSET,
} from "./layout.ts";
import type { Participant, ParticipantTable } from "./participants.ts";
import { pause } from "./wait-strategy.ts";

/** A waiter looks at the owner's liveness this often; also the bound on a lost wake. */
export const LOCK_SLICE_MS = 20;
/** Looks at the word before a waiter sleeps: some microseconds, longer than a short critical section. */
const SPIN_LOOKS = 100;

const LOCK_INDEX = LOCK_OFFSET >>> 2;
const REPAIR_INDEX = REPAIR_OFFSET >>> 2;

const TIMED_OUT = Object.freeze({ ok: false, reason: "timed-out" } as const);
const CLEAN: LockGrant = Object.freeze({ recovered: false });
const RECOVERED: LockGrant = Object.freeze({ recovered: true });

export interface MutexEvents {
  /** The lock of a dead owner was taken over. */
  onRecovery(): void;
  onWait(): void;
}

export class RobustMutex implements Mutex {
  readonly #i32: Int32Array;
  readonly #futex: Futex;
  readonly #table: ParticipantTable;
  readonly #events: MutexEvents | undefined;
  readonly #me: number;
  #held = false;
  #closed = false;
  /** Whether this owner was told `recovered`, and so clears the repair word when it gives the lock back. */
  #told = false;
  /** The owner that a failed tryLock last saw, and since when, to notice a dead one without ever sleeping. */
  #suspect = 0;
  #suspectSinceMs = 0;

  constructor(table: ParticipantTable, futex: Futex, owner: Participant, events?: MutexEvents) {
    this.#i32 = table.memory.i32;
    this.#futex = futex;
    this.#table = table;
    this.#events = events;
    this.#me = owner.ownerWord;
  }

  /** True while this thread holds the lock. */
  get held(): boolean {
    return this.#held;
  }

  /**
   * Blocks the thread until the lock is free, for at most so many milliseconds (default: for ever). `undefined`: timed out.
   * A signal is looked at before and between slices; nothing can abort it while this very thread is blocked, so it serves
   * one that another part of the program has aborted already. Throws its reason, ArgumentError, ERR_SHM_CLOSED.
   */
  lock(options?: number | LockOptions): LockGrant | undefined {
    if (this.#closed) throw closedError();
    const signal = typeof options === "object" ? options.signal : undefined;
    signal?.throwIfAborted();
    failpoint("mutex-lock:begin");
    if (Atomics.compareExchange(this.#i32, LOCK_INDEX, 0, this.#me) === 0) return this.#granted();
    return this.#lockContended(checkTimeout(typeof options === "object" ? options.timeoutMs : options), signal);
  }

  /** For an event loop: waits without blocking. `undefined`: timed out. Rejects with the signal's reason. */
  lockAsync(options?: LockOptions): Promise<LockGrant | undefined> {
    return lockAsync(this, options);
  }

  /**
   * Runs `fn` under the lock, blocking the thread for it. `fn` is told whether the previous owner died inside
   * (`recovered`); returning says that what the lock protects is in order again, throwing leaves that to the next owner.
   */
  withLock<T>(fn: (grant: LockGrant) => T, options?: number | LockOptions): LockResult<T> {
    const grant = this.lock(options);
    if (grant === undefined) return TIMED_OUT;
    let returned = false;
    try {
      const value = fn(grant);
      returned = true;
      return { ok: true, value };
    } finally {
      this.#giveBack(returned);
    }
  }

  /** The same on an event loop. What `fn` awaits is awaited with the lock held: keep that short. */
  async withLockAsync<T>(fn: (grant: LockGrant) => T | Promise<T>, options?: LockOptions): Promise<LockResult<T>> {
    const grant = await this.lockAsync(options);
    if (grant === undefined) return TIMED_OUT;
    let returned = false;
    try {
      const value = await fn(grant);
      returned = true;
      return { ok: true, value };
    } finally {
      this.#giveBack(returned);
    }
  }

  tryLock(spins = 0): LockGrant | undefined {
    if (this.#closed) throw closedError();
    failpoint("mutex-try:begin");
    const i32 = this.#i32;
    if (Atomics.compareExchange(i32, LOCK_INDEX, 0, this.#me) === 0) return this.#granted();
    if (this.#held) throw relocked();
    for (let look = 0; look < spins; look++) {
      if (Atomics.load(i32, LOCK_INDEX) === 0 && Atomics.compareExchange(i32, LOCK_INDEX, 0, this.#me) === 0) {
        return this.#granted();
      }
      pause();
    }
    return this.#trySuspect();
  }

  unlock(): void {
    if (!this.#held) throw new ArgumentError("unlock: this thread does not hold the lock");
    failpoint("mutex-unlock:begin");
    if (this.#told) {
      this.#told = false;
      this.#i32[REPAIR_INDEX] = 0;
      failpoint("mutex-unlock:repair");
    }
    this.#release();
  }

  /** Gives the lock back without having repaired anything: the next owner is told `recovered` if this one was. */
  unlockUnrepaired(): void {
    if (!this.#held) throw new ArgumentError("unlock: this thread does not hold the lock");
    this.#told = false;
    this.#release();
  }

  /** From now on `lock` and `tryLock` throw ERR_SHM_CLOSED: the owner has no slot any more, so a lock of its would look dead. */
  close(): void {
    this.#closed = true;
  }

  #giveBack(repaired: boolean): void {
    if (repaired) this.unlock();
    else this.unlockUnrepaired();
  }

  #release(): void {
    this.#held = false;
    // The waiters bit is the sign: the word is negative.
    const seen = Atomics.exchange(this.#i32, LOCK_INDEX, 0);
    failpoint("mutex-unlock:released");
    if (seen < 0) {
      this.#futex.wake(LOCK_INDEX, 1);
      failpoint("mutex-unlock:woken");
    }
  }

  #granted(): LockGrant {
    this.#held = true;
    failpoint("mutex-lock:taken");
    // A plain read is enough: the exchange that gave the lock back comes before the one that took it.
    if (this.#i32[REPAIR_INDEX] === 0) return CLEAN;
    this.#told = true;
    return RECOVERED;
  }

  #lockContended(timeoutMs: number, signal: AbortSignal | undefined): LockGrant | undefined {
    if (this.#held) throw relocked();
    const i32 = this.#i32;
    for (let look = 0; look < SPIN_LOOKS; look++) {
      if (Atomics.load(i32, LOCK_INDEX) === 0 && Atomics.compareExchange(i32, LOCK_INDEX, 0, this.#me) === 0) {
        return this.#granted();
      }
      pause();
    }
    const deadlineMs = performance.now() + timeoutMs;
    this.#events?.onWait();
    // Whoever has slept takes the lock with the waiters bit set, because others may sleep too.
    const meAndWaiters = this.#me | LOCK_WAITERS;
    for (;;) {
      signal?.throwIfAborted();
      const seen = Atomics.load(i32, LOCK_INDEX);
      if (seen === 0) {
        if (Atomics.compareExchange(i32, LOCK_INDEX, 0, meAndWaiters) === 0) return this.#granted();
        continue;
      }
      const remainingMs = deadlineMs - performance.now();
      if (remainingMs <= 0) return undefined;
      const asleep = seen | LOCK_WAITERS;
      if (seen !== asleep && Atomics.compareExchange(i32, LOCK_INDEX, seen, asleep) !== seen) continue;
      failpoint("mutex-lock:waiting");
      const outcome = this.#futex.wait(LOCK_INDEX, asleep, Math.min(LOCK_SLICE_MS, remainingMs));
      if (outcome === "timed-out" && Atomics.load(i32, LOCK_INDEX) === asleep) {
        const grant = this.#takeOver(asleep);
        if (grant !== undefined) return grant;
      }
    }
  }

  /** After a failed tryLock: takes over when one and the same owner has been seen for a slice and is dead. */
  #trySuspect(): LockGrant | undefined {
    const seen = Atomics.load(this.#i32, LOCK_INDEX);
    const owner = seen & ~LOCK_WAITERS;
    if (owner === 0) return undefined;
    const nowMs = performance.now();
    if (owner !== this.#suspect) {
      this.#suspect = owner;
      this.#suspectSinceMs = nowMs;
      return undefined;
    }
    if (nowMs - this.#suspectSinceMs < LOCK_SLICE_MS) return undefined;
    this.#suspectSinceMs = nowMs;
    return this.#takeOver(seen);
  }

  #takeOver(seen: number): LockGrant | undefined {
    if (!this.#isOwnerDead(seen)) return undefined;
    if (Atomics.compareExchange(this.#i32, LOCK_INDEX, seen, this.#me | LOCK_WAITERS) !== seen) return undefined;
    this.#held = true;
    failpoint("mutex-takeover:taken");
    this.#i32[REPAIR_INDEX] = 1;
    failpoint("mutex-takeover:repair");
    this.#told = true;
    this.#events?.onRecovery();
    return RECOVERED;
  }

  #isOwnerDead(word: number): boolean {
    const generation = (word >>> LOCK_SLOT_BITS) & LOCK_GENERATION_MASK;
    return this.#table.isOwnerDead((word & LOCK_SLOT_MASK) - 1, generation);
  }
}

function closedError(): SharedMemoryError {
  return new SharedMemoryError("ERR_SHM_CLOSED", "lock: the segment is closed");
}

function relocked(): ArgumentError {
  return new ArgumentError("lock: this thread already holds the lock");
}
