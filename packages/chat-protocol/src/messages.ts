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
  /** Bit set of what the client can do, see `Capability`. */
  readonly capabilities: number;
  /** Name and version of the client program, for logs. */
  readonly client: string;
  readonly name: string;
  readonly token?: string;
  /** To go on with a session whose connection was lost. */
  readonly resume?: Resume;
}

/** Where a reader is in a room. */
export interface Place {
  readonly room: string;
  /** The last event that was received of it. */
  readonly position: Position;
}

export interface Resume {
  readonly resumeToken: string;
  readonly sessionId: SessionId;
  /** Every room to go on in. The room "" stands for direct messages. */
  readonly places: readonly Place[];
}

/** One of HELLO's places, answered. */
export interface ResumedPlace extends Place {
  /** The session's events go on after this position; `recovered`: what was missed up to it comes first. */
  readonly recovered: boolean;
}

/** What a client keeps to be able to resume. */
export interface Resumable {
  readonly resumeToken: string;
  /** For so long the name is held after a connection was lost. */
  readonly graceMs: number;
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
  /** Position of the session's own JOINED event; resumed, where its events go on. */
  readonly position: Position;
  readonly resumable?: Resumable;
  /** Answer to HELLO's `resume`, place by place. */
  readonly resumed?: readonly ResumedPlace[];
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

/** The server will end this connection within `withinMs`: a client may move to another one before. */
export interface GoingAway {
  readonly type: "goingAway";
  readonly withinMs: number;
  readonly message: string;
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

/** Request: enter `room`, too. Answered by ACK with the position of the own JOINED. */
export interface Join {
  readonly type: "join";
  readonly room: string;
}

/** Request: leave `room`. Answered by ACK with the position of the own LEFT. */
export interface Leave {
  readonly type: "leave";
  readonly room: string;
}

/** Request: say `text` to the person called `to` alone. */
export interface SendDirect {
  readonly type: "sendDirect";
  readonly messageId: MessageId;
  readonly to: string;
  readonly text: string;
}

/** Request: be called `name` from now on. Answered by NAMED. */
export interface Rename {
  readonly type: "rename";
  readonly name: string;
}

export interface Named {
  readonly type: "named";
  /** As it was claimed (normalized). */
  readonly name: string;
  /** In place of the one that WELCOME gave, which was for the old name. */
  readonly resumeToken?: string;
}

/** Request: the people in `room`. Answered by PEOPLE. */
export interface Who {
  readonly type: "who";
  readonly room: string;
}

export interface People {
  readonly type: "people";
  readonly room: string;
  /** How many there are; `names` may be fewer. */
  readonly total: number;
  readonly names: readonly string[];
}

/**
 * Request: the page of up to `maxEvents` of the room's events that ends just before `before`; epoch 0: the latest page.
 * Answered by event frames, oldest first, and END, all with the request's correlation id.
 */
export interface HistoryRequest {
  readonly type: "history";
  readonly room: string;
  readonly before: Position;
  readonly maxEvents: number;
}

export interface End {
  readonly type: "end";
  readonly room: string;
  /** The oldest event of the page: ask for what is before it. That of the request when the page is empty. */
  readonly position: Position;
  /** There are earlier events. */
  readonly more: boolean;
}

/** Request without an answer: the sender is typing in `room`. */
export interface Typing {
  readonly type: "typing";
  readonly room: string;
}

export interface IsTyping {
  readonly type: "isTyping";
  readonly room: string;
  readonly name: string;
}

/** What all events begin with. */
export interface EventFields {
  readonly position: Position;
  /**
   * Position (seq) of the room's previous MESSAGE, 0 if none is kept: something was missed exactly if it is above the
   * last event that was received of the room. Other events have a place in the order, but are no part of this chain.
   */
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

/** Somebody in the room is called something else from here on. */
export interface RenamedEvent extends EventFields {
  readonly type: "renamed";
  readonly name: string;
  readonly newName: string;
}

/** In place of JOINED and LEFT where many people are: at most one a second. Made for readers, not in the log. */
export interface PresenceEvent extends EventFields {
  readonly type: "presence";
  /** In the room now. */
  readonly people: number;
  /** Since the last such event. */
  readonly joined: number;
  readonly left: number;
}

/** Between two people: only they are given it. The room is empty and `prev` is 0. */
export interface DirectEvent extends EventFields {
  readonly type: "direct";
  readonly senderId: SessionId;
  readonly addresseeId: SessionId;
  readonly name: string;
  readonly to: string;
  readonly text: string;
}

/** From here on the session is held by whoever claimed it last. For servers that share a log; no client is given it. */
export interface TakeoverEvent extends EventFields {
  readonly type: "takeover";
  readonly sessionId: SessionId;
  readonly lease: number;
}

export type ChatEvent = MessageEvent | JoinedEvent | LeftEvent | RenamedEvent | PresenceEvent | DirectEvent;
export type Request = Hello | Send | Join | Leave | SendDirect | Rename | Who | HistoryRequest | Typing | Ping | Quit;
export type Reply = Welcome | Ack | ErrorReply | Named | People | End | IsTyping | Pong | GoingAway | Disconnect;
export type Message = Request | Reply | ChatEvent | TakeoverEvent;
