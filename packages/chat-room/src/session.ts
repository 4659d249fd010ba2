/**
 * One person's conversation with the room, whatever carries it.
 *
 * - States: greeting (no name yet) → joining → welcomed → ended. Nothing goes back except a refused HELLO to greeting.
 * - WELCOME is sent when the session's JOINED is read from the log, before any event; its events begin with that JOINED.
 * - An ACK is sent once the log has the message. The session's appends are made in the order of its requests, LEFT last.
 * - Whatever is wrong with a request is answered by a coded ERROR, and the session goes on.
 * - The name is released after LEFT is in the log, on every way out.
 * - Requests that arrive while HELLO is being answered wait for that answer.
 */

import {
  DisconnectCode,
  type DisconnectCodeName,
  decode,
  ErrorCode,
  type ErrorCodeName,
  encode,
  type Frame,
  type Hello,
  type LeftReason,
  type Limits,
  type Message,
  type MessageId,
  messageFromSend,
  NOT_YET_LOGGED,
  type Position,
  PROTOCOL_VERSION,
  ProtocolError,
  type Reply,
  randomSessionId,
  type Send,
  type SessionId,
  stringField,
  utf8Length,
} from "@parley/chat-protocol";
import type { Connection } from "./connection.ts";
import { codeOfRejection, Membership, type Refusal } from "./membership.ts";
import { normalizeName } from "./names.ts";
import type { Appended, RoomLog } from "./room-log.ts";
import type { Member } from "./room-members.ts";

/** What a session needs of the hub that holds it. */
export interface SessionHost {
  readonly log: RoomLog;
  readonly room: string;
  /** The room's name as a string field. */
  readonly roomField: Uint8Array;
  readonly limits: Limits;
  readonly maxSessions: number | undefined;
  readonly heartbeatMs: number;
  /** See HubOptions. */
  readonly admit: Admit | undefined;
  /** True: requests are no longer taken. */
  readonly isDraining: boolean;
  /** Calls `session.welcome` when the event with this id is read from the log, and makes the session a member. */
  expectJoined(messageId: MessageId, session: Session): void;
  /** The event with this id is the session's own. */
  expectOwn(messageId: MessageId, session: Session): void;
  /** No event with this id is to be expected. */
  unexpect(messageId: MessageId): void;
  /** Resolves when everything up to `position` was read from the log and fanned out, or can't be any more. */
  reached(position: Position): Promise<void>;
  /** No more events for the session. */
  removeMember(session: Session): void;
  joined(session: Session): void;
  /** The session is over: LEFT is in the log and its name is free. `reason` is undefined if it never joined. */
  left(session: Session, reason: LeftReason | undefined): void;
  /** Something that should not happen did; nobody else will report it. */
  fault(error: unknown): void;
}

/**
 * Decides whether who says HELLO may have that name, which is normalized but not yet claimed. Undefined lets it in.
 * Bounding the time it takes is its own affair: the connection waits, and no other does.
 */
export type Admit = (hello: Hello, connection: Connection) => Promise<Refusal | undefined>;

export type SessionState = "greeting" | "joining" | "welcomed" | "ended";

/** So many appends may wait for the log before the transport is asked to stop reading. */
const BUSY_APPENDS = 4096;

export class Session implements Member {
  readonly id: SessionId = randomSessionId();
  readonly connection: Connection;
  memberIndex = -1;
  readonly #host: SessionHost;
  #state: SessionState = "greeting";
  #name = "";
  #nameField: Uint8Array = stringField("");
  readonly #membership: Membership;
  #client = "";
  #helloCorrelationId = 0;
  /** Resolves when the HELLO being answered has gone as far as it can. */
  #joining: Promise<void> = Promise.resolve();
  /** What came while HELLO was being answered. */
  readonly #waiting: (() => void)[] = [];
  #hasQuit = false;
  #pendingAppends = 0;
  #onNoAppends: (() => void) | undefined;
  #lastAppended: Position | undefined;
  #wasBusy = false;
  #over: Promise<void> | undefined;

  constructor(host: SessionHost, connection: Connection) {
    this.#host = host;
    this.connection = connection;
    this.#membership = new Membership({
      log: host.log,
      room: host.room,
      maxSessions: host.maxSessions,
      sessionId: this.id,
      expect: (messageId, type) => {
        if (type === "joined") host.expectJoined(messageId, this);
        else if (connection.encoding.hidesOwnMessages && this.#state !== "ended") host.expectOwn(messageId, this);
      },
      unexpect: (messageId) => host.unexpect(messageId),
      isWanted: () => this.#state !== "ended",
      fault: (error) => host.fault(error),
    });
  }

  get state(): SessionState {
    return this.#state;
  }

  /** As it was claimed; empty before. */
  get name(): string {
    return this.#name;
  }

  /** The client program as HELLO named it. */
  get client(): string {
    return this.#client;
  }

  /** True: the transport should stop reading until `Connection.ready` is called. */
  get busy(): boolean {
    const busy = this.#state === "joining" || this.#pendingAppends >= BUSY_APPENDS;
    if (busy) this.#wasBusy = true;
    return busy;
  }

  /** A frame from the peer. Its bytes are not kept. */
  receiveFrame(frame: Frame): void {
    if (this.#sendCopied(frame)) return;
    let message: Message;
    try {
      message = decode(frame);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.refuse(error.code as ErrorCodeName, error.message, frame.correlationId);
      return;
    }
    this.receive(message, frame.correlationId);
  }

  /** A decoded request from the peer. */
  receive(message: Message, correlationId: number): void {
    if (this.#state === "ended" || this.#hasQuit || this.#host.isDraining) return;
    if (this.#state === "joining") {
      this.#waiting.push(() => this.receive(message, correlationId));
      return;
    }
    switch (message.type) {
      case "hello":
        this.#hello(message, correlationId);
        return;
      case "send":
        this.#send(message, correlationId);
        return;
      case "ping":
        this.#reply({ type: "pong" }, correlationId);
        return;
      case "pong":
        return;
      case "quit":
        this.#hasQuit = true;
        this.#leave("quit", correlationId);
        return;
      default:
        this.refuse("UNKNOWN_TYPE", `${message.type} is not a request`, correlationId);
    }
  }

  /** Answers a request that the transport could not decode or won't pass on. */
  refuse(code: ErrorCodeName, message: string, correlationId: number): void {
    if (this.#state === "ended") return;
    const entry = ErrorCode[code];
    this.#reply({ type: "error", code: entry.code, temporary: entry.temporary, message }, correlationId);
  }

  /** The peer will send nothing more: what it asked for is answered, then the connection ends. */
  peerFinished(): void {
    if (this.#state === "joining") this.#waiting.push(() => this.#leave("lost", undefined));
    else this.#leave("lost", undefined);
  }

  /** The transport lost the peer. Nothing is sent any more. */
  closed(): void {
    this.#end("lost");
  }

  /** The last frame of this connection, at once. */
  disconnect(code: DisconnectCodeName, message: string): void {
    if (this.#state === "ended") return;
    this.#sendDisconnect(code, message, 0);
    this.connection.end();
    this.#end("lost");
  }

  /** Resolves once the log has decided on every message taken so far, and what it has of them was fanned out. */
  async settled(): Promise<void> {
    await this.#joining;
    await this.#noPendingAppends();
    if (this.#lastAppended !== undefined) await this.#host.reached(this.#lastAppended);
  }

  /** Resolves when the session is over: LEFT in the log, name free. Call after it was made to end. */
  async over(): Promise<void> {
    await this.#over;
  }

  /** For the host: the session's JOINED was read from the log at `position`. True: give it events from there on. */
  welcome(position: Position): boolean {
    this.#host.joined(this);
    if (this.#state !== "joining") return false;
    this.#state = "welcomed";
    const { limits, heartbeatMs, room } = this.#host;
    this.#reply(
      {
        type: "welcome",
        protocol: PROTOCOL_VERSION,
        capabilities: 0,
        sessionId: this.id,
        heartbeatMs,
        limits,
        room,
        name: this.#name,
        position,
      },
      this.#helloCorrelationId,
    );
    // Not now: the host is in the middle of a turn, and own events must follow the WELCOME.
    queueMicrotask(() => this.#resume());
    return true;
  }

  #hello(hello: Hello, correlationId: number): void {
    if (this.#state !== "greeting") {
      this.refuse("ALREADY_WELCOMED", `this session is ${this.#name}`, correlationId);
      return;
    }
    if (hello.protocolMin > PROTOCOL_VERSION || hello.protocolMax < PROTOCOL_VERSION) {
      const offered = `${hello.protocolMin} to ${hello.protocolMax}`;
      this.refuse("UNSUPPORTED_PROTOCOL", `protocol ${PROTOCOL_VERSION} is spoken here, not ${offered}`, correlationId);
      return;
    }
    const normalized = normalizeName(hello.name, this.#host.limits.maxNameBytes);
    if (!normalized.valid) {
      this.refuse(normalized.code, normalized.message, correlationId);
      return;
    }
    this.#state = "joining";
    this.#name = normalized.name;
    this.#nameField = stringField(normalized.name);
    this.#client = hello.client;
    this.#helloCorrelationId = correlationId;
    this.#joining = this.#join({ ...hello, name: normalized.name }, correlationId);
  }

  /** What comes of it is told by `welcome`, or by an ERROR here. Never rejects. */
  async #join(hello: Hello, correlationId: number): Promise<void> {
    const refusal = (await this.#admit(hello)) ?? (await this.#membership.enter(hello.name));
    if (refusal === undefined || this.#state !== "joining") return;
    this.#state = "greeting";
    this.#name = "";
    this.refuse(refusal.code, refusal.message, correlationId);
    this.#resume();
  }

  async #admit(hello: Hello): Promise<Refusal | undefined> {
    try {
      return await this.#host.admit?.(hello, this.connection);
    } catch (error) {
      this.#host.fault(error);
      return { code: "INTERNAL", message: "it can't be found out whether you may come in" };
    }
  }

  /** Takes up the requests that waited for the answer to HELLO. */
  #resume(): void {
    while (this.#waiting.length > 0 && this.#state !== "joining") this.#waiting.shift()?.();
    this.#readyAgain();
  }

  #readyAgain(): void {
    if (!this.#wasBusy || this.#state === "ended" || this.busy) return;
    this.#wasBusy = false;
    this.connection.ready?.();
  }

  #send(send: Send, correlationId: number): void {
    const { limits, room } = this.#host;
    if (this.#state !== "welcomed") {
      this.refuse("HELLO_REQUIRED", "the first request must be HELLO", correlationId);
      return;
    }
    if (send.room !== room) {
      this.refuse("NOT_IN_ROOM", `you are not in the room ${JSON.stringify(send.room.slice(0, 64))}`, correlationId);
      return;
    }
    if (send.text === "") {
      this.refuse("TEXT_EMPTY", "there is no text", correlationId);
      return;
    }
    const bytes = utf8Length(send.text);
    if (bytes > limits.maxTextBytes) {
      const message = `the text has ${bytes} bytes; at most ${limits.maxTextBytes} are allowed`;
      this.refuse("TEXT_TOO_LONG", message, correlationId);
      return;
    }
    const { messageId, text } = send;
    const isHidden = this.connection.encoding.hidesOwnMessages;
    if (isHidden) this.#host.expectOwn(messageId, this);
    const frame = encode({ type: "message", ...NOT_YET_LOGGED, messageId, room, name: this.#name, text });
    this.#append(frame, isHidden ? messageId : undefined, correlationId);
  }

  /** The quick way for a SEND that is in order and whose event needs no watching. False: it is none. */
  #sendCopied(frame: Frame): boolean {
    const { isDraining, limits, roomField } = this.#host;
    const mayBeCopied = this.#state === "welcomed" && !this.#hasQuit && !isDraining;
    if (!mayBeCopied || this.connection.encoding.hidesOwnMessages) return false;
    const event = messageFromSend(frame, roomField, this.#nameField, limits.maxTextBytes);
    if (event !== undefined) this.#append(event, undefined, frame.correlationId);
    return event !== undefined;
  }

  /** `expectedId`: the host was told to expect the event. */
  #append(event: Uint8Array, expectedId: MessageId | undefined, correlationId: number): void {
    this.#pendingAppends++;
    this.#host.log
      .append(this.id, event)
      .then(
        (appended) => {
          // A repeated message is in the log since the first time, and won't be read again.
          if (appended.duplicate && expectedId !== undefined) this.#host.unexpect(expectedId);
          this.#acknowledge(appended, correlationId);
        },
        (error) => {
          if (expectedId !== undefined) this.#host.unexpect(expectedId);
          const code = codeOfRejection(error, (fault) => this.#host.fault(fault));
          this.refuse(code, "the log can't take the message now; send it again", correlationId);
          this.#appendIsDone();
        },
      )
      .catch((error) => this.#host.fault(error));
  }

  #acknowledge({ position, timeMs, duplicate }: Appended, correlationId: number): void {
    if (!duplicate) this.#lastAppended = position;
    if (this.#state !== "ended") this.#reply({ type: "ack", position, timeMs, duplicate }, correlationId);
    this.#appendIsDone();
  }

  #appendIsDone(): void {
    this.#pendingAppends--;
    this.#readyAgain();
    if (this.#pendingAppends > 0 || this.#onNoAppends === undefined) return;
    this.#onNoAppends();
    this.#onNoAppends = undefined;
  }

  async #noPendingAppends(): Promise<void> {
    while (this.#pendingAppends > 0) {
      const before = this.#onNoAppends;
      await new Promise<void>((resolve) => {
        this.#onNoAppends = () => {
          before?.();
          resolve();
        };
      });
    }
  }

  #reply(reply: Reply, correlationId: number): void {
    const bytes = this.connection.encoding.reply(reply, correlationId);
    if (bytes.length > 0) this.connection.send(bytes);
  }

  #sendDisconnect(code: DisconnectCodeName, message: string, correlationId: number): void {
    const entry = DisconnectCode[code];
    this.#reply({ type: "disconnect", code: entry.code, temporary: entry.temporary, message }, correlationId);
  }

  /** An orderly end: the peer is given everything up to its own LEFT, then (for a QUIT) DISCONNECT, then the end. */
  #leave(reason: LeftReason, quitCorrelationId: number | undefined): void {
    if (this.#over !== undefined) return;
    this.#over = this.#finish(reason, async (left) => {
      await this.#noPendingAppends();
      if (left !== undefined) await this.#host.reached(left);
      if (this.#state === "ended") return;
      if (quitCorrelationId !== undefined) this.#sendDisconnect("BYE", "goodbye", quitCorrelationId);
      this.connection.end();
    });
  }

  /** An end at once: nothing is sent any more, but LEFT is still appended. */
  #end(reason: LeftReason): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#waiting.length = 0;
    this.#host.removeMember(this);
    this.#over ??= this.#finish(reason);
  }

  /** Out of the room, then `sayGoodbye` with LEFT's position, then the host is told. Never rejects. */
  async #finish(reason: LeftReason, sayGoodbye?: (left: Position | undefined) => Promise<void>): Promise<void> {
    await this.#joining;
    const left = await this.#membership.leave(reason);
    await sayGoodbye?.(left);
    this.#state = "ended";
    this.#host.removeMember(this);
    this.#host.left(this, this.#membership.hasJoined ? reason : undefined);
  }
}
