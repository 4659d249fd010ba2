/**
 * One connection from its first byte on: finds out what it speaks and gives it to the handler for that.
 *
 * - Nothing is sent before the first bytes have arrived; who sends none in time is closed without a word.
 * - Inside TLS it is found out again.
 * - A socket's error, or a defect in handling it, ends that connection and nothing else.
 */

import type { Socket } from "node:net";
import { type SecureContext, TLSSocket } from "node:tls";
import type { ChatHub } from "@parley/chat-room";
import { BinaryConnection } from "./binary-connection.ts";
import { EchoConnection } from "./echo-connection.ts";
import type { ConnectionContext, Handler } from "./handler.ts";
import type { HttpService } from "./http-service.ts";
import type { QueueLimits, TurnFlusher } from "./outgoing-queue.ts";
import type { RateLimits } from "./rate-window.ts";
import { type SpokenProtocol, sniff } from "./sniff.ts";
import { TextConnection } from "./text-connection.ts";
import { TLS_REFUSAL } from "./tls.ts";
import type { Traffic } from "./traffic.ts";

export interface ConnectionOptions {
  readonly handshakeTimeoutMs: number;
  readonly queueLimits: QueueLimits;
  readonly rateLimits: RateLimits | undefined;
  readonly traffic: Traffic;
  /** Undefined: echo mode. */
  readonly chat: { readonly hub: ChatHub; readonly http: HttpService } | undefined;
  /** Undefined: TLS is not spoken. Asked for each connection, so that it can be changed. */
  readonly secureContext: () => SecureContext | undefined;
  /** A handler threw: a defect, which has cost its connection. */
  readonly onFault: (error: unknown, peer: string) => void;
}

export class AcceptedConnection {
  readonly #raw: Socket;
  readonly #peer: string;
  readonly #flusher: TurnFlusher;
  readonly #options: ConnectionOptions;
  readonly #handshakeTimer: NodeJS.Timeout;
  /** The socket that is listened to: the accepted one, or the TLS one on it. */
  #socket: Socket;
  #first: Buffer | undefined;
  #handler: Handler | undefined;
  readonly #onData = (chunk: Buffer): void => this.#guarded(() => this.#data(chunk));
  readonly #onEnd = (): void => this.#guarded(() => this.#end());

  constructor(socket: Socket, peer: string, flusher: TurnFlusher, options: ConnectionOptions) {
    this.#raw = socket;
    this.#socket = socket;
    this.#peer = peer;
    this.#flusher = flusher;
    this.#options = options;
    if (options.chat === undefined) {
      options.traffic.connections.echo++;
      this.#handler = new EchoConnection(this.#context());
    }
    this.#handshakeTimer = setTimeout(() => this.#handshakeIsOver(), options.handshakeTimeoutMs);
    socket.on("close", () => {
      clearTimeout(this.#handshakeTimer);
      this.#guarded(() => this.#handler?.closed());
    });
    this.#listen(socket);
  }

  /** The server stops: who has said nothing yet is closed; the others are their handlers' affair. */
  draining(): void {
    if (this.#handler === undefined) this.#raw.destroy();
    else if (this.#options.chat === undefined) this.#guarded(() => this.#handler?.finished());
    else this.#guarded(() => this.#handler?.draining?.());
  }

  checkStall(nowMs: number): void {
    this.#guarded(() => this.#handler?.checkStall(nowMs));
  }

  destroy(): void {
    this.#raw.destroy();
  }

  #listen(socket: Socket): void {
    socket.on("data", this.#onData);
    socket.on("end", this.#onEnd);
    // The close that follows is all there is to do.
    socket.on("error", () => {});
  }

  #listenNoMore(): void {
    this.#socket.off("data", this.#onData);
    this.#socket.off("end", this.#onEnd);
  }

  #context(): ConnectionContext {
    const { queueLimits, traffic } = this.#options;
    return { link: this.#socket, peer: this.#peer, flusher: this.#flusher, queueLimits, traffic };
  }

  #data(chunk: Buffer): void {
    if (this.#handler !== undefined) {
      this.#handler.data(chunk);
      return;
    }
    const first = this.#first === undefined ? chunk : Buffer.concat([this.#first, chunk]);
    this.#first = first;
    const spoken = sniff(first);
    if (spoken !== undefined) this.#handle(spoken, first);
  }

  #end(): void {
    // A single short line without its end: what else could it be.
    if (this.#handler === undefined && this.#first !== undefined) this.#handle("text", this.#first);
    if (this.#handler === undefined) this.#socket.end();
    else this.#handler.finished();
  }

  #handle(spoken: SpokenProtocol, first: Buffer): void {
    const { chat, rateLimits, traffic } = this.#options;
    if (chat === undefined) return;
    this.#first = undefined;
    if (spoken === "tls") {
      this.#beginTls(first);
      return;
    }
    traffic.connections[spoken]++;
    const context = { ...this.#context(), hub: chat.hub, rateLimits };
    if (spoken === "http") {
      this.#listenNoMore();
      this.#handler = chat.http.take(context, this.#socket, first);
      return;
    }
    this.#handler = spoken === "binary" ? new BinaryConnection(context) : new TextConnection(context);
    this.#handler.data(first);
  }

  #beginTls(first: Buffer): void {
    const secureContext = this.#options.secureContext();
    if (this.#socket !== this.#raw || secureContext === undefined) {
      this.#socket.end(TLS_REFUSAL);
      this.#handler = IGNORED;
      return;
    }
    this.#options.traffic.tlsConnections++;
    this.#listenNoMore();
    this.#raw.pause();
    this.#raw.unshift(first);
    const socket = new TLSSocket(this.#raw, { isServer: true, secureContext, ALPNProtocols: ["http/1.1"] });
    // A cheap way to cost a server much.
    socket.disableRenegotiation();
    this.#socket = socket;
    this.#listen(this.#socket);
  }

  #handshakeIsOver(): void {
    if (this.#handler === undefined) this.#raw.destroy();
    else this.#guarded(() => this.#handler?.handshakeIsOver());
  }

  /** A defect in handling one connection must not end the others. */
  #guarded(handle: () => void): void {
    try {
      handle();
    } catch (error) {
      this.#options.onFault(error, this.#peer);
      this.#raw.destroy();
    }
  }
}

/** For a connection that was answered for good, and whose end is awaited. */
const IGNORED: Handler = {
  data() {},
  finished() {},
  closed() {},
  handshakeIsOver() {},
  checkStall() {},
};
