/** What the listener and the handlers of a connection know of each other. */

import type { ChatHub } from "@parley/chat-room";
import type { QueueLimits, Sink, TurnFlusher } from "./outgoing-queue.ts";
import type { RateLimits } from "./rate-window.ts";
import type { Traffic } from "./traffic.ts";

/** One connection, once it is known what it speaks. */
export interface Handler {
  data(chunk: Buffer): void;
  /** The peer sent FIN: nothing more will come, but it may still read. */
  finished(): void;
  /** The socket is gone. */
  closed(): void;
  /** Called once, when the time for the handshake is over. */
  handshakeIsOver(): void;
  /** Called now and then, to notice a peer that takes nothing or has gone without a word. */
  checkStall(nowMs: number): void;
  /** The server stops, and the hub doesn't know of this connection. */
  draining?(): void;
}

/** A connection's transport: bytes out, and whether bytes are wanted in. A socket is one. */
export interface Link extends Sink {
  pause(): unknown;
  resume(): unknown;
  isPaused(): boolean;
}

/** What a handler works with. */
export interface ConnectionContext {
  readonly link: Link;
  /** For logs: `127.0.0.1:51234`. */
  readonly peer: string;
  readonly flusher: TurnFlusher;
  readonly queueLimits: QueueLimits;
  readonly traffic: Traffic;
}

export interface ChatContext extends ConnectionContext {
  readonly hub: ChatHub;
  /** Undefined: no limits. */
  readonly rateLimits: RateLimits | undefined;
}
