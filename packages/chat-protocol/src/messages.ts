/** What peers say to each other, decoded. `layout.ts` numbers the types, `codec.ts` turns them into bytes and back. */

import type { Limits } from "./limits.ts";

/** A place in a room's log: `seq` strictly increases within an epoch but may skip; a new epoch: earlier state is lost. */
export interface Position {
  readonly epoch: number;
  readonly seq: number;
}

/** 16 bytes as 32 lower-case hexadecimal digits: an idempotency key chosen by the sender. */
export type MessageId = string;
/** 16 bytes as 32 lower-case hexadecimal digits, chosen by the server. */
export type SessionId = string;

/** First request of a connection. */
export interface Hello {
  readonly type: "hello";
  readonly protocolMin: number;
  readonly protocolMax: number;
  /** Bit set of what the client can do; none is defined yet. */
  readonly capabilities: number;
  /** Name and version of the client program, for logs. */
  readonly client: string;
  readonly name: string;
  readonly token?: string;
}

/** Answer to HELLO: the session exists, its name is claimed, and it is in the default room. */
export interface Welcome {
  readonly type: "welcome";
  readonly protocol: number;
  readonly capabilities: number;
  readonly sessionId: SessionId;
  /** The client should be heard at least this often; PING will do. 0: no heartbeat is asked for. */
  readonly heartbeatMs: number;
  readonly limits: Limits;
  readonly room: string;
  /** The name as it was claimed (normalized). */
  readonly name: string;
  /** Position of the session's own JOINED event. */
  readonly position: Position;
}

/** Either side may ask; the other answers with PONG and the same correlation id. */
export interface Ping {
  readonly type: "ping";
}
export interface Pong {
  readonly type: "pong";
}

/** The client leaves; the server answers with DISCONNECT(BYE) once LEFT is in the log. */
export interface Quit {
  readonly type: "quit";
}

/** The last frame of a connection. `temporary`: reconnecting makes sense. */
export interface Disconnect {
  readonly type: "disconnect";
  readonly code: number;
  readonly temporary: boolean;
  readonly message: string;
}

/** The log has the message. */
export interface Ack {
  readonly type: "ack";
  readonly position: Position;
  readonly timeMs: number;
  /** The message id was known: this is the position of the first time. */
  readonly duplicate: boolean;
}

export interface ErrorReply {
  readonly type: "error";
  readonly code: number;
  readonly temporary: boolean;
  readonly message: string;
}

/** Request: say `text` in `room`. */
export interface Send {
  readonly type: "send";
  readonly messageId: MessageId;
  readonly room: string;
  readonly text: string;
}

/** What all events begin with. */
export interface EventFields {
  readonly position: Position;
  /** Position (seq) of the room's previous event, 0 if there is none: a gap shows here, never by counting. */
  readonly prev: number;
  /** When the log took the event, in ms of Unix time. */
  readonly timeMs: number;
  readonly messageId: MessageId;
  readonly room: string;
}

export interface MessageEvent extends EventFields {
  readonly type: "message";
  readonly name: string;
  readonly text: string;
}

export interface JoinedEvent extends EventFields {
  readonly type: "joined";
  readonly name: string;
}

/** `quit`: asked to. `lost`: the connection ended. `died`: its process died and a survivor noticed. */
export const LEFT_REASONS = ["quit", "lost", "died"] as const;
export type LeftReason = (typeof LEFT_REASONS)[number];
/** What a reason that isn't known here is read as. */
export const UNKNOWN_LEFT_REASON: LeftReason = "lost";

export interface LeftEvent extends EventFields {
  readonly type: "left";
  readonly name: string;
  readonly reason: LeftReason;
}

export type ChatEvent = MessageEvent | JoinedEvent | LeftEvent;
export type Request = Hello | Send | Ping | Quit;
export type Reply = Welcome | Ack | ErrorReply | Pong | Disconnect;
export type Message = Request | Reply | ChatEvent;
