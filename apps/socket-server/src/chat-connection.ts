/**
 * What binary, WebSocket and text connections have in common: a transport on one side, a session on the other.
 *
 * - Reading pauses while the session is busy, while the peer doesn't read its answers, until the next turn for who has
 *   filled this one, and until the next second for who has sent more than is allowed in this one.
 * - After `end` whatever still arrives is read and dropped: closing a socket with unread bytes would reset it, and the
 *   last frame could be lost on the way.
 */

import type { DisconnectCodeName } from "@parley/chat-protocol";
import type { Connection, Encoding, Session } from "@parley/chat-room";
import type { ChatContext, Handler } from "./handler.ts";
import { OutgoingQueue } from "./outgoing-queue.ts";
import { RateWindow } from "./rate-window.ts";
import { Traffic } from "./traffic.ts";

/** A peer with so many unread answers isn't listened to until it has read them. */
const PAUSE_AT_BYTES = 256 * 1024;

/**
 * What one connection may ask for in a turn of the event loop; the rest waits for the next. The kernel would go on giving
 * what a flood has sent, and everybody's events wait for the end of the turn.
 */
const REQUESTS_A_TURN = 512;

export abstract class ChatConnection implements Connection, Handler {
  readonly encoding: Encoding;
  readonly peer: string;
  protected readonly session: Session;
  protected readonly traffic: Traffic;
  readonly #context: ChatContext;
  readonly #queue: OutgoingQueue;
  readonly #rate: RateWindow | undefined;
  /** Runs while reading is put off to the next second. */
  #throttle: NodeJS.Timeout | undefined;
  #requestsThisTurn = 0;
  #turnsEnd: NodeJS.Immediate | undefined;
  #hasEnded = false;

  constructor(context: ChatContext, encoding: Encoding) {
    this.#context = context;
    this.encoding = encoding;
    this.peer = context.peer;
    this.traffic = context.traffic;
    this.#rate = context.rateLimits === undefined ? undefined : new RateWindow(context.rateLimits);
    this.#queue = new OutgoingQueue(
      context.link,
      context.flusher,
      context.queueLimits,
      () => this.disconnect("SLOW_CONSUMER", "you read too slowly; reconnect to go on"),
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
    this.traffic.receivedBytes += chunk.length;
    if (this.#rate?.tookBytes(chunk.length, performance.now())) this.#readNoMoreThisSecond();
    this.take(chunk);
    this.#pauseIfBusy();
  }

  finished(): void {
    this.session.peerFinished();
  }

  closed(): void {
    this.#hasEnded = true;
    clearTimeout(this.#throttle);
    clearImmediate(this.#turnsEnd);
    this.session.closed();
  }

  handshakeIsOver(): void {
    if (this.session.state === "greeting") this.disconnect("HANDSHAKE_TIMEOUT", "no name was given in time");
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
    this.#context.link.resume();
  }

  get pendingBytes(): number {
    return this.#queue.pendingBytes;
  }

  ready(): void {
    this.session.drained();
    if (this.#hasEnded || !this.takeKept() || this.#isBusy) return;
    if (this.#context.link.isPaused()) this.#context.link.resume();
  }

  protected get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Counts a request that has arrived whole. False: it was refused, being one too many in this second. */
  protected admitRequest(correlationId: number): boolean {
    this.traffic.requests++;
    this.#requestsThisTurn++;
    this.#turnsEnd ??= setImmediate(() => this.#nextTurn());
    if (this.#rate === undefined || this.#rate.takeRequest(performance.now())) return true;
    this.traffic.rateLimited++;
    this.session.refuse("RATE_LIMITED", "too much at once; this was not done, slow down", correlationId);
    this.#readNoMoreThisSecond();
    return false;
  }

  /** True: what else has arrived should wait for the next turn. `takeKept` will be called then. */
  protected get turnIsFull(): boolean {
    return this.#requestsThisTurn >= REQUESTS_A_TURN;
  }

  protected disconnect(code: DisconnectCodeName, message: string): void {
    if (this.session.state !== "ended") Traffic.count(this.traffic.disconnects, code);
    this.session.disconnect(code, message);
  }

  get #isBusy(): boolean {
    return (
      this.#throttle !== undefined || this.turnIsFull || this.session.busy || this.#queue.pendingBytes >= PAUSE_AT_BYTES
    );
  }

  #nextTurn(): void {
    const wasFull = this.turnIsFull;
    this.#turnsEnd = undefined;
    this.#requestsThisTurn = 0;
    if (wasFull) this.ready();
  }

  #pauseIfBusy(): void {
    if (!this.#hasEnded && this.#isBusy) this.#context.link.pause();
  }

  #readNoMoreThisSecond(): void {
    if (this.#throttle !== undefined || this.#rate === undefined) return;
    this.traffic.throttled++;
    this.#throttle = setTimeout(() => {
      this.#throttle = undefined;
      this.ready();
    }, this.#rate.remainingMs(performance.now()));
  }
}
