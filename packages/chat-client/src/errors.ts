/**
 * The one error class of this package: a stable `code`, one clear message with the offending value, and what to do next.
 *
 * - A server's refusal keeps the server's code (`NAME_TAKEN`), see docs/protocol.md; the others are listed here.
 * - `temporary`: the same call may succeed later.
 * - `messageId` is set when a message may or may not have reached the room: send it again with this id and it can't
 *   be said twice.
 */

import type { DisconnectCodeName, ErrorCodeName, MessageId } from "@parley/chat-protocol";

export type ClientErrorCode =
  /** The URL can't be understood. */
  | "INVALID_URL"
  /** The URL is understood, but there is no transport for it here. */
  | "UNSUPPORTED_SCHEME"
  /** Nobody answers at the URL, or the segment can't be opened. */
  | "CANNOT_REACH"
  /** Not connected and welcomed in time. */
  | "CONNECT_TIMEOUT"
  /** What answers doesn't speak this protocol. */
  | "NOT_A_CHAT_SERVER"
  /** The connection ended while something was under way. */
  | "CONNECTION_LOST"
  /** Called after the end of the connection. */
  | "CLOSED"
  /** No answer to a request in time. */
  | "REQUEST_TIMEOUT"
  /** More requests under way than `maxPending`. */
  | "TOO_MANY_PENDING"
  /** The caller's AbortSignal. */
  | "ABORTED"
  /** An iterator's owner reads more slowly than events come. */
  | "READER_TOO_SLOW";

export type ChatClientErrorCode = ClientErrorCode | ErrorCodeName | DisconnectCodeName | `UNKNOWN(${number})`;

export interface ChatClientErrorDetails {
  readonly temporary?: boolean;
  readonly messageId?: MessageId;
  readonly cause?: unknown;
}

export class ChatClientError extends Error {
  override readonly name = "ChatClientError";
  readonly code: ChatClientErrorCode;
  readonly temporary: boolean;
  readonly messageId: MessageId | undefined;

  constructor(code: ChatClientErrorCode, message: string, details: ChatClientErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.temporary = details.temporary ?? false;
    this.messageId = details.messageId;
  }
}
