/**
 * HTTP and WebSocket on connections that began with a request line: node:http parses, `ws` shakes hands.
 *
 * - A whole request must arrive within the handshake's time, the first one and each later one.
 * - A WebSocket is a chat connection from its handshake on; a page of a foreign origin is refused it with 403.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { ChatContext, Handler } from "./handler.ts";
import type { HttpRoutes } from "./http-routes.ts";
import type { OriginPolicy } from "./origin.ts";
import { RateWindow } from "./rate-window.ts";
import { WebSocketConnection } from "./websocket-connection.ts";

export interface HttpServiceOptions {
  readonly routes: HttpRoutes;
  readonly origins: OriginPolicy;
  readonly requestTimeoutMs: number;
  readonly maxFrameBytes: number;
  /** A handler threw. */
  readonly onFault: (error: unknown, peer: string) => void;
}

/** A WebSocket message may hold several frames, but not without end. */
const FRAMES_PER_MESSAGE = 4;
const MAX_HEADER_BYTES = 16 * 1024;

export class HttpService {
  readonly #options: HttpServiceOptions;
  readonly #http: Server;
  readonly #websockets: WebSocketServer;
  readonly #connections = new WeakMap<Duplex, HttpConnection>();

  constructor(options: HttpServiceOptions) {
    this.#options = options;
    // It never listens itself: connections are given to it.
    this.#http = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (request, response) => {
      const connection = this.#connections.get(request.socket);
      if (connection === undefined) {
        request.socket.destroy();
        return;
      }
      connection.requested(response);
      options.routes.answer(request, response, connection.isOverRate()).catch((error: unknown) => {
        options.onFault(error, connection.peer);
        response.destroy();
      });
    });
    this.#http.timeout = options.requestTimeoutMs;
    this.#http.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    this.#websockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: FRAMES_PER_MESSAGE * options.maxFrameBytes,
    });
    this.#websockets.on("wsClientError", (_error, socket) => refuse(socket, 400));
  }

  /** Takes over a socket that nobody listens to any more; `first` are the bytes that it has given already. */
  take(context: ChatContext, socket: Socket, first: Buffer): Handler {
    const connection = new HttpConnection(context, socket, this.#options.requestTimeoutMs);
    this.#connections.set(socket, connection);
    socket.pause();
    socket.unshift(first);
    this.#http.emit("connection", socket);
    socket.resume();
    return connection;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined || connection.isDraining) {
      refuse(socket, 503);
      return;
    }
    const { origin, host } = request.headers;
    if (!this.#options.origins.allows({ origin, host, localAddress: (socket as Socket).localAddress })) {
      refuse(socket, 403);
      return;
    }
    this.#websockets.handleUpgrade(request, socket, head, (websocket) => {
      const { context } = connection;
      context.traffic.connections.websocket++;
      connection.becomes(new WebSocketConnection(context, websocket));
    });
  }
}

function refuse(socket: Duplex, status: number): void {
  const reason = STATUS_CODES[status] ?? "";
  socket.end(`HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/** One connection of HTTP, until it becomes a WebSocket. */
class HttpConnection implements Handler {
  readonly context: ChatContext;
  isDraining = false;
  readonly #socket: Socket;
  readonly #requestTimeoutMs: number;
  readonly #rate: RateWindow | undefined;
  /** Since when a request is awaited; undefined while one is being answered. */
  #awaitingSinceMs: number | undefined = performance.now();
  #websocket: Handler | undefined;

  constructor(context: ChatContext, socket: Socket, requestTimeoutMs: number) {
    this.context = context;
    this.#socket = socket;
    this.#requestTimeoutMs = requestTimeoutMs;
    this.#rate = context.rateLimits === undefined ? undefined : new RateWindow(context.rateLimits);
  }

  get peer(): string {
    return this.context.peer;
  }

  becomes(websocket: Handler): void {
    this.#websocket = websocket;
    this.#awaitingSinceMs = undefined;
  }

  requested(response: ServerResponse<IncomingMessage>): void {
    this.context.traffic.requests++;
    if (this.isDraining) response.setHeader("Connection", "close");
    const arrived = (): void => {
      this.#awaitingSinceMs = undefined;
    };
    response.req.once("end", arrived);
    response.once("close", () => {
      // The rest of a body that nobody wanted may arrive behind its answer.
      response.req.off("end", arrived);
      this.#awaitingSinceMs = performance.now();
      if (this.isDraining) this.#socket.destroySoon();
    });
  }

  isOverRate(): boolean {
    if (this.#rate === undefined || this.#rate.takeRequest(performance.now())) return false;
    this.context.traffic.rateLimited++;
    return true;
  }

  draining(): void {
    this.isDraining = true;
    if (this.#websocket === undefined && this.#awaitingSinceMs !== undefined) this.#socket.destroySoon();
  }

  closed(): void {
    this.#websocket?.closed();
  }

  handshakeIsOver(): void {
    this.#websocket?.handshakeIsOver();
  }

  checkStall(nowMs: number): void {
    if (this.#websocket !== undefined) this.#websocket.checkStall(nowMs);
    else if (this.#awaitingSinceMs !== undefined && nowMs - this.#awaitingSinceMs >= this.#requestTimeoutMs) {
      this.#socket.destroy();
    }
  }

  /** node:http and ws read the socket themselves. */
  data(): void {}
  finished(): void {}
}
