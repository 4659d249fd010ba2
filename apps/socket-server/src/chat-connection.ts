/**
 * What binary and text connections have in common: a socket on one side, a session on the other.
 *
 * - Reading pauses while the session is busy, and while the peer doesn't read its answers.
 * - After `end` whatever still arrives is read and dropped: closing a socket with unread bytes would reset it, and the
 *   last frame could be lost on the way.
 */

import type { Connection, Encoding, Session } from "@parley/chat-room";
import type { ChatContext, Handler } from "./handler.ts";
import { OutgoingQueue } from "./outgoing-queue.ts";

/** A peer with so many unread answers isn't listened to until it has read them. */
const PAUSE_AT_BYTES = 256 * 1024;

export abstract class ChatConnection implements Connection, Handler {
  readonly encoding: Encoding;
  readonly peer: string;
  protected readonly session: Session;
  readonly #context: ChatContext;
  readonly #queue: OutgoingQueue;
  #hasEnded = false;

  constructor(context: ChatContext, encoding: Encoding) {
    this.#context = context;
    this.encoding = encoding;
    this.peer = context.peer;
    this.#queue = new OutgoingQueue(
      context.socket,
      context.flusher,
      context.queueLimits,
      () => this.session.disconnect("SLOW_CONSUMER", "you read too slowly; reconnect to go on"),
      () => this.ready(),
    );
    this.session = context.hub.connect(this);
  }

  /** Takes what has arrived. Called only while the session wants it. */
  protected abstract take(chunk: Buffer): void;
  /** Goes on with what `take` had to keep. True: nothing is kept any more. */
  protected abstract takeKept(): boolean;

  data(chunk: Buffer): void {
    if (this.#hasEnded) return;
    this.take(chunk);
    this.#pauseIfBusy();
  }

  finished(): void {
    this.session.peerFinished();
  }

  closed(): void {
    this.#hasEnded = true;
    this.session.closed();
  }

  handshakeIsOver(): void {
    if (this.session.state === "greeting") this.session.disconnect("HANDSHAKE_TIMEOUT", "no name was given in time");
  }

  checkStall(nowMs: number): void {
    this.#queue.checkStall(nowMs);
  }

  send(bytes: Uint8Array): void {
    this.#queue.send(bytes);
  }

  end(): void {
    this.#hasEnded = true;
    this.#queue.end();
    this.#context.socket.resume();
  }

  ready(): void {
    if (this.#hasEnded || !this.takeKept() || this.#isBusy) return;
    if (this.#context.socket.isPaused()) this.#context.socket.resume();
  }

  get #isBusy(): boolean {
    return this.session.busy || this.#queue.pendingBytes >= PAUSE_AT_BYTES;
  }

  #pauseIfBusy(): void {
    if (!this.#hasEnded && this.#isBusy) this.#context.socket.pause();
  }
}
