/**
 * One person's conversation with the rooms, whatever carries it.
 *
 * - States: greeting (no name yet) → joining → welcomed → ended. Nothing goes back except a refused HELLO to greeting.
 * - WELCOME is sent when the session's JOINED is read from the log, before any event; its events begin with that JOINED.
 *   Resumed, they begin with what was missed; then comes what follows the takeover in the log.
 * - An ACK is sent once the log has the message. The session's appends are made in the order of its requests, LEFT last.
 * - Whatever is wrong with a request is answered by a coded ERROR, and the session goes on.
 * - The name is released after LEFT is in the log, on every way out. A session that may resume is held first, when its
 *   connection is lost.
 * - Requests that arrive while HELLO, JOIN, LEAVE or RENAME is being answered wait for that answer.
 */

import {
  Capability,
  DEFAULT_ROOM,
  DisconnectCode,
  type DisconnectCodeName,
  decode,
  directStream,
  ErrorCode,
  type ErrorCodeName,
  encode,
  type Frame,
  type Hello,
  type LeftReason,
  type Limits,
  logFieldsOf,
  type Message,
  type MessageId,
  messageFromSend,
  NOT_YET_LOGGED,
  type Position,
  PROTOCOL_VERSION,
  ProtocolError,
  type Reply,
  type Resume,
  type ResumedPlace,
  randomSessionId,
  type Send,
  type SendDirect,
  type SessionId,
  stringField,
  utf8Length,
} from "@parley/chat-protocol";
import type { Connection } from "./connection.ts";
import type { Expected } from "./hub-room.ts";
import { codeOfRejection, Membership, type Refusal } from "./membership.ts";
import { normalizeName, normalizeRoomName } from "./names.ts";
import { Outflow } from "./outflow.ts";
import { checkResumeToken, makeResumeToken } from "./resume-token.ts";
import type { Appended, RoomLog } from "./room-log.ts";
import type { RoomPlace } from "./room-place.ts";
import { answerHistory, answerWho } from "./session-reads.ts";

/** What a session needs of the hub that holds it. */
export interface SessionHost {
  readonly log: RoomLog;
  readonly limits: Limits;
  readonly maxSessions: number | undefined;
  readonly maxPeopleInRoom: number | undefined;
  readonly maxRooms: number;
  /** See HubOptions. */
  readonly resumeGraceMs: number;
  readonly deathGraceMs: number;
  readonly heartbeatMs: number;
  /** See HubOptions. */
  readonly admit: Admit | undefined;
  /** True: requests are no longer taken. */
  readonly isDraining: boolean;
  /** A place in a room, which is no member yet. */
  openPlace(room: string, connection: Connection, outflow: Outflow): RoomPlace;
  /** No more events for the place. */
  closePlace(place: RoomPlace): void;
  /** Says what is to be done when the event with this id is read from the log. */
  expect(messageId: MessageId, expected: Expected): void;
  /** No event with this id is to be expected. */
  unexpect(messageId: MessageId): void;
  /** Resolves when everything up to `position` was read from the log and fanned out, or can't be any more. */
  reached(position: Position): Promise<void>;
  /** The session has its name and its id from here on; an older one with that id is replaced. */
  joined(session: Session): void;
  /** The connection is lost, and the name is held. */
  held(session: Session): void;
  /** The session is over: LEFT is in the log and its name is free. `reason` is undefined if nobody was told. */
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

/** So many appends and reads may wait for the log before the transport is asked to stop reading. */
const BUSY_APPENDS = 4096;
/** TYPING more often than this is not passed on. */
const TYPING_INTERVAL_MS = 1000;

export class Session {
  readonly connection: Connection;
  readonly #host: SessionHost;
  readonly #membership: Membership;
  readonly #outflow: Outflow;
  readonly #places = new Map<string, RoomPlace>();
  /** The place of the latest SEND: most often that of the next one too. */
  #latestPlace: RoomPlace | undefined;
  #id: SessionId = randomSessionId();
  #state: SessionState = "greeting";
  #name = "";
  #nameField: Uint8Array = stringField("");
  #client = "";
  #mayResume = false;
  #helloCorrelationId = 0;
  /** Resolves when the HELLO, JOIN, LEAVE or RENAME being answered has gone as far as it can. */
  #step: Promise<void> = Promise.resolve();
  #isStepping = false;
  /** What came meanwhile. */
  readonly #waiting: (() => void)[] = [];
  #hasQuit = false;
  #pendingAppends = 0;
  #onNoAppends: (() => void) | undefined;
  #lastAppended: Position | undefined;
  #wasBusy = false;
  #typedAtMs = 0;
  #over: Promise<void> | undefined;
  #endHold: ((isReplaced: boolean) => void) | undefined;

  constructor(host: SessionHost, connection: Connection) {
    this.#host = host;
    this.connection = connection;
    this.#outflow = new Outflow(connection, () =>
      this.disconnect("SLOW_CONSUMER", "more happened than could be kept while you caught up"),
    );
    this.#membership = new Membership({
      log: host.log,
      maxSessions: host.maxSessions,
      maxPeopleInRoom: host.maxPeopleInRoom,
      expect: (messageId, expected) => host.expect(messageId, expected),
      unexpect: (messageId) => host.unexpect(messageId),
      isWanted: () => this.#state !== "ended",
      fault: (error) => host.fault(error),
    });
  }

  /** A resumed session has the id that it had before. */
  get id(): SessionId {
    return this.#id;
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

  /** The rooms it is in. */
  get rooms(): readonly string[] {
    return [...this.#places.keys()];
  }

  /** Counts the connections that this session has had. */
  get lease(): number {
    return this.#membership.lease;
  }

  /** True: the transport should stop reading until `Connection.ready` is called. */
  get busy(): boolean {
    const busy = this.#state === "joining" || this.#isStepping || this.#pendingAppends >= BUSY_APPENDS;
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
    if (this.#mustWait) {
      this.#waiting.push(() => this.receive(message, correlationId));
      return;
    }
    switch (message.type) {
      case "hello":
        this.#hello(message, correlationId);
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
      case "send":
      case "join":
      case "leave":
      case "sendDirect":
      case "rename":
      case "who":
      case "history":
      case "typing":
        if (this.#state === "welcomed") this.#request(message, correlationId);
        else this.refuse("HELLO_REQUIRED", "the first request must be HELLO", correlationId);
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
    if (this.#mustWait) this.#waiting.push(() => this.peerFinished());
    else if (this.#mayBeHeld) void this.settled().then(() => this.connection.end());
    else this.#leave("lost", undefined);
  }

  /** The transport lost the peer. Nothing is sent any more. */
  closed(): void {
    this.#end("lost");
  }

  /** The peer took what was queued for it: see `Connection.pendingBytes`. */
  drained(): void {
    this.#outflow.drained();
  }

  /** The last frame of this connection, at once. */
  disconnect(code: DisconnectCodeName, message: string): void {
    if (this.#state === "ended") return;
    this.#sendDisconnect(code, message, 0);
    this.connection.end();
    this.#end("lost");
  }

  /** The connection will be ended by the server. */
  goingAway(withinMs: number, message: string): void {
    if (this.#state === "welcomed") this.#reply({ type: "goingAway", withinMs, message }, 0);
  }

  /** Resolves once the log has decided on every message taken so far, and what it has of them was fanned out. */
  async settled(): Promise<void> {
    await this.#step;
    await this.#noPendingAppends();
    if (this.#lastAppended !== undefined) await this.#host.reached(this.#lastAppended);
  }

  /** Resolves when the session is over: LEFT in the log, name free. Call after it was made to end. */
  async over(): Promise<void> {
    await this.#over;
  }

  /** For the host: a direct message that this session sent or is to get. */
  direct(event: Uint8Array, isOwn: boolean): void {
    const { encoding } = this.connection;
    if (this.#state === "ended" || (isOwn && encoding.hidesOwnMessages)) return;
    this.#outflow.deliver(encoding.events([event]));
  }

  /** For the host: the session goes on over another connection, perhaps of another process. */
  replaced(): void {
    if (this.#endHold !== undefined) {
      this.#endHold(true);
      return;
    }
    if (this.#state === "ended") return;
    this.#sendDisconnect("REPLACED", "your session goes on over another connection", 0);
    this.connection.end();
    this.#stopHere();
    this.#over ??= Promise.resolve();
    this.#host.left(this, undefined);
  }

  /** For the host: don't wait for a resume any longer. */
  endHold(): void {
    this.#endHold?.(false);
  }

  get #mustWait(): boolean {
    return this.#state === "joining" || this.#isStepping;
  }

  get #mayBeHeld(): boolean {
    return this.#mayResume && this.#state === "welcomed" && this.#over === undefined && !this.#host.isDraining;
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
    this.#nameIs(normalized.name);
    this.#client = hello.client;
    this.#mayResume = (hello.capabilities & Capability.resume) !== 0 && this.#host.resumeGraceMs > 0;
    this.#helloCorrelationId = correlationId;
    this.#step = this.#join({ ...hello, name: normalized.name }, correlationId);
  }

  /** What comes of it is told by WELCOME, or by an ERROR here. Never rejects. */
  async #join(hello: Hello, correlationId: number): Promise<void> {
    const refusal = (await this.#admit(hello)) ?? (await this.#enter(hello));
    if (refusal === undefined || this.#state !== "joining") return;
    await this.#membership.abandon();
    for (const place of this.#places.values()) this.#host.closePlace(place);
    this.#places.clear();
    if (this.#state !== "joining") return;
    this.#state = "greeting";
    this.#nameIs("");
    this.refuse(refusal.code, refusal.message, correlationId);
    this.#goOn();
  }

  async #admit(hello: Hello): Promise<Refusal | undefined> {
    try {
      return await this.#host.admit?.(hello, this.connection);
    } catch (error) {
      this.#host.fault(error);
      return { code: "INTERNAL", message: "it can't be found out whether you may come in" };
    }
  }

  async #enter(hello: Hello): Promise<Refusal | undefined> {
    const { log } = this.#host;
    const { name, resume } = hello;
    if (resume !== undefined) {
      const subject = { sessionId: resume.sessionId, name, epoch: log.epoch };
      const verdict = checkResumeToken(log.resumeKey, subject, resume.resumeToken);
      if (verdict === "bad") return { code: "BAD_TOKEN", message: `that resume token was not given to ${name}` };
      if (verdict === "good") this.#id = resume.sessionId;
    }
    const refusal = await this.#membership.claim(name, this.#id, this.#mayResume ? this.#host.deathGraceMs : 0);
    if (refusal !== undefined || this.#state !== "joining") return refusal;
    return resume === undefined ? this.#enterFirst() : this.#enterAgain(resume);
  }

  async #enterFirst(): Promise<Refusal | undefined> {
    const place = this.#openPlace(DEFAULT_ROOM);
    const entered = await this.#membership.enter(place, (position, timeMs) => {
      this.#host.joined(this);
      if (this.#state !== "joining") return false;
      this.#isIn(place, position, timeMs);
      this.#welcome(DEFAULT_ROOM, position, undefined);
      this.#giveHistory(place);
      // Not now: the host is in the middle of a turn, and own events must follow the WELCOME.
      queueMicrotask(() => this.#goOn());
      return true;
    });
    return asRefusal(entered);
  }

  async #enterAgain(resume: Resume): Promise<Refusal | undefined> {
    const { limits, maxRooms } = this.#host;
    const places: RoomPlace[] = [];
    for (const { room } of resume.places) {
      const normalized = normalizeRoomName(room, limits.maxRoomNameBytes);
      if (!normalized.valid || this.#places.has(normalized.name) || places.length >= maxRooms) continue;
      const place = this.#openPlace(normalized.name);
      if ((await this.#membership.enterAgain(place)) === undefined) places.push(place);
      else this.#closePlace(place);
    }
    const outcome = await this.#membership.takeOver(places, (position) => {
      this.#host.joined(this);
      if (this.#state !== "joining") return false;
      for (const place of places) this.#isIn(place, position, 0);
      this.#outflow.hold();
      this.#catchUp(position, resume).catch((error) => {
        this.#host.fault(error);
        this.disconnect("LOG_LOST", "what you missed can't be read");
      });
      return true;
    });
    return asRefusal(outcome);
  }

  /** Tells what was recovered, gives it, then lets go what happened meanwhile. */
  async #catchUp(position: Position, resume: Resume): Promise<void> {
    const resumed: ResumedPlace[] = [];
    const missed: Uint8Array[] = [];
    for (const { room, position: after } of resume.places) {
      if (room !== "" && !this.#places.has(room.normalize("NFC"))) continue;
      const stream = room === "" ? directStream(this.#id) : room.normalize("NFC");
      const { events, recovered } = await this.#host.log.missed(stream, after);
      resumed.push({ room, position, recovered });
      // What comes behind the takeover is held back already.
      if (recovered) missed.push(...events.filter((event) => seqOf(event) <= position.seq));
    }
    if (this.#state !== "joining") return;
    missed.sort((a, b) => seqOf(a) - seqOf(b));
    const [first = DEFAULT_ROOM] = this.#places.keys();
    this.#welcome(first, position, resumed);
    await this.#outflow.replay(missed);
    this.#outflow.release();
    this.#goOn();
  }

  #welcome(room: string, position: Position, resumed: readonly ResumedPlace[] | undefined): void {
    this.#state = "welcomed";
    const { limits, heartbeatMs, resumeGraceMs } = this.#host;
    const resumable = { resumeToken: this.#resumeToken(), graceMs: resumeGraceMs };
    this.#reply(
      {
        type: "welcome",
        protocol: PROTOCOL_VERSION,
        capabilities: this.#mayResume ? Capability.resume : 0,
        sessionId: this.#id,
        heartbeatMs,
        limits,
        room,
        name: this.#name,
        position,
        ...(this.#mayResume ? { resumable } : {}),
        ...(resumed === undefined ? {} : { resumed }),
      },
      this.#helloCorrelationId,
    );
  }

  #resumeToken(): string {
    const { log } = this.#host;
    return makeResumeToken(log.resumeKey, { sessionId: this.#id, name: this.#name, epoch: log.epoch });
  }

  #request(message: Message, correlationId: number): void {
    switch (message.type) {
      case "send":
        this.#send(message, correlationId);
        return;
      case "sendDirect":
        this.#sendDirect(message, correlationId);
        return;
      case "join":
        this.#joinRoom(message.room, correlationId);
        return;
      case "rename":
        this.#rename(message.name, correlationId);
        return;
    }
    if (!("room" in message)) return;
    const place = this.#places.get(message.room.normalize("NFC"));
    if (place === undefined) {
      this.#notInRoom(message.room, correlationId);
      return;
    }
    const { log } = this.#host;
    if (message.type === "leave") this.#leaveRoom(place, correlationId);
    else if (message.type === "typing") this.#typing(place);
    else if (message.type === "who") this.#read(() => answerWho(log, place.room.name), correlationId);
    else if (message.type === "history") {
      this.#read(() => answerHistory(log, message, place.room.name, correlationId), correlationId);
    }
  }

  #joinRoom(raw: string, correlationId: number): void {
    const { limits, maxRooms } = this.#host;
    const normalized = normalizeRoomName(raw, limits.maxRoomNameBytes);
    if (!normalized.valid) {
      this.refuse("ROOM_INVALID", normalized.message, correlationId);
      return;
    }
    const here = this.#places.get(normalized.name);
    if (here !== undefined) {
      this.#reply({ type: "ack", position: here.since, timeMs: here.sinceMs, duplicate: true }, correlationId);
      return;
    }
    if (this.#places.size >= maxRooms) {
      this.refuse("TOO_MANY_ROOMS", `no more than ${maxRooms} rooms at once; leave one first`, correlationId);
      return;
    }
    this.#take(async () => {
      const place = this.#openPlace(normalized.name);
      const entered = await this.#membership.enter(place, (position, timeMs) => {
        if (this.#state !== "welcomed") return false;
        this.#isIn(place, position, timeMs);
        this.#reply({ type: "ack", position, timeMs, duplicate: false }, correlationId);
        this.#giveHistory(place);
        return true;
      });
      const refusal = asRefusal(entered);
      if (refusal !== undefined) {
        this.#closePlace(place);
        this.refuse(refusal.code, refusal.message, correlationId);
      } else if (entered !== undefined) await this.#host.reached(entered as Position);
    });
  }

  #leaveRoom(place: RoomPlace, correlationId: number): void {
    this.#take(async () => {
      const left = await this.#membership.exit(place, "quit", (position, timeMs) => {
        this.#reply({ type: "ack", position, timeMs, duplicate: false }, correlationId);
      });
      if (left !== undefined) await this.#host.reached(left);
      else this.refuse("LOG_UNAVAILABLE", "the log can't take it now", correlationId);
      this.#closePlace(place);
    });
  }

  #rename(raw: string, correlationId: number): void {
    const normalized = normalizeName(raw, this.#host.limits.maxNameBytes);
    if (!normalized.valid) {
      this.refuse(normalized.code, normalized.message, correlationId);
      return;
    }
    const { name } = normalized;
    this.#take(async () => {
      const refusal = name === this.#name ? undefined : await this.#membership.rename(name);
      if (refusal !== undefined) {
        this.refuse(refusal.code, refusal.message, correlationId);
        return;
      }
      this.#nameIs(name);
      const resumeToken = this.#resumeToken();
      this.#reply({ type: "named", name, ...(this.#mayResume ? { resumeToken } : {}) }, correlationId);
    });
  }

  /** One after the other, with everything else waiting. */
  #take(work: () => Promise<void>): void {
    this.#isStepping = true;
    this.#step = work()
      .catch((error) => this.#host.fault(error))
      .then(() => {
        this.#isStepping = false;
        this.#goOn();
      });
  }

  /** An answer that needs the log or the roster, and nothing waits for. */
  #read(
    answer: () => Promise<{ readonly events: readonly Uint8Array[]; readonly reply: Reply }>,
    correlationId: number,
  ): void {
    this.#pendingAppends++;
    answer()
      .then(
        ({ events, reply }) => {
          if (this.#state !== "welcomed") return;
          if (events.length > 0) this.connection.send(this.connection.encoding.events(events));
          this.#reply(reply, correlationId);
        },
        (error) => {
          const code = codeOfRejection(error, (fault) => this.#host.fault(fault));
          this.refuse(code, "the log can't be read now", correlationId);
        },
      )
      .catch((error) => this.#host.fault(error))
      .finally(() => this.#appendIsDone());
  }

  /** Where people read, they are shown what was said before they came. */
  #giveHistory(place: RoomPlace): void {
    const { historyOnJoin = 0 } = this.connection.encoding;
    if (historyOnJoin === 0) return;
    this.#outflow.hold();
    this.#host.log
      .history(place.room.name, historyOnJoin, place.since)
      .then(({ events }) => (this.#state === "ended" ? undefined : this.#outflow.replay(events)))
      .catch((error) => this.#host.fault(error))
      .finally(() => this.#outflow.release());
  }

  #typing(place: RoomPlace): void {
    const nowMs = performance.now();
    if (nowMs - this.#typedAtMs < TYPING_INTERVAL_MS && this.#typedAtMs > 0) return;
    this.#typedAtMs = nowMs;
    place.room.tellOthers(place, { type: "isTyping", room: place.room.name, name: this.#name });
  }

  #nameIs(name: string): void {
    this.#name = name;
    this.#nameField = stringField(name);
  }

  #openPlace(room: string): RoomPlace {
    const place = this.#host.openPlace(room, this.connection, this.#outflow);
    this.#places.set(room, place);
    return place;
  }

  #closePlace(place: RoomPlace): void {
    if (!this.#places.delete(place.room.name)) return;
    if (this.#latestPlace === place) this.#latestPlace = undefined;
    this.#host.closePlace(place);
  }

  #isIn(place: RoomPlace, position: Position, timeMs: number): void {
    place.since = position;
    place.sinceMs = timeMs;
  }

  /** Takes up the requests that waited. */
  #goOn(): void {
    while (this.#waiting.length > 0 && !this.#mustWait) this.#waiting.shift()?.();
    this.#readyAgain();
  }

  #readyAgain(): void {
    if (!this.#wasBusy || this.#state === "ended" || this.busy) return;
    this.#wasBusy = false;
    this.connection.ready?.();
  }

  #notInRoom(room: string, correlationId: number): void {
    this.refuse("NOT_IN_ROOM", `you are not in the room ${JSON.stringify(room.slice(0, 64))}`, correlationId);
  }

  /** False: there is no text, or too much of it, and that was said. */
  #isSayable(text: string, correlationId: number): boolean {
    const { limits } = this.#host;
    if (text === "") {
      this.refuse("TEXT_EMPTY", "there is no text", correlationId);
      return false;
    }
    const bytes = utf8Length(text);
    if (bytes <= limits.maxTextBytes) return true;
    const message = `the text has ${bytes} bytes; at most ${limits.maxTextBytes} are allowed`;
    this.refuse("TEXT_TOO_LONG", message, correlationId);
    return false;
  }

  #send(send: Send, correlationId: number): void {
    const place = this.#places.get(send.room.normalize("NFC"));
    if (place === undefined) {
      this.#notInRoom(send.room, correlationId);
      return;
    }
    this.#latestPlace = place;
    if (!this.#isSayable(send.text, correlationId)) return;
    const { messageId, text } = send;
    const isHidden = this.connection.encoding.hidesOwnMessages;
    if (isHidden) this.#host.expect(messageId, { kind: "own", place });
    const room = place.room.name;
    const frame = encode({ type: "message", ...NOT_YET_LOGGED, messageId, room, name: this.#name, text });
    this.#append(frame, isHidden ? messageId : undefined, correlationId);
  }

  #sendDirect({ messageId, to, text }: SendDirect, correlationId: number): void {
    if (!this.#isSayable(text, correlationId)) return;
    const { log } = this.#host;
    const name = this.#name;
    this.#pendingAppends++;
    log.roster
      .find(to)
      .then(
        (addressee) => {
          if (addressee === undefined) {
            this.refuse("NO_SUCH_NAME", `nobody here is called ${JSON.stringify(to.slice(0, 64))}`, correlationId);
            return;
          }
          const parties = { senderId: this.#id, addresseeId: addressee.sessionId, name, to: addressee.name };
          const frame = encode({ type: "direct", ...NOT_YET_LOGGED, messageId, room: "", ...parties, text });
          this.#append(frame, undefined, correlationId);
        },
        (error) => {
          const code = codeOfRejection(error, (fault) => this.#host.fault(fault));
          this.refuse(code, "the log can't take the message now; send it again", correlationId);
        },
      )
      .catch((error) => this.#host.fault(error))
      .finally(() => this.#appendIsDone());
  }

  /** The quick way for a SEND that is in order and whose event needs no watching. False: it is none. */
  #sendCopied(frame: Frame): boolean {
    const { isDraining, limits } = this.#host;
    const place = this.#latestPlace;
    const mayBeCopied = place !== undefined && this.#state === "welcomed" && !this.#hasQuit && !this.#isStepping;
    if (!mayBeCopied || isDraining || this.connection.encoding.hidesOwnMessages) return false;
    const event = messageFromSend(frame, place.room.field, this.#nameField, limits.maxTextBytes);
    if (event !== undefined) this.#append(event, undefined, frame.correlationId);
    return event !== undefined;
  }

  /** `expectedId`: the host was told to expect the event. */
  #append(event: Uint8Array, expectedId: MessageId | undefined, correlationId: number): void {
    this.#pendingAppends++;
    this.#host.log
      .append(this.#id, event)
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

  /** An end at once: nothing is sent any more, but LEFT is still appended, after the grace if the session may resume. */
  #end(reason: LeftReason): void {
    if (this.#state === "ended") return;
    const isHeld = this.#mayBeHeld;
    this.#stopHere();
    if (isHeld) this.#over = this.#beHeld();
    else this.#over ??= this.#finish(reason);
  }

  #stopHere(): void {
    this.#state = "ended";
    this.#waiting.length = 0;
    this.#outflow.end();
    for (const place of [...this.#places.values()]) this.#closePlace(place);
  }

  /** The name is kept for whoever resumes the session, for a while. Never rejects. */
  async #beHeld(): Promise<void> {
    this.#host.held(this);
    const isReplaced = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(resolve, this.#host.resumeGraceMs, false);
      this.#endHold = (outcome) => {
        clearTimeout(timer);
        resolve(outcome);
      };
    });
    this.#endHold = undefined;
    if (isReplaced || !(await this.#membership.holds())) this.#host.left(this, undefined);
    else await this.#finish("lost");
  }

  /** Out of the rooms, then `sayGoodbye` with LEFT's position, then the host is told. Never rejects. */
  async #finish(reason: LeftReason, sayGoodbye?: (left: Position | undefined) => Promise<void>): Promise<void> {
    await this.#step;
    const left = await this.#membership.leave(reason, [...this.#places.values()]);
    await sayGoodbye?.(left);
    this.#stopHere();
    this.#host.left(this, this.#membership.hasJoined ? reason : undefined);
  }
}

function asRefusal(outcome: Position | Refusal | undefined): Refusal | undefined {
  return outcome !== undefined && "code" in outcome ? outcome : undefined;
}

function seqOf(event: Uint8Array): number {
  return logFieldsOf(event).position.seq;
}
