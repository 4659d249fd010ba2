/** A browser or curl on the chat's port is told so, in its own language. */

import type { ConnectionContext, Handler } from "./handler.ts";
import { OutgoingQueue } from "./outgoing-queue.ts";

const BODY = "This port speaks Parley's chat protocol and text lines, not HTTP. From a terminal: nc HOST PORT\n";
const ANSWER = [
  "HTTP/1.1 400 Bad Request",
  "Content-Type: text/plain; charset=utf-8",
  `Content-Length: ${BODY.length}`,
  "Connection: close",
  "",
  BODY,
].join("\r\n");

export class HttpRefusal implements Handler {
  constructor({ socket, flusher, queueLimits }: ConnectionContext) {
    const queue = new OutgoingQueue(socket, flusher, queueLimits, () => socket.destroy());
    queue.send(Buffer.from(ANSWER));
    queue.end();
  }

  data(): void {}
  finished(): void {}
  closed(): void {}
  handshakeIsOver(): void {}
  checkStall(): void {}
}
