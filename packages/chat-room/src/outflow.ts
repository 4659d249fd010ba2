/**
 * What a session is given of the log's events, on its way to the connection.
 *
 * - Normally straight through. While the session catches up on what was before, what happens meanwhile is held back, and
 *   follows in order; more than HELD_BYTES of it is an overflow.
 * - Replaying waits for the connection to take what it was given, so that its queue is not what bounds a replay.
 */

import { concatenate } from "./binary-encoding.ts";
import type { Connection } from "./connection.ts";

const HELD_BYTES = 1024 * 1024;
const REPLAY_CHUNK_BYTES = 64 * 1024;
/** Replaying pauses while the connection has more than this to send. */
const REPLAY_PAUSE_BYTES = 256 * 1024;

export class Outflow {
  readonly #connection: Connection;
  readonly #onOverflow: () => void;
  #held: Uint8Array[] | undefined;
  #heldBytes = 0;
  #isOver = false;
  #onDrained: () => void = () => {};

  constructor(connection: Connection, onOverflow: () => void) {
    this.#connection = connection;
    this.#onOverflow = onOverflow;
  }

  deliver(bytes: Uint8Array): void {
    if (this.#isOver) return;
    if (this.#held === undefined) this.#connection.send(bytes);
    else {
      this.#held.push(bytes);
      this.#heldBytes += bytes.length;
      if (this.#heldBytes > HELD_BYTES) {
        this.#held = [];
        this.#heldBytes = 0;
        // Not now: the room is in the middle of a turn.
        queueMicrotask(this.#onOverflow);
      }
    }
  }

  hold(): void {
    this.#held ??= [];
  }

  /** What was held back goes out. */
  release(): void {
    const held = this.#held;
    this.#held = undefined;
    this.#heldBytes = 0;
    if (held !== undefined && held.length > 0 && !this.#isOver) this.#connection.send(concatenate(held));
  }

  /** Gives out earlier events, before what is held back. */
  async replay(events: readonly Uint8Array[]): Promise<void> {
    let chunk: Uint8Array[] = [];
    let chunkBytes = 0;
    for (const [index, event] of events.entries()) {
      chunk.push(event);
      chunkBytes += event.length;
      if (chunkBytes < REPLAY_CHUNK_BYTES && index < events.length - 1) continue;
      if (this.#isOver) return;
      this.#connection.send(this.#connection.encoding.events(chunk));
      chunk = [];
      chunkBytes = 0;
      await this.#room();
    }
  }

  /** The connection has taken what it was given. */
  drained(): void {
    this.#onDrained();
  }

  /** Nothing goes out any more, and nobody waits. */
  end(): void {
    this.#isOver = true;
    this.#held = undefined;
    this.#onDrained();
  }

  async #room(): Promise<void> {
    while (!this.#isOver && (this.#connection.pendingBytes ?? 0) > REPLAY_PAUSE_BYTES) {
      await new Promise<void>((resolve) => {
        this.#onDrained = resolve;
      });
    }
  }
}
