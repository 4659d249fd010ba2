/**
 * The chat of one process: holds its sessions, follows the log once for all of them, and fans out what it reads.
 *
 * - Only what is read from the log is fanned out, so that everybody everywhere sees the same events in the same order.
 * - One buffer for each room, encoding and turn of the event loop, see `room-members.ts`. A direct message is given out only
 *   where one of its two people is connected.
 * - A hub that was overtaken by the log, or can't follow it, disconnects its sessions with LOG_LOST: they may come back
 *   and resume, and nobody is given a gap silently.
 * - `drain` ends everything in order: what the log has is acknowledged and fanned out before DISCONNECT SHUTTING_DOWN.
 */

import {
  DEFAULT_LIMITS,
  DEFAULT_ROOM,
  decode,
  directPartiesOf,
  FrameType,
  frameFrom,
  isOfRoom,
  type LeftReason,
  type Limits,
  logFieldsOf,
  type MessageId,
  messageIdOf,
  type Position,
  roomOf,
  type SessionId,
} from "@parley/chat-protocol";
import type { Connection } from "./connection.ts";
import { type Expected, HubRoom } from "./hub-room.ts";
import type { Outflow } from "./outflow.ts";
import { DEFAULT_PRESENCE_THRESHOLD } from "./presence.ts";
import type { Follower, RoomLog } from "./room-log.ts";
import { RoomPlace } from "./room-place.ts";
import { type Admit, Session, type SessionHost } from "./session.ts";

const TYPE_OFFSET = 5;
export const DEFAULT_MAX_ROOMS = 32;
export const RESUME_GRACE_MS = 30_000;

export interface HubOptions {
  /** Advertised in WELCOME and enforced. Default DEFAULT_LIMITS. */
  readonly limits?: Limits;
  /** The most people, in all processes that share the log. Default: no limit. */
  readonly maxSessions?: number;
  /** The most people in one room, in all processes that share the log. Default: no limit. */
  readonly maxPeopleInRoom?: number;
  /** The most rooms that a session may be in. Default DEFAULT_MAX_ROOMS. */
  readonly maxRooms?: number;
  /** So long a session that may resume is held when its connection is lost; 0: nobody is held. Default RESUME_GRACE_MS. */
  readonly resumeGraceMs?: number;
  /** The same for when this process dies, and others that share the log go on. Default: `resumeGraceMs`. */
  readonly deathGraceMs?: number;
  /** Above so many people in a room JOINED and LEFT are counted, not told. Default DEFAULT_PRESENCE_THRESHOLD. */
  readonly presenceThreshold?: number;
  /** Asked for in WELCOME; 0 (the default) asks for nothing. */
  readonly heartbeatMs?: number;
  /** Asked before a name is claimed. Default: everybody may come in. */
  readonly admit?: Admit;
  readonly observer?: HubObserver;
}

/** Told what happens, for logs and counts. Must not throw. */
export interface HubObserver {
  joined?(session: Session): void;
  left?(session: Session, reason: LeftReason): void;
  /** A fault that nobody is answered with: the log failed, or a defect. */
  fault?(error: unknown): void;
}

interface Waiter {
  readonly seq: number;
  readonly resolve: () => void;
}

export class ChatHub implements SessionHost {
  readonly log: RoomLog;
  /** The room that everybody enters first. */
  readonly room: string = DEFAULT_ROOM;
  readonly limits: Limits;
  readonly maxSessions: number | undefined;
  readonly maxPeopleInRoom: number | undefined;
  readonly maxRooms: number;
  readonly resumeGraceMs: number;
  readonly deathGraceMs: number;
  readonly heartbeatMs: number;
  readonly admit: Admit | undefined;
  readonly #presenceThreshold: number;
  readonly #observer: HubObserver;
  readonly #follower: Follower;
  readonly #sessions = new Set<Session>();
  /** Sessions whose connection was lost and whose name is held. */
  readonly #held = new Set<Session>();
  /** Sessions by id, those that are held too. */
  readonly #byId = new Map<SessionId, Session>();
  /** Rooms in which, or on the way into which, somebody here is. */
  readonly #rooms = new Map<string, HubRoom>();
  /** Events that set their session apart from the others when they are read from the log. */
  readonly #expected = new Map<MessageId, Expected>();
  #waiters: Waiter[] = [];
  #isDraining = false;
  #hasFailed = false;

  /** A hub that fans out what is appended to `log` from now on. The log stays the caller's to close, after `drain`. */
  static async start(log: RoomLog, options: HubOptions = {}): Promise<ChatHub> {
    const { tail } = await log.bounds();
    return new ChatHub(log, tail, options);
  }

  private constructor(log: RoomLog, after: Position, options: HubOptions) {
    this.log = log;
    this.limits = options.limits ?? DEFAULT_LIMITS;
    this.maxSessions = options.maxSessions;
    this.maxPeopleInRoom = options.maxPeopleInRoom;
    this.maxRooms = options.maxRooms ?? DEFAULT_MAX_ROOMS;
    this.resumeGraceMs = options.resumeGraceMs ?? RESUME_GRACE_MS;
    this.deathGraceMs = options.deathGraceMs ?? this.resumeGraceMs;
    this.#presenceThreshold = options.presenceThreshold ?? DEFAULT_PRESENCE_THRESHOLD;
    this.heartbeatMs = options.heartbeatMs ?? 0;
    this.admit = options.admit;
    this.#observer = options.observer ?? {};
    this.#follower = log.follow(after, {
      events: (events, last) => this.#events(events, last),
      lost: (from) => this.#lost(from),
      failed: (error) => this.#failed(error),
    });
  }

  /** Sessions that are not over: greeting, welcomed, or still leaving. */
  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Places of people who are connected here, in all rooms. */
  get memberCount(): number {
    let count = 0;
    for (const room of this.#rooms.values()) count += room.memberCount;
    return count;
  }

  /** Rooms in which somebody is who is connected here. */
  get roomCount(): number {
    return this.#rooms.size;
  }

  /** Sessions whose connection was lost and that may still be resumed. */
  get heldCount(): number {
    return this.#held.size;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** A session for somebody who has just connected. */
  connect(connection: Connection): Session {
    const session = new Session(this, connection);
    this.#sessions.add(session);
    if (this.#isDraining) session.disconnect("SHUTTING_DOWN", "the server stops");
    else if (this.#hasFailed) session.disconnect("LOG_LOST", "the log can't be followed");
    return session;
  }

  /**
   * Takes no more requests; once what the log took of each session is acknowledged and fanned out, disconnects it.
   * Resolves when every session is over and the log is no longer followed. `message` is for people.
   */
  async drain(message = "the server stops"): Promise<void> {
    this.#isDraining = true;
    const held = [...this.#held];
    for (const session of held) session.endHold();
    await Promise.all(held.map((session) => session.over()));
    const sessions = [...this.#sessions];
    await Promise.all(sessions.map((session) => session.settled()));
    for (const session of sessions) session.disconnect("SHUTTING_DOWN", message);
    await Promise.all(sessions.map((session) => session.over()));
    this.#follower.stop();
    this.#releaseWaiters(Number.POSITIVE_INFINITY);
  }

  /** Tells everybody that this server will end their connections within `withinMs`: before `drain`. */
  announceGoingAway(withinMs: number, message = "the server stops"): void {
    for (const session of this.#sessions) session.goingAway(withinMs, message);
  }

  /** For sessions, see SessionHost. */
  openPlace(name: string, connection: Connection, outflow: Outflow): RoomPlace {
    let room = this.#rooms.get(name);
    if (room === undefined) {
      room = new HubRoom(name, {
        threshold: this.#presenceThreshold,
        count: () => this.log.roster.count(name),
        fault: (error) => this.fault(error),
      });
      this.#rooms.set(name, room);
    }
    room.openPlaces++;
    return new RoomPlace(room, connection.encoding, outflow);
  }

  closePlace(place: RoomPlace): void {
    const { room } = place;
    room.remove(place);
    if (--room.openPlaces > 0) return;
    room.presence.close();
    this.#rooms.delete(room.name);
  }

  expect(messageId: MessageId, expected: Expected): void {
    this.#expected.set(messageId, expected);
  }

  unexpect(messageId: MessageId): void {
    this.#expected.delete(messageId);
  }

  reached(position: Position): Promise<void> {
    const { epoch, seq } = this.#follower.position;
    if (this.#hasFailed || epoch !== position.epoch || seq >= position.seq) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ seq: position.seq, resolve }));
  }

  joined(session: Session): void {
    const older = this.#byId.get(session.id);
    this.#byId.set(session.id, session);
    if (older !== undefined && older !== session) older.replaced();
    this.#observer.joined?.(session);
  }

  held(session: Session): void {
    this.#sessions.delete(session);
    this.#held.add(session);
  }

  left(session: Session, reason: LeftReason | undefined): void {
    this.#sessions.delete(session);
    this.#held.delete(session);
    if (this.#byId.get(session.id) === session) this.#byId.delete(session.id);
    if (reason !== undefined) this.#observer.left?.(session, reason);
  }

  fault(error: unknown): void {
    this.#observer.fault?.(error);
  }

  #events(events: readonly Uint8Array[], last: Position): void {
    // Most often all of a turn is of one room.
    let room: HubRoom | undefined;
    const inTurn = new Set<HubRoom>();
    for (const event of events) {
      const type = event[TYPE_OFFSET];
      const expected = this.#expected.size > 0 ? this.#takeExpected(event) : undefined;
      if (type === FrameType.direct) this.#direct(event);
      else if (type === FrameType.takeover) this.#takeOver(event, expected);
      else {
        if (room === undefined || !isOfRoom(event, room.field)) room = this.#rooms.get(roomOf(event));
        if (room === undefined) continue;
        inTurn.add(room);
        room.take(event, expected);
      }
    }
    for (const each of inTurn) each.deliver();
    this.#releaseWaiters(last.seq);
  }

  #takeExpected(event: Uint8Array): Expected | undefined {
    const messageId = messageIdOf(event);
    const expected = this.#expected.get(messageId);
    if (expected !== undefined) this.#expected.delete(messageId);
    return expected;
  }

  #direct(event: Uint8Array): void {
    const { senderId, addresseeId } = directPartiesOf(event);
    this.#byId.get(addresseeId)?.direct(event, addresseeId === senderId);
    if (senderId !== addresseeId) this.#byId.get(senderId)?.direct(event, true);
  }

  #takeOver(event: Uint8Array, expected: Expected | undefined): void {
    if (expected?.kind === "takeover") {
      if (!expected.onRead(logFieldsOf(event).position)) return;
      for (const place of expected.places) place.room.admit(place);
      return;
    }
    const message = decode(frameFrom(event));
    if (message.type !== "takeover") return;
    const session = this.#byId.get(message.sessionId);
    if (session !== undefined && session.lease < message.lease) session.replaced();
  }

  #lost(from: Position): void {
    this.#expected.clear();
    this.#releaseWaiters(from.seq);
    this.#disconnectAll("the log went on faster than this server could read it");
  }

  #failed(error: Error): void {
    this.#hasFailed = true;
    this.#expected.clear();
    this.#releaseWaiters(Number.POSITIVE_INFINITY);
    this.fault(error);
    this.#disconnectAll("the log can't be followed any more");
  }

  /** Those in the room, and those on their way into it: their JOINED may be among what was lost. */
  #disconnectAll(message: string): void {
    for (const session of [...this.#sessions]) {
      if (session.state === "welcomed" || session.state === "joining") session.disconnect("LOG_LOST", message);
    }
  }

  #releaseWaiters(seq: number): void {
    if (this.#waiters.length === 0) return;
    const waiting: Waiter[] = [];
    for (const waiter of this.#waiters) {
      if (waiter.seq <= seq) waiter.resolve();
      else waiting.push(waiter);
    }
    this.#waiters = waiting;
  }
}
