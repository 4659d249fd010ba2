/** What callers of this package give and get. */

import type { MessageEvent, MessageId, Position } from "@parley/chat-protocol";

export interface ConnectOptions {
  /** The name to be known by. The server may normalize it: see `ChatClient.name`. */
  readonly name: string;
  /** What the server asks for to let somebody in, if it does. */
  readonly token?: string;
  /** Program and version, for the server's logs. */
  readonly client?: string;
  /** True: own messages come as events too, marked `own`. Default false. */
  readonly echo?: boolean;
  /** Gives up connecting. Once connected it has no effect. */
  readonly signal?: AbortSignal;
  /** Until welcomed. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** For each request. Default 30,000; 0: no limit. */
  readonly requestTimeoutMs?: number;
  /** The most requests under way; one more is refused with TOO_MANY_PENDING. Default 1,024. */
  readonly maxPending?: number;
}

export const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
export const DEFAULT_REQUEST_TIMEOUT_MS = 30_000;
/** Who leaves isn't kept longer than this by a room that doesn't answer. */
export const QUIT_TIMEOUT_MS = 3_000;
export const DEFAULT_MAX_PENDING = 1024;

export interface SendOptions {
  /** To repeat a message whose fate is unknown: the id out of the error. Default: a new one. */
  readonly messageId?: MessageId;
  /** Default: the room that `connect` joined. */
  readonly room?: string;
  readonly signal?: AbortSignal;
}

export interface HistoryOptions {
  /** Default: the room that `connect` joined. */
  readonly room?: string;
  /** Only messages before it: the `position` of the page behind. Default: the latest there are. */
  readonly before?: Position;
  /** Default 50; a server gives at most 500 at once. */
  readonly maxEvents?: number;
}

export interface HistoryPage {
  /** Oldest first. */
  readonly messages: readonly MessageEvent[];
  /** Where to go on backwards. */
  readonly position: Position;
  readonly hasMore: boolean;
}

/** The room has the message. */
export interface Sent {
  readonly messageId: MessageId;
  readonly position: Position;
  /** When the log took it, in ms of Unix time. */
  readonly timeMs: number;
  /** The room had it already: position and time are those of the first time. */
  readonly duplicate: boolean;
}
