/**
 * What the rings and the log need of the segment around them, so that they can be read, tested and modelled apart
 * from mappings, processes and the kernel.
 */

/** What `lock` answers: `recovered` when the previous owner died inside, so that derived state must be checked. */
export interface LockGrant {
  readonly recovered: boolean;
}

/** A lock owned by one participant (thread) at a time, that survives the death of its owner. */
export interface Mutex {
  /** Blocks the thread up to `timeoutMs` (default: for ever, in bounded slices). `undefined`: timed out. */
  lock(timeoutMs?: number): LockGrant | undefined;
  /** Tries once, spinning for at most `spins` looks at the word. Never sleeps: fit for an event loop. */
  tryLock(spins?: number): LockGrant | undefined;
  /** Throws ArgumentError when the caller is not the owner. */
  unlock(): void;
  /** Gives the lock back with nothing repaired: if this owner was told `recovered`, the next is told, too. */
  unlockUnrepaired(): void;
}

/** How one participant makes others notice what it published, and is noticed itself. */
export interface Doorbells {
  /** Rings every participant whose event loop or thread said that it sleeps. Call after publishing. */
  ringSleepers(): void;
}

/** Readers that writers of a log must not overtake. Each participant can gate one log. */
export interface LogGates {
  /** Gates the log that starts at `logOffsetBytes`, or none. Called under the mutex, except to stop. */
  setGate(logOffsetBytes: number | undefined, position: number): void;
  publishCursor(position: number): void;
  /** The smallest position of a reader that gates; a dead one below `needed` doesn't count. Infinity: there is none. */
  slowestGate(logOffsetBytes: number, needed: number): number;
}
