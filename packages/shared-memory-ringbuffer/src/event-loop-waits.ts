/**
 * Waiting on an event loop as promises: many waits of one participant, for different things, behind its one doorbell.
 *
 * - Nothing blocks. A wait ends when its condition holds, when its time is over, or by its signal; the last with a rejection.
 * - Conditions are asked after each ring and every 100 ms: a publisher that dies before it rings delays a wait, no more.
 * - The doorbell is made with the first wait and keeps the process alive only while somebody waits.
 */
import { checkTimeout, type LockOptions } from "./async-lock.ts";
import { EventLoopDoorbell } from "./doorbell.ts";
import { SharedMemoryError } from "./errors.ts";
import type { Segment } from "./segment.ts";

/** What iterators and `…Async` methods need. A `Segment` has one. */
export interface EventLoopWaits {
  /** True when `hasWork` answers true, false when `timeoutMs` have passed. Rejects with the signal's reason. */
  waitAsync(hasWork: () => boolean, options?: LockOptions): Promise<boolean>;
}

interface Wait {
  readonly hasWork: () => boolean;
  settle(ready: boolean): void;
  fail(reason: unknown): void;
}

export class DoorbellWaits implements EventLoopWaits {
  readonly #segment: Segment;
  readonly #waits = new Set<Wait>();
  #bell: EventLoopDoorbell | undefined;

  constructor(segment: Segment) {
    this.#segment = segment;
    segment.onClose(() => this.#segmentClosed());
  }

  /** Throws ArgumentError when this participant has a doorbell of the program's own. */
  waitAsync(hasWork: () => boolean, options: LockOptions = {}): Promise<boolean> {
    const { signal } = options;
    const timeoutMs = checkTimeout(options.timeoutMs);
    return new Promise<boolean>((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#segment.closed) throw closedError();
      let timer: NodeJS.Timeout | undefined;
      const onAbort = (): void => wait.fail(signal?.reason);
      const end = (): void => {
        this.#waits.delete(wait);
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        if (this.#waits.size === 0) this.#bell?.unref().disarm();
      };
      const wait: Wait = {
        hasWork,
        settle: (ready) => {
          end();
          resolve(ready);
        },
        fail: (reason) => {
          end();
          reject(reason);
        },
      };
      this.#waits.add(wait);
      try {
        this.#openBell().ref().arm();
        // Armed for others before, perhaps: the look that must follow the announcement is made here.
        if (hasWork()) return wait.settle(true);
      } catch (error) {
        return wait.fail(error);
      }
      if (timeoutMs === 0) return wait.settle(false);
      if (timeoutMs !== Number.POSITIVE_INFINITY) timer = setTimeout(() => wait.settle(hasWork()), timeoutMs);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  #openBell(): EventLoopDoorbell {
    this.#bell ??= new EventLoopDoorbell(this.#segment, {
      hasWork: () => {
        for (const { hasWork } of this.#waits) if (hasWork()) return true;
        return false;
      },
      onRing: () => {
        for (const wait of [...this.#waits]) {
          try {
            if (wait.hasWork()) wait.settle(true);
          } catch (error) {
            wait.fail(error);
          }
        }
        if (this.#waits.size > 0) this.#bell?.arm();
      },
    });
    return this.#bell;
  }

  #segmentClosed(): void {
    for (const wait of [...this.#waits]) wait.fail(closedError());
    this.#bell = undefined;
  }
}

function closedError(): SharedMemoryError {
  return new SharedMemoryError("ERR_SHM_CLOSED", "waitAsync: the segment is closed");
}
