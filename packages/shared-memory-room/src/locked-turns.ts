/**
 * Lock, write, unlock: everything that this process changes in the segment goes through here.
 *
 * - Work waits in a queue and is done in call order, as much of it as possible under one lock: what a turn of the
 *   event loop hands in costs one lock, one publication, one unlock and one ring of the doorbells.
 * - The event loop never sleeps for the lock: it is tried with a bounded spin, and tried again from a timer.
 * - The queue is bounded in number and bytes. Past it work is refused with OVERLOADED; what is queued stays queued,
 *   however long another process (stopped, say) keeps the lock.
 * - A task that throws rejects its own promise. Only what `isFatal` says ends it all, and then nothing of that lock is
 *   published.
 */

import { RoomLogError } from "@parley/chat-room";
import type { Doorbells, LockGrant, LogTransaction, Mutex, Region } from "shared-memory-ringbuffer";
import { SharedLog } from "shared-memory-ringbuffer";
import type { OnTrace, TraceStep } from "./trace.ts";

/** Looks at the lock word before giving up for now: a holder that runs is through in less. */
const LOCK_SPINS = 200;
/** Tasks done under one lock, so that neither this event loop nor other processes wait long. */
const MAX_TASKS_A_LOCK = 256;
/** A turn may write this part of the log, and always one task. */
const TURNS_PER_LOG = 4;
const FIRST_RETRY_MS = 1;
const LONGEST_RETRY_MS = 20;

/** The log's own view of the lock, when this thread holds it already. */
const HELD: Mutex = {
  lock: (): LockGrant => ({ recovered: false }),
  tryLock: (): LockGrant => ({ recovered: false }),
  unlock: () => {},
  unlockUnrepaired: () => {},
};

export interface LockedTurnsOptions {
  readonly mutex: Mutex;
  readonly doorbells: Doorbells;
  /** Of the log. */
  readonly region: Region;
  readonly maxQueuedTasks: number;
  readonly maxQueuedBytes: number;
  /** First thing under each lock: brings what this process knows up to the tail. */
  readonly catchUp: () => void;
  /** True for an error after which nothing more can be done with the segment. */
  readonly isFatal: (error: unknown) => boolean;
  /** Told of it; `end` follows. */
  readonly onFatal: (error: Error) => void;
  readonly onTrace: OnTrace | undefined;
}

/** What a task does under the lock. What it returns, `run` resolves with once it is published. */
export type LockedWork<Result> = (log: LogTransaction) => Result;

interface Task {
  readonly sizeBytes: number;
  readonly work: (log: LogTransaction) => void;
  readonly before: (() => void) | undefined;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

export class LockedTurns {
  readonly #options: LockedTurnsOptions;
  readonly #log: SharedLog;
  #queue: Task[] = [];
  #queuedBytes = 0;
  #scheduled: NodeJS.Immediate | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = FIRST_RETRY_MS;
  #ended: Error | undefined;
  /** What happened under the lock, told after it: a trace that goes into a full pipe must not hold everybody up. */
  #steps: [TraceStep, string, number][] = [];

  constructor(options: LockedTurnsOptions) {
    this.#options = options;
    this.#log = new SharedLog(options.region, { mutex: HELD });
  }

  /** Tasks that wait for the lock. */
  get queuedTasks(): number {
    return this.#queue.length;
  }

  /**
   * Runs `work` under the lock, soon, after everything asked for earlier. Rejects with RoomLogError OVERLOADED when
   * the queue is full, with what `work` throws, or with the reason of `end`. `before` is called under the same lock, before
   * anything of this turn is written: it may publish by itself, with `publishLocked`.
   */
  run<Result>(sizeBytes: number, work: LockedWork<Result>, before?: () => void): Promise<Result> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const { maxQueuedTasks, maxQueuedBytes } = this.#options;
    if (this.#queue.length >= maxQueuedTasks || this.#queuedBytes + sizeBytes > maxQueuedBytes) {
      const waiting = `${this.#queue.length} tasks of ${this.#queuedBytes} bytes wait for the segment's lock`;
      return Promise.reject(new RoomLogError("OVERLOADED", `${waiting}; try again later`));
    }
    return new Promise((resolve, reject) => {
      let result: Result;
      this.#queue.push({
        sizeBytes,
        work: (log) => {
          result = work(log);
        },
        before,
        done: () => resolve(result),
        failed: reject,
      });
      this.#queuedBytes += sizeBytes;
      // An immediate, not a microtask: all that the sockets of this turn bring goes under one lock.
      if (this.#scheduled === undefined && this.#retry === undefined) this.#schedule();
    });
  }

  /** Writes and publishes now, for a caller that holds the lock already. */
  publishLocked(work: LockedWork<void>): void {
    this.#options.catchUp();
    this.#log.transaction(work);
  }

  /** For the trace: a step of the work under the lock. */
  trace(step: TraceStep, detail: () => string): void {
    if (this.#options.onTrace !== undefined) this.#steps.push([step, detail(), Date.now()]);
  }

  /** Rejects what waits and all that comes. */
  end(reason: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    clearImmediate(this.#scheduled);
    clearTimeout(this.#retry);
    const queue = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    for (const task of queue) task.failed(reason);
  }

  #schedule(): void {
    this.#scheduled = setImmediate(() => {
      this.#scheduled = undefined;
      this.#turn();
    });
  }

  #scheduleRetry(): void {
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#turn();
    }, this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, LONGEST_RETRY_MS);
  }

  #turn(): void {
    try {
      this.#lockWriteUnlock();
    } catch (error) {
      const fatal = error instanceof Error ? error : new Error(String(error));
      this.#options.onFatal(fatal);
      this.end(fatal);
    }
  }

  #lockWriteUnlock(): void {
    const { mutex, doorbells } = this.#options;

    const grant = mutex.tryLock(LOCK_SPINS);
    if (grant === undefined) {
      this.#scheduleRetry();
      return;
    }
    this.#retryMs = FIRST_RETRY_MS;
    this.trace("lock", () => (grant.recovered ? "recovered: its holder died inside" : ""));

    let settle: readonly (() => void)[] | undefined;
    try {
      this.#options.catchUp();
      for (let index = 0; index < MAX_TASKS_A_LOCK; index++) this.#queue[index]?.before?.();
      // What is appended inside becomes visible to readers by one store, when the transaction returns.
      const written = this.#log.transaction((log) => this.#work(log));
      settle = written.ok ? written.value : [];
    } finally {
      // Whoever couldn't catch up hasn't repaired anything: the next owner is told as well.
      if (settle === undefined) mutex.unlockUnrepaired();
      else mutex.unlock();
      this.trace("unlock", () => "");
      this.#tellSteps();
    }

    doorbells.ringSleepers();
    for (const task of this.#queue.splice(0, settle.length)) this.#queuedBytes -= task.sizeBytes;
    for (const settleTask of settle) settleTask();
    if (this.#queue.length > 0 && this.#scheduled === undefined) this.#schedule();
  }

  /** Does queued tasks, which stay in the queue until they are published; returns how each is to be settled. */
  #work(log: LogTransaction): readonly (() => void)[] {
    const settle: (() => void)[] = [];
    let bytesLeft = this.#log.capacityBytes / TURNS_PER_LOG;
    for (const task of this.#queue) {
      if (settle.length >= MAX_TASKS_A_LOCK || (settle.length > 0 && task.sizeBytes > bytesLeft)) break;
      bytesLeft -= task.sizeBytes;
      try {
        task.work(log);
        settle.push(task.done);
      } catch (error) {
        if (this.#options.isFatal(error)) throw error;
        settle.push(() => task.failed(error));
      }
    }
    return settle;
  }

  #tellSteps(): void {
    const { onTrace } = this.#options;
    if (onTrace === undefined) return;
    const steps = this.#steps;
    this.#steps = [];
    for (const [step, detail, timeMs] of steps) onTrace(step, detail, timeMs);
  }
}
