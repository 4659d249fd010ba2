/**
 * Taking the mutex on an event loop: tries, gives the loop a turn, tries again. Never blocks, never sleeps in the kernel.
 *
 * - The first tries are a turn of the loop apart, later ones up to {@link MAX_BACKOFF_MS}: a lock that is given back within
 *   microseconds is had at once, and one whose holder is stopped costs next to no CPU.
 * - A dead holder is noticed by `tryLock` itself, after one slice of failed tries.
 * - Tasks of one thread that ask at the same time wait for each other: the thread holds the lock only once.
 */
import { setTimeout as afterMs, setImmediate as nextTurn } from "node:timers/promises";
import type { LockGrant } from "./contracts.ts";
import { ArgumentError } from "./errors.ts";

export interface LockOptions {
  /** Milliseconds to wait at most; default: for ever. 0 tries once. */
  readonly timeoutMs?: number | undefined;
  /** Gives up when aborted, by throwing the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface TryLock {
  readonly held: boolean;
  tryLock(spins: number): LockGrant | undefined;
}

/** What `withLock` answers: the function's value, or that it wasn't called because the lock wasn't free in time. */
export type LockResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: "timed-out" };

/** Some microseconds: longer than a short critical section, too short to be felt by the loop. */
const SPINS_PER_TRY = 50;
const TRIES_A_TURN_APART = 8;
const MAX_BACKOFF_MS = 8;

/** Throws ArgumentError unless `timeoutMs` is a number from 0 up; answers it, or infinity for none. */
export function checkTimeout(timeoutMs: number | undefined): number {
  if (timeoutMs === undefined) return Number.POSITIVE_INFINITY;
  if (!(timeoutMs >= 0)) throw new ArgumentError(`timeoutMs must be 0 or more: timeoutMs=${timeoutMs}`, { timeoutMs });
  return timeoutMs;
}

/** `undefined`: timed out. Rejects with the signal's reason, or with what `tryLock` throws. */
export async function lockAsync(mutex: TryLock, options: LockOptions = {}): Promise<LockGrant | undefined> {
  const { signal } = options;
  const deadlineMs = performance.now() + checkTimeout(options.timeoutMs);
  for (let tries = 0, backoffMs = 1; ; tries++) {
    signal?.throwIfAborted();
    const grant = mutex.held ? undefined : mutex.tryLock(SPINS_PER_TRY);
    if (grant !== undefined) return grant;
    const remainingMs = deadlineMs - performance.now();
    if (remainingMs <= 0) return undefined;
    try {
      if (tries < TRIES_A_TURN_APART) await nextTurn(undefined, { signal });
      else await afterMs(Math.min(backoffMs, remainingMs), undefined, { signal });
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
    if (tries >= TRIES_A_TURN_APART) backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
  }
}
