/** Echo mode: every byte comes back. Reading pauses while the peer doesn't read. */

import type { ConnectionContext, Handler } from "./handler.ts";
import { OutgoingQueue } from "./outgoing-queue.ts";

const PAUSE_AT_BYTES = 256 * 1024;

export class EchoConnection implements Handler {
  readonly #context: ConnectionContext;
  readonly #queue: OutgoingQueue;

  constructor(context: ConnectionContext) {
    this.#context = context;
    const { link, flusher, queueLimits } = context;
    this.#queue = new OutgoingQueue(
      link,
      flusher,
      queueLimits,
      () => link.destroy(),
      () => link.resume(),
    );
  }

  data(chunk: Buffer): void {
    this.#context.traffic.receivedBytes += chunk.length;
    this.#queue.send(chunk);
    if (this.#queue.pendingBytes >= PAUSE_AT_BYTES) this.#context.link.pause();
  }

  finished(): void {
    this.#queue.end();
  }

  closed(): void {}

  handshakeIsOver(): void {}

  checkStall(nowMs: number): void {
    this.#queue.checkStall(nowMs);
  }
}
