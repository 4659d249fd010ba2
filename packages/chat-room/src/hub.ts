/**
 * The chat of one process: holds its sessions, follows the log once for all of them, and fans out what it reads.
 *
 * - Only what is read from the log is fanned out, so that everybody everywhere sees the same events in the same order.
 * - One buffer for each encoding and turn of the event loop, see `room-members.ts`.
 * - A hub that was overtaken by the log, or can't follow it, disconnects its sessions with LOG_LOST: they may come back
 *   and resume, and nobody is given a gap silently.
 * - `drain` ends everything in order: what the log has is acknowledged and fanned out before DISCONNECT SHUTTING_DOWN.
 */

import {
  DEFAULT_LIMITS,
  DEFAULT_ROOM,
  isOfRoom,
  type LeftReason,
  type Limits,
  logFieldsOf,
  type MessageId,
  messageIdOf,
  type Position,
  stringField,
} from "@parley/chat-protocol";
import type { Connection } from "./connection.ts";
import type { Follower, RoomLog } from "./room-log.ts";
import { type Member, RoomMembers, type TurnOfMember } from "./room-members.ts";
import { type Admit, Session, type SessionHost } from "./session.ts";

export interface HubOptions {
  /** Advertised in WELCOME and enforced. Default DEFAULT_LIMITS. */
  readonly limits?: Limits;
  /** The most people, in all processes that share the log. Default: no limit. */
  readonly maxSessions?: number;
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

interface Expected {
  readonly session: Session;
  readonly isJoined: boolean;
}

interface Waiter {
  readonly seq: number;
  readonly resolve: () => void;
}

export class ChatHub implements SessionHost {
  readonly log: RoomLog;
  readonly room: string = DEFAULT_ROOM;
  readonly limits: Limits;
  readonly maxSessions: number | undefined;
  readonly heartbeatMs: number;
  readonly admit: Admit | undefined;
  readonly roomField: Uint8Array = stringField(this.room);
  readonly #observer: HubObserver;
  readonly #follower: Follower;
  readonly #sessions = new Set<Session>();
  readonly #members = new RoomMembers();
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

  /** People in the room through this hub. */
  get memberCount(): number {
    return this.#members.size;
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
    const sessions = [...this.#sessions];
    await Promise.all(sessions.map((session) => session.settled()));
    for (const session of sessions) session.disconnect("SHUTTING_DOWN", message);
    await Promise.all(sessions.map((session) => session.over()));
    this.#follower.stop();
    this.#releaseWaiters(Number.POSITIVE_INFINITY);
  }

  /** For sessions, see SessionHost. */
  expectJoined(messageId: MessageId, session: Session): void {
    this.#expected.set(messageId, { session, isJoined: true });
  }

  expectOwn(messageId: MessageId, session: Session): void {
    this.#expected.set(messageId, { session, isJoined: false });
  }

  unexpect(messageId: MessageId): void {
    this.#expected.delete(messageId);
  }

  reached(position: Position): Promise<void> {
    const { epoch, seq } = this.#follower.position;
    if (this.#hasFailed || epoch !== position.epoch || seq >= position.seq) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ seq: position.seq, resolve }));
  }

  removeMember(session: Session): void {
    this.#members.remove(session);
  }

  joined(session: Session): void {
    this.#observer.joined?.(session);
  }

  left(session: Session, reason: LeftReason | undefined): void {
    this.#sessions.delete(session);
    if (reason !== undefined) this.#observer.left?.(session, reason);
  }

  fault(error: unknown): void {
    this.#observer.fault?.(error);
  }

  #events(events: readonly Uint8Array[], last: Position): void {
    const inRoom = events.filter((event) => isOfRoom(event, this.roomField));
    const apart = this.#expected.size > 0 ? this.#membersApart(inRoom) : new Map<Member, TurnOfMember>();
    if (inRoom.length > 0) this.#members.deliver(inRoom, apart);
    this.#releaseWaiters(last.seq);
  }

  /** Finds the expected events, and welcomes those who joined by one. */
  #membersApart(events: readonly Uint8Array[]): Map<Member, TurnOfMember> {
    const apart = new Map<Member, TurnOfMember>();
    for (let index = 0; index < events.length; index++) {
      const event = events[index] as Uint8Array;
      const messageId = messageIdOf(event);
      const expected = this.#expected.get(messageId);
      if (expected === undefined) continue;
      this.#expected.delete(messageId);
      const { session, isJoined } = expected;
      const known = apart.get(session);
      if (!isJoined) {
        if (known === undefined) apart.set(session, { from: 0, own: [index] });
        else known.own.push(index);
      } else if (session.welcome(logFieldsOf(event).position)) {
        this.#members.add(session);
        apart.set(session, { from: index, own: [index] });
      }
    }
    return apart;
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
