/**
 * Frames over a TCP socket.
 *
 * - Nagle's algorithm is off; what is sent in one turn of the event loop goes out in one write.
 * - A refused, unknown or unreachable host is one clear message.
 */

import { connect, type Socket } from "node:net";
import { ChatClientError } from "./errors.ts";
import type { OpenTransport, Transport, TransportHandlers } from "./transport.ts";
import type { TcpTarget } from "./url.ts";

/** So long may a peer that doesn't read keep a closed connection from ending. */
const FLUSH_TIMEOUT_MS = 2000;

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset by the other side",
  EPIPE: "the other side ended the connection",
  ETIMEDOUT: "no answer",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "no route to the network",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the host's name can't be looked up now",
  EACCES: "not permitted",
  EADDRNOTAVAIL: "the address can't be used from here",
};

function reasonOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  return (code !== undefined && REASONS[code]) || error.message || String(code ?? error.name);
}

export const openTcp: OpenTransport<TcpTarget> = (target, handlers, signal) =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: target.host, port: target.port, noDelay: true });
    const onAbort = (): void => {
      settle();
      reject(signal.reason);
      socket.destroy();
    };
    const onConnect = (): void => {
      settle();
      resolve(new TcpTransport(socket, handlers));
    };
    const onError = (cause: Error): void => {
      settle();
      const text = `cannot reach ${target.href}: ${reasonOf(cause)}`;
      reject(new ChatClientError("CANNOT_REACH", text, { cause, temporary: true }));
    };
    const settle = (): void => {
      signal.removeEventListener("abort", onAbort);
      socket.off("connect", onConnect).off("error", onError);
      // What still comes of an attempt that was given up concerns nobody.
      socket.on("error", () => {});
    };
    socket.on("connect", onConnect).on("error", onError);
    signal.addEventListener("abort", onAbort);
  });

class TcpTransport implements Transport {
  readonly #socket: Socket;
  #isCorked = false;

  constructor(socket: Socket, handlers: TransportHandlers) {
    this.#socket = socket;
    let failure: Error | undefined;
    // No encoding is set, so that it is always bytes.
    socket.on("data", (bytes) => handlers.data(bytes as Uint8Array));
    socket.on("error", (error) => {
      failure = new Error(reasonOf(error), { cause: error });
    });
    socket.on("close", () => handlers.closed(failure));
  }

  send(bytes: Uint8Array): void {
    if (!this.#socket.writable) return;
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(bytes);
  }

  close(): void {
    const socket = this.#socket;
    if (socket.closed) return;
    // Sends what is queued, then ends both directions: nobody listens any more.
    socket.destroySoon();
    const timer = setTimeout(() => socket.destroy(), FLUSH_TIMEOUT_MS);
    socket.on("close", () => clearTimeout(timer));
  }
}
