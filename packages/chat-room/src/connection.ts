/**
 * The seam between chat and whatever carries it: a session knows nothing of sockets or segments, a transport nothing of chat.
 *
 * - A transport gives decoded requests to `Session.receive` and bytes from the session to its peer.
 * - An `Encoding` is how one kind of peer is spoken to (binary frames, text lines). One turn's events of a room are
 *   encoded once for each encoding and the same buffer goes to every connection that has it.
 */

import type { Reply } from "@parley/chat-protocol";

export interface Encoding {
  /** Unique: connections whose encodings are the same object share buffers. */
  readonly label: string;
  /** One reply or push for one connection. Empty when this kind of peer isn't told of such things. */
  reply(message: Reply, correlationId: number): Uint8Array;
  /**
   * A run of event frames, in order, as one buffer, which may be empty. Each event stands for itself: to its receiver
   * `events([a, b])` means the same as `events([a])` followed by `events([b])`.
   */
  events(frames: readonly Uint8Array[]): Uint8Array;
  /** True: a connection is not given the events of its own session: what it said, its joining and leaving. */
  readonly hidesOwnMessages: boolean;
  /** Who joins a room is given so many of its latest messages first. Default none: programs ask. */
  readonly historyOnJoin?: number;
}

/** What a session needs of its transport. None of these throws, and none calls back into the session synchronously. */
export interface Connection {
  readonly encoding: Encoding;
  /** For logs: `127.0.0.1:51234`, `pid 4711`. */
  readonly peer: string;
  /** Bytes that were queued and not taken by the peer yet, where that is known. `Session.drained` is called when they were. */
  readonly pendingBytes?: number;
  /** Queues bytes, which may be shared with other connections and must not be changed. */
  send(bytes: Uint8Array): void;
  /** Sends what is queued, then ends the connection. */
  end(): void;
  /** After `Session.busy` was true: requests can be given to the session again. */
  ready?(): void;
}
