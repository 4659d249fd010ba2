/**
 * A browser, or another program that speaks WebSocket. `ws` reads and answers what RFC 6455 asks for; what the chat sends
 * is written to the socket as messages that are whole already, shared with every other such connection.
 *
 * - A binary message holds whole frames; one that doesn't, or one of text, ends the connection.
 * - Nothing is written behind a Close.
 */

import { encode } from "@parley/chat-protocol";
import type { WebSocket } from "ws";
import { BinaryConnection } from "./binary-connection.ts";
import type { ChatContext, Link } from "./handler.ts";
import { websocketEncoding, websocketMessage } from "./websocket-encoding.ts";

/** Normal closure, RFC 6455 section 7.4.1. Why is in the DISCONNECT before it. */
const CLOSE_NORMAL = 1000;
const PING: Uint8Array = websocketMessage(encode({ type: "ping" }, 0));

/** The socket under a WebSocket, ended the way that WebSockets are. */
class WebSocketLink implements Link {
  readonly #socket: Link;
  readonly #websocket: WebSocket;

  constructor(socket: Link, websocket: WebSocket) {
    this.#socket = socket;
    this.#websocket = websocket;
  }

  get destroyed(): boolean {
    return this.#socket.destroyed;
  }

  write(bytes: Uint8Array, written: (error?: Error | null) => void): void {
    if (this.#websocket.readyState === this.#websocket.OPEN) this.#socket.write(bytes, written);
    else setImmediate(written, new Error("the WebSocket is closing"));
  }

  end(): void {
    this.#websocket.close(CLOSE_NORMAL);
  }

  destroy(): void {
    this.#websocket.terminate();
  }

  once(event: "close", listener: () => void): void {
    this.#socket.once(event, listener);
  }

  pause(): void {
    this.#websocket.pause();
  }

  resume(): void {
    this.#websocket.resume();
  }

  isPaused(): boolean {
    return this.#websocket.isPaused;
  }
}

export class WebSocketConnection extends BinaryConnection {
  constructor(context: ChatContext, websocket: WebSocket) {
    super({ ...context, link: new WebSocketLink(context.link, websocket) }, websocketEncoding);
    websocket.binaryType = "nodebuffer";
    websocket.on("message", (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.data(data);
      else this.disconnect("PROTOCOL_ERROR", "a message of text came where binary frames are spoken");
    });
    // ws has closed the connection with the code that fits; what follows is `closed`.
    websocket.on("error", () => {});
  }

  protected override take(message: Buffer): void {
    super.take(message);
    if (this.incompleteBytes > 0) this.disconnect("PROTOCOL_ERROR", "a WebSocket message must hold whole frames");
  }

  protected override get ping(): Uint8Array {
    return PING;
  }
}
