/**
 * Accepts connections, finds out what each speaks, and gives it to its handler.
 *
 * - Nothing is sent before the first bytes have arrived; who sends none in time is closed without a word.
 * - A socket's error ends that connection and nothing else.
 * - `close` stops accepting; what is open stays open until its handler ends it, or `destroyAll`.
 */

import { createServer, type Server, type Socket } from "node:net";
import type { ChatHub } from "@parley/chat-room";
import { BinaryConnection } from "./binary-connection.ts";
import { EchoConnection } from "./echo-connection.ts";
import type { ConnectionContext, Handler } from "./handler.ts";
import { HttpRefusal } from "./http-refusal.ts";
import { type QueueLimits, TurnFlusher } from "./outgoing-queue.ts";
import { type SpokenProtocol, sniff } from "./sniff.ts";
import { TextConnection } from "./text-connection.ts";

export interface ListenerOptions {
  /** Undefined: echo mode. */
  readonly hub: ChatHub | undefined;
  readonly handshakeTimeoutMs: number;
  readonly queueLimits: QueueLimits;
  /** More connections at once are closed as they come; Infinity for no limit. */
  readonly maxConnections: number;
  /** A handler threw: a defect, which has cost its connection. */
  readonly onFault: (error: unknown, peer: string) => void;
}

const KEEP_ALIVE_AFTER_MS = 30_000;
/** How many times in `stallTimeoutMs` queues are looked at. */
const STALL_CHECKS = 4;

export class Listener {
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #flusher = new TurnFlusher();
  readonly #connections = new Set<AcceptedConnection>();
  readonly #stallTimer: NodeJS.Timeout;

  constructor(options: ListenerOptions) {
    this.#options = options;
    // Half open: a peer that has said everything still gets its answers.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) => {
      this.#accept(socket);
    });
    this.#stallTimer = setInterval(() => this.#checkStalls(), options.queueLimits.stallTimeoutMs / STALL_CHECKS);
    this.#stallTimer.unref();
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Rejects with the operating system's error: EADDRINUSE, EACCES, ENOTFOUND… */
  async listen(port: number, host: string): Promise<{ readonly host: string; readonly port: number }> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ port, host, backlog: 4096 }, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    // Accepting may fail later, for want of file descriptors; those who are here must not notice.
    this.#server.on("error", (error) => this.#options.onFault(error, "listener"));
    const address = this.#server.address() as { address: string; port: number };
    return { host: address.address, port: address.port };
  }

  /** Stops accepting; resolves when the last connection is closed. */
  async close(): Promise<void> {
    clearInterval(this.#stallTimer);
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** Closes connections that have not said anything yet. */
  closeSilent(): void {
    for (const connection of this.#connections) connection.closeIfSilent();
  }

  destroyAll(): void {
    for (const connection of this.#connections) connection.socket.destroy();
  }

  #accept(socket: Socket): void {
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    socket.setKeepAlive(true, KEEP_ALIVE_AFTER_MS);
    if (this.#connections.size >= this.#options.maxConnections) {
      socket.on("error", () => {});
      socket.destroy();
      return;
    }
    const context = { socket, peer, flusher: this.#flusher, queueLimits: this.#options.queueLimits };
    const connection = new AcceptedConnection(context, this.#options);
    this.#connections.add(connection);
    socket.once("close", () => this.#connections.delete(connection));
  }

  #checkStalls(): void {
    const nowMs = performance.now();
    for (const connection of this.#connections) connection.checkStall(nowMs);
  }
}

/** A connection, from the first byte on. */
class AcceptedConnection {
  readonly socket: Socket;
  readonly #context: ConnectionContext;
  readonly #options: ListenerOptions;
  readonly #handshakeTimer: NodeJS.Timeout;
  #first: Buffer | undefined;
  #handler: Handler | undefined;

  constructor(context: ConnectionContext, options: ListenerOptions) {
    this.socket = context.socket;
    this.#context = context;
    this.#options = options;
    if (options.hub === undefined) this.#handler = new EchoConnection(context);
    this.#handshakeTimer = setTimeout(() => this.#handshakeIsOver(), options.handshakeTimeoutMs);
    const { socket } = context;
    socket.on("data", (chunk: Buffer) => this.#guarded(() => this.#data(chunk)));
    socket.on("end", () => this.#guarded(() => this.#end()));
    // The close that follows is all there is to do.
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(this.#handshakeTimer);
      this.#guarded(() => this.#handler?.closed());
    });
  }

  closeIfSilent(): void {
    if (this.#handler === undefined) this.socket.destroy();
    else if (this.#options.hub === undefined) this.#guarded(() => this.#handler?.finished());
  }

  checkStall(nowMs: number): void {
    this.#handler?.checkStall(nowMs);
  }

  #data(chunk: Buffer): void {
    if (this.#handler !== undefined) {
      this.#handler.data(chunk);
      return;
    }
    this.#first = this.#first === undefined ? chunk : Buffer.concat([this.#first, chunk]);
    const spoken = sniff(this.#first);
    if (spoken !== undefined) this.#handle(spoken);
  }

  #end(): void {
    // A single short line without its end: what else could it be.
    if (this.#handler === undefined && this.#first !== undefined) this.#handle("text");
    if (this.#handler === undefined) this.socket.end();
    else this.#handler.finished();
  }

  #handle(spoken: SpokenProtocol): void {
    const { hub } = this.#options;
    if (hub === undefined) return;
    const context = { ...this.#context, hub };
    if (spoken === "binary") this.#handler = new BinaryConnection(context);
    else if (spoken === "http") this.#handler = new HttpRefusal(context);
    else this.#handler = new TextConnection(context);
    this.#handler.data(this.#first as Buffer);
    this.#first = undefined;
  }

  #handshakeIsOver(): void {
    if (this.#handler === undefined) this.socket.destroy();
    else this.#guarded(() => this.#handler?.handshakeIsOver());
  }

  /** A defect in handling one connection must not end the others. */
  #guarded(handle: () => void): void {
    try {
      handle();
    } catch (error) {
      this.#options.onFault(error, this.#context.peer);
      this.socket.destroy();
    }
  }
}
