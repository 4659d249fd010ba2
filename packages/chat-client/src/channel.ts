/**
 * Requests and their answers over a transport, and everything else handed on.
 *
 * - Every request ends: with its answer, an ERROR, a timeout, an abort, or the end of the connection.
 * - A PING from the other side is answered. A frame of a type not known here is skipped.
 * - The first cause of an end is the one that is told, once.
 */

import {
  type ChatEvent,
  DisconnectCode,
  decode,
  ErrorCode,
  encode,
  FRAME_BYTES_CEILING,
  type Frame,
  FrameDecoder,
  type GoingAway,
  type IsTyping,
  isEventFrame,
  type LogFields,
  logFieldsOf,
  type Message,
  type MessageId,
  nameOfCode,
  ProtocolError,
  type Reply,
  roomOf,
} from "@parley/chat-protocol";
import { ChatClientError, type ChatClientErrorCode, type ChatClientErrorDetails } from "./errors.ts";
import type { DisconnectEvent } from "./events.ts";
import type { Transport, TransportHandlers } from "./transport.ts";

const MAX_CORRELATION_ID = 0xffff_ffff;

export interface ChannelHandlers {
  event(event: ChatEvent): void;
  /** Something that belongs to no request and is no event. */
  push(message: GoingAway | IsTyping): void;
  /** An event of a type that isn't known here; it still has its place in the room's order. */
  unknownEvent(fields: LogFields, room: string): void;
  /** Something that belongs to no request; the connection lives. */
  fault(error: ChatClientError): void;
  /** The last call, once, when the transport has let go. Requests under way were rejected before it. */
  ended(reason: DisconnectEvent): void;
}

export interface RequestOptions {
  /** 0: waits for ever. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** The message under way, for the error that doesn't know what became of it. */
  readonly messageId?: MessageId;
  /** Called with the request's correlation id when it was sent. */
  readonly onSent?: (correlationId: number) => void;
  /** Called with the answer before any later frame is looked at; the promise goes on only afterwards. */
  readonly onReply?: (reply: Reply) => void;
  /** Called with each event that is part of the answer. */
  readonly onEvent?: (event: ChatEvent) => void;
}

interface Pending {
  readonly messageId: MessageId | undefined;
  readonly onEvent: ((event: ChatEvent) => void) | undefined;
  settle(reply: Reply): void;
  fail(error: ChatClientError): void;
}

export class Channel implements TransportHandlers {
  /** For errors: where this leads to. */
  readonly #href: string;
  readonly #handlers: ChannelHandlers;
  readonly #decoder: FrameDecoder = new FrameDecoder();
  readonly #pending = new Map<number, Pending>();
  #transport: Transport | undefined;
  #lastCorrelationId = 0;
  #framesSent = 0;
  #end: DisconnectEvent | undefined;

  constructor(href: string, handlers: ChannelHandlers) {
    this.#href = href;
    this.#handlers = handlers;
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Counts up with every frame sent, so that a heartbeat knows whether it is needed. */
  get framesSent(): number {
    return this.#framesSent;
  }

  get end(): DisconnectEvent | undefined {
    return this.#end;
  }

  attach(transport: Transport): void {
    this.#transport = transport;
  }

  /** The other side may send frames of this size, but not of any size it likes to say. */
  allowFrames(maxFrameBytes: number): void {
    const allowed = Math.min(maxFrameBytes, FRAME_BYTES_CEILING);
    this.#decoder.maxFrameBytes = Math.max(this.#decoder.maxFrameBytes, allowed);
  }

  /** Sends a request now. Rejects with ChatClientError. */
  request(message: Message, options: RequestOptions): Promise<Reply> {
    const { messageId, signal, timeoutMs } = options;
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) {
        reject(new ChatClientError("CLOSED", `the connection to ${this.#href} has ended: ${this.#end.message}`));
        return;
      }
      if (signal?.aborted) {
        reject(new ChatClientError("ABORTED", "aborted before it was sent", { cause: signal.reason }));
        return;
      }
      const correlationId = this.#freeCorrelationId();
      const onAbort = (): void => {
        this.#pending.get(correlationId)?.fail(this.#unknownOutcome("ABORTED", "aborted", messageId, signal?.reason));
      };
      const onTimeout = (): void => {
        const text = `no answer from ${this.#href} within ${timeoutMs} ms`;
        this.#pending.get(correlationId)?.fail(this.#unknownOutcome("REQUEST_TIMEOUT", text, messageId));
      };
      const timer = timeoutMs > 0 ? setTimeout(onTimeout, timeoutMs) : undefined;
      const finish = (): void => {
        this.#pending.delete(correlationId);
        if (timer !== undefined) clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      };
      signal?.addEventListener("abort", onAbort);
      this.#pending.set(correlationId, {
        messageId,
        onEvent: options.onEvent,
        settle: (reply) => {
          finish();
          options.onReply?.(reply);
          resolve(reply);
        },
        fail: (error) => {
          finish();
          reject(error);
        },
      });
      this.#send(message, correlationId);
      options.onSent?.(correlationId);
    });
  }

  /** Sends what nobody answers. */
  tell(message: Message): void {
    if (this.#end === undefined) this.#send(message, 0);
  }

  /** Answers a request out of what else is known. False: it was answered before. */
  settle(correlationId: number, reply: Reply): boolean {
    const pending = this.#pending.get(correlationId);
    pending?.settle(reply);
    return pending !== undefined;
  }

  /** Ends the connection from this side; what is queued is still sent. Nothing is received any more. */
  close(reason: DisconnectEvent): void {
    if (this.#end !== undefined) return;
    this.#finish(reason);
    // `ended` waits for the transport, which may have to let go of something first.
    if (this.#transport === undefined) this.#handlers.ended(reason);
    else this.#transport.close();
  }

  data(bytes: Uint8Array): void {
    if (this.#end !== undefined) return;
    try {
      this.#decoder.push(bytes, (frame) => {
        if (this.#end === undefined) this.#frame(frame);
      });
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      // Only fatal ones come here: the stream can't be followed any further.
      const code = error.code as "PROTOCOL_ERROR" | "FRAME_TOO_LARGE";
      this.close({
        type: "disconnect",
        by: "client",
        code,
        temporary: false,
        message: `${this.#href} sent what is no frame: ${error.message}`,
      });
    }
  }

  closed(error?: Error): void {
    const message = error === undefined ? "the other side ended the connection" : error.message;
    if (this.#end === undefined) this.#finish(brokenOff(message));
    this.#handlers.ended(this.#end as DisconnectEvent);
  }

  /** The other side is silent: gives the connection up. */
  lost(message: string): void {
    this.close(brokenOff(message));
  }

  #finish(reason: DisconnectEvent): void {
    this.#end = reason;
    for (const pending of [...this.#pending.values()]) {
      pending.fail(this.#unknownOutcome("CONNECTION_LOST", reason.message, pending.messageId));
    }
  }

  #frame(frame: Frame): void {
    let message: Message;
    try {
      message = decode(frame);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#unreadable(frame, error);
      return;
    }
    switch (message.type) {
      case "message":
      case "joined":
      case "left":
      case "renamed":
      case "presence":
      case "direct":
        if (frame.correlationId === 0) this.#handlers.event(message);
        else this.#pending.get(frame.correlationId)?.onEvent?.(message);
        return;
      case "goingAway":
      case "isTyping":
        this.#handlers.push(message);
        return;
      case "named":
      case "people":
      case "end":
      case "ack":
      case "pong":
      case "welcome":
        // None pending: it was settled by its own event, or given up.
        this.#pending.get(frame.correlationId)?.settle(message);
        return;
      case "error": {
        const code = nameOfCode(ErrorCode, message.code) as ChatClientErrorCode;
        this.#reject(frame.correlationId, code, message.message || code, { temporary: message.temporary });
        return;
      }
      case "disconnect": {
        const code = nameOfCode(DisconnectCode, message.code) as NonNullable<DisconnectEvent["code"]>;
        const { temporary } = message;
        // An answer to QUIT has its correlation id: this side wished for it.
        const by = this.#pending.has(frame.correlationId) ? "client" : "server";
        this.close({ type: "disconnect", by, code, temporary, message: message.message || code });
        return;
      }
      case "ping":
        this.#send({ type: "pong" }, frame.correlationId);
        return;
      default:
        // A request, which is not for clients to answer.
        return;
    }
  }

  #unreadable(frame: Frame, error: ProtocolError): void {
    if (error.code === "UNKNOWN_TYPE" && isEventFrame(frame)) {
      try {
        this.#handlers.unknownEvent(logFieldsOf(frame.bytes), roomOf(frame.bytes));
        return;
      } catch (malformed) {
        if (!(malformed instanceof ProtocolError)) throw malformed;
      }
    }
    if (error.code === "UNKNOWN_TYPE" && !this.#pending.has(frame.correlationId)) return;
    const text = `${this.#href} sent what can't be read: ${error.message}`;
    this.#reject(frame.correlationId, error.code, text, { cause: error });
  }

  #reject(correlationId: number, code: ChatClientErrorCode, text: string, details: ChatClientErrorDetails): void {
    const pending = this.#pending.get(correlationId);
    if (pending === undefined) this.#handlers.fault(new ChatClientError(code, text, details));
    else if (pending.messageId === undefined) pending.fail(new ChatClientError(code, text, details));
    else pending.fail(new ChatClientError(code, text, { ...details, messageId: pending.messageId }));
  }

  #unknownOutcome(
    code: ChatClientErrorCode,
    message: string,
    messageId: MessageId | undefined,
    cause?: unknown,
  ): ChatClientError {
    const text = messageId === undefined ? message : `${message}; the message may have arrived or not`;
    const details = { temporary: true, cause };
    return new ChatClientError(code, text, messageId === undefined ? details : { ...details, messageId });
  }

  #freeCorrelationId(): number {
    do {
      this.#lastCorrelationId = this.#lastCorrelationId === MAX_CORRELATION_ID ? 1 : this.#lastCorrelationId + 1;
    } while (this.#pending.has(this.#lastCorrelationId));
    return this.#lastCorrelationId;
  }

  #send(message: Message, correlationId: number): void {
    this.#framesSent++;
    this.#transport?.send(encode(message, correlationId));
  }
}

function brokenOff(message: string): DisconnectEvent {
  return { type: "disconnect", by: "transport", code: undefined, temporary: true, message };
}
