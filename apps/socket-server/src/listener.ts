/**
 * Accepts connections, at one address or at several at once.
 *
 * - More connections than allowed, in all or from one address, are closed as they come.
 * - A Unix socket that a server left behind when it died is taken over; one that a server still answers on is not.
 * - `close` stops accepting; what is open stays open until its handler ends it, or `destroyAll`.
 */

import { unlinkSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { AcceptedConnection, type ConnectionOptions } from "./accepted-connection.ts";
import { AddressGate, type GateLimits } from "./address-gate.ts";
import type { ListenAddress } from "./listen-address.ts";
import { TurnFlusher } from "./outgoing-queue.ts";
import { Traffic } from "./traffic.ts";

export interface ListenerOptions extends ConnectionOptions {
  readonly gate: GateLimits;
  /** The shortest time that a connection is given for something; they are looked at several times in it. */
  readonly shortestTimeoutMs: number;
}

const KEEP_ALIVE_AFTER_MS = 30_000;
const BACKLOG = 4096;
/** How many times in the shortest timeout connections are looked at. */
const CHECKS_PER_TIMEOUT = 4;
const SHORTEST_CHECK_MS = 10;

export class Listener {
  readonly #options: ListenerOptions;
  readonly #servers: Server[] = [];
  readonly #flusher: TurnFlusher;
  readonly #gate: AddressGate;
  readonly #connections = new Set<AcceptedConnection>();
  readonly #checkTimer: NodeJS.Timeout;
  #unixConnections = 0;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#flusher = new TurnFlusher(options.traffic);
    this.#gate = new AddressGate(options.gate);
    const checkMs = Math.max(SHORTEST_CHECK_MS, options.shortestTimeoutMs / CHECKS_PER_TIMEOUT);
    this.#checkTimer = setInterval(() => this.#check(), checkMs);
    this.#checkTimer.unref();
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Resolves with where it listens: a port of 0 has become a real one. Rejects with the operating system's error. */
  async listen(address: ListenAddress): Promise<ListenAddress> {
    // Half open: a peer that has said everything still gets its answers.
    const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) => {
      this.#accept(socket);
    });
    try {
      await listening(server, address);
    } catch (error) {
      const isInUse = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
      if (!isInUse || address.path === undefined || (await isAnswered(address.path))) throw error;
      unlinkSync(address.path);
      await listening(server, address);
    }
    this.#servers.push(server);
    // Accepting may fail later, for want of file descriptors; those who are here must not notice.
    server.on("error", (error) => this.#options.onFault(error, "listener"));
    if (address.path !== undefined) return address;
    const bound = server.address() as { address: string; port: number };
    return { host: bound.address, port: bound.port };
  }

  /** Stops accepting; resolves when the last connection is closed. */
  async close(): Promise<void> {
    const closed = this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    await Promise.all(closed);
    clearInterval(this.#checkTimer);
  }

  /** Tells every connection that the server stops; those that haven't said anything yet are closed. */
  draining(): void {
    for (const connection of this.#connections) connection.draining();
  }

  destroyAll(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  #accept(socket: Socket): void {
    const { remoteAddress: address, remotePort: port } = socket;
    // No address and no Unix socket: the peer has gone already.
    const isUnix = typeof (socket.address() as { port?: number }).port !== "number";
    if (address === undefined && !isUnix) {
      socket.on("error", () => {});
      socket.destroy();
      return;
    }
    const refused = this.#gate.enter(address);
    if (refused !== undefined) {
      Traffic.count(this.#options.traffic.refusedConnections, refused);
      socket.on("error", () => {});
      socket.destroy();
      return;
    }
    socket.setKeepAlive(true, KEEP_ALIVE_AFTER_MS);
    const peer = address === undefined ? `unix:${++this.#unixConnections}` : `${address}:${port}`;
    const connection = new AcceptedConnection(socket, peer, this.#flusher, this.#options);
    this.#connections.add(connection);
    socket.once("close", () => {
      this.#connections.delete(connection);
      this.#gate.leave(address);
    });
  }

  #check(): void {
    const nowMs = performance.now();
    for (const connection of this.#connections) connection.checkStall(nowMs);
  }
}

function listening(server: Server, address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ ...address, backlog: BACKLOG }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** True: somebody accepts connections at the Unix socket, or it can't be told. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "ECONNREFUSED"));
  });
}
