/** What the listener and the handlers of a connection know of each other. */

import type { Socket } from "node:net";
import type { ChatHub } from "@parley/chat-room";
import type { QueueLimits, TurnFlusher } from "./outgoing-queue.ts";

/** One connection, once it is known what it speaks. */
export interface Handler {
  data(chunk: Buffer): void;
  /** The peer sent FIN: nothing more will come, but it may still read. */
  finished(): void;
  /** The socket is gone. */
  closed(): void;
  /** Called once, when the time for the handshake is over. */
  handshakeIsOver(): void;
  /** Called now and then, to notice a peer that takes nothing. */
  checkStall(nowMs: number): void;
}

/** What a handler works with. */
export interface ConnectionContext {
  readonly socket: Socket;
  /** For logs: `127.0.0.1:51234`. */
  readonly peer: string;
  readonly flusher: TurnFlusher;
  readonly queueLimits: QueueLimits;
}

export interface ChatContext extends ConnectionContext {
  readonly hub: ChatHub;
}
