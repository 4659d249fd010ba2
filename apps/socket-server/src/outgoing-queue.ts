/**
 * What is still to be written to one peer.
 *
 * - At most one write is outstanding; everything queued meanwhile goes in the next, as one buffer.
 * - What is queued in one turn of the event loop goes in one write: a turn's queues are flushed together at its end.
 * - Bounded in bytes and in time: past either, `onSlow` is called once (never from within `send`), and what was waiting
 *   is dropped but for what `onSlow` sends.
 * - Order is kept, and the bytes given are neither changed nor copied unless they have to be joined.
 */

import { Traffic } from "./traffic.ts";

/** Where bytes go: a socket of net or tls, or a WebSocket, see websocket-sink.ts. */
export interface Sink {
  readonly destroyed: boolean;
  /** Calls back when the operating system has taken the bytes. */
  write(bytes: Uint8Array, written: (error?: Error | null) => void): unknown;
  /** What was written is sent, then the end. */
  end(): unknown;
  destroy(): unknown;
  once(event: "close", listener: () => void): unknown;
}

export interface QueueLimits {
  /** With this much waiting, more is too much. */
  readonly maxBytes: number;
  /** A write that the peer's side hasn't taken for so long is stuck. */
  readonly stallTimeoutMs: number;
  /** How long a peer may take to receive what is left after `end`, before the socket is destroyed. */
  readonly lingerMs: number;
}

export const DEFAULT_QUEUE_LIMITS: QueueLimits = { maxBytes: 1024 * 1024, stallTimeoutMs: 10_000, lingerMs: 5_000 };

/** Flushes the queues that were written to in a turn, with one `setImmediate` for all of them. */
export class TurnFlusher {
  readonly traffic: Traffic;
  #dirty: OutgoingQueue[] = [];
  readonly #flush = (): void => {
    const queues = this.#dirty;
    this.#dirty = [];
    for (const queue of queues) queue.flush();
  };

  constructor(traffic: Traffic = new Traffic()) {
    this.traffic = traffic;
  }

  add(queue: OutgoingQueue): void {
    if (this.#dirty.push(queue) === 1) setImmediate(this.#flush);
  }
}

export class OutgoingQueue {
  readonly #sink: Sink;
  readonly #flusher: TurnFlusher;
  readonly #limits: QueueLimits;
  readonly #onSlow: () => void;
  /** Called when nothing is waiting any more. */
  readonly #onDrained: () => void;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #outstandingBytes = 0;
  #outstandingSinceMs = 0;
  #isOutstanding = false;
  #isDirty = false;
  #isDropping = false;
  #isEnding = false;
  #isSlow = false;

  constructor(
    sink: Sink,
    flusher: TurnFlusher,
    limits: QueueLimits,
    onSlow: () => void,
    onDrained: () => void = () => {},
  ) {
    this.#sink = sink;
    this.#flusher = flusher;
    this.#limits = limits;
    this.#onSlow = onSlow;
    this.#onDrained = onDrained;
  }

  /** Bytes that the operating system has not taken yet. */
  get pendingBytes(): number {
    return this.#waitingBytes + this.#outstandingBytes;
  }

  /** Queues `bytes`, which must not be changed afterwards. After `end` they are dropped. */
  send(bytes: Uint8Array): void {
    if (this.#isEnding || this.#isDropping) return;
    // What one turn brings always fits: a peer that keeps up is never cut, however much is said at once.
    if (this.pendingBytes >= this.#limits.maxBytes && this.#isOutstanding) {
      this.#cut();
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#flushSoon();
  }

  /** Writes what is queued, then sends FIN. A peer that doesn't take it in time loses the connection. */
  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#flushSoon();
    const linger = setTimeout(() => this.#sink.destroy(), this.#limits.lingerMs);
    linger.unref();
    this.#sink.once("close", () => clearTimeout(linger));
  }

  /** For the flusher, at the end of a turn. */
  flush(): void {
    this.#isDirty = false;
    if (this.#isOutstanding || this.#sink.destroyed) return;
    const { length } = this.#waiting;
    if (length === 0) {
      if (this.#isEnding) this.#sink.end();
      return;
    }
    const bytes = length === 1 ? (this.#waiting[0] as Uint8Array) : Buffer.concat(this.#waiting, this.#waitingBytes);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#outstandingBytes = bytes.length;
    this.#outstandingSinceMs = performance.now();
    this.#isOutstanding = true;
    const { traffic } = this.#flusher;
    traffic.writes++;
    traffic.writtenBytes += bytes.length;
    this.#sink.write(bytes, this.#written);
  }

  /** To be called now and then: cuts the connection if its write has been outstanding for too long. */
  checkStall(nowMs: number): void {
    const isStuck = this.#isOutstanding && nowMs - this.#outstandingSinceMs >= this.#limits.stallTimeoutMs;
    if (isStuck && !this.#isEnding) this.#cut();
  }

  readonly #written = (error?: Error | null): void => {
    this.#isOutstanding = false;
    this.#outstandingBytes = 0;
    if (error) return;
    if (this.#waiting.length > 0 || this.#isEnding) this.flush();
    else this.#onDrained();
  };

  #flushSoon(): void {
    if (this.#isDirty || this.#isOutstanding) return;
    this.#isDirty = true;
    this.#flusher.add(this);
  }

  #cut(): void {
    if (this.#isSlow) return;
    this.#isSlow = true;
    this.#isDropping = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    setImmediate(() => {
      this.#isDropping = false;
      this.#onSlow();
    });
  }
}
