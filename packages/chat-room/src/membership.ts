/**
 * One session's places: its name and rooms in the roster, its JOINED and LEFT in the log.
 *
 * - The name is claimed and the room entered before JOINED is appended; both are given up after LEFT was, on every way out.
 * - Nothing here rejects: a refusal is an outcome, and a fault that nobody can be told of goes to `fault`.
 */

import {
  type ErrorCodeName,
  encode,
  type LeftReason,
  type MessageId,
  NOT_YET_LOGGED,
  type Position,
  randomMessageId,
  type SessionId,
} from "@parley/chat-protocol";
import { appendUntilTaken } from "./append-until-taken.ts";
import type { Expected } from "./hub-room.ts";
import { type Lease, type RoomLog, RoomLogError } from "./room-log.ts";
import type { RoomPlace } from "./room-place.ts";

export interface Refusal {
  readonly code: ErrorCodeName;
  readonly message: string;
}

/** What a membership needs to know and to tell. */
export interface MembershipContext {
  readonly log: RoomLog;
  readonly maxSessions: number | undefined;
  readonly maxPeopleInRoom: number | undefined;
  /** An event with this id is about to be appended. */
  expect(messageId: MessageId, expected: Expected): void;
  /** It was not. */
  unexpect(messageId: MessageId): void;
  /** False: the session ended meanwhile, don't join any more. */
  isWanted(): boolean;
  fault(error: unknown): void;
}

export class Membership {
  readonly #context: MembershipContext;
  #name = "";
  #lease: Lease | undefined;
  /** Rooms whose JOINED was given to the log. */
  readonly #rooms = new Set<string>();
  #hasJoined = false;

  constructor(context: MembershipContext) {
    this.#context = context;
  }

  /** Counts the claims of the session; 0 before the first. */
  get lease(): number {
    return this.#lease?.lease ?? 0;
  }

  /** Some JOINED was given to the log. */
  get hasJoined(): boolean {
    return this.#hasJoined;
  }

  /** Claims the normalized `name`. Resolves with why not, if not. */
  async claim(name: string, sessionId: SessionId, graceMs: number): Promise<Refusal | undefined> {
    const { log, maxSessions } = this.#context;
    this.#name = name;
    try {
      const claim = { name, sessionId, graceMs };
      const outcome = await log.roster.claim(maxSessions === undefined ? claim : { ...claim, maxSessions });
      if (outcome.claimed) {
        this.#lease = { sessionId, lease: outcome.lease };
        return undefined;
      }
      const isTaken = outcome.reason === "NAME_TAKEN";
      const message = isTaken ? `${name} is taken` : `no more than ${maxSessions} may be here at once`;
      return { code: outcome.reason, message };
    } catch (error) {
      return this.#unreachable(error);
    }
  }

  /** Enters the place's room and appends JOINED, whose reading `onRead` hears. Resolves with its position. */
  async enter(
    place: RoomPlace,
    onRead: (position: Position, timeMs: number) => boolean,
  ): Promise<Position | Refusal | undefined> {
    return this.#enter(place, { kind: "joined", place, onRead });
  }

  /** Enters the place's room, appending JOINED only if the session isn't in it any more. */
  async enterAgain(place: RoomPlace): Promise<Refusal | undefined> {
    const outcome = await this.#enter(place, undefined);
    return outcome !== undefined && "code" in outcome ? outcome : undefined;
  }

  /** Appends what tells every process that the session goes on here, in these places. Resolves with its position. */
  async takeOver(
    places: readonly RoomPlace[],
    onRead: (position: Position) => boolean,
  ): Promise<Position | Refusal | undefined> {
    const messageId = randomMessageId();
    const lease = this.#lease as Lease;
    this.#context.expect(messageId, { kind: "takeover", places, onRead });
    try {
      const frame = encode({ type: "takeover", ...NOT_YET_LOGGED, messageId, room: "", ...lease });
      return (await appendUntilTaken(this.#context.log, lease.sessionId, frame)).position;
    } catch (error) {
      this.#context.unexpect(messageId);
      return this.#unreachable(error);
    }
  }

  /** Appends LEFT and gives up the place. Resolves with LEFT's position. */
  async exit(
    place: RoomPlace,
    reason: LeftReason,
    onRead: (position: Position, timeMs: number) => void,
  ): Promise<Position | undefined> {
    const room = place.room.name;
    if (this.#lease === undefined || !this.#rooms.delete(room)) return undefined;
    const left = await this.#appendLeft(room, reason, { kind: "left", place, onRead });
    try {
      await this.#context.log.roster.exit(this.#lease, room);
    } catch (error) {
      this.#report(error);
    }
    return left;
  }

  /** Takes another name; the rooms are told by RENAMED. */
  async rename(name: string): Promise<Refusal | undefined> {
    const { log } = this.#context;
    const lease = this.#lease as Lease;
    try {
      const outcome = await log.roster.rename(lease, name);
      if (outcome === "NAME_TAKEN") return { code: outcome, message: `${name} is taken` };
      if (outcome === "NOT_HELD") return { code: "INTERNAL", message: "the session goes on over another connection" };
      const renamed = { type: "renamed", ...NOT_YET_LOGGED, name: this.#name, newName: name } as const;
      this.#name = name;
      await Promise.all(
        [...this.#rooms].map((room) => {
          const frame = encode({ ...renamed, messageId: randomMessageId(), room });
          return appendUntilTaken(log, lease.sessionId, frame);
        }),
      );
      return undefined;
    } catch (error) {
      return this.#unreachable(error);
    }
  }

  /** Whether nobody has claimed the session since. */
  async holds(): Promise<boolean> {
    try {
      return this.#lease !== undefined && (await this.#context.log.roster.holds(this.#lease));
    } catch {
      return false;
    }
  }

  /** LEFT of every room, then the name is free. Resolves with the last LEFT's position. */
  async leave(reason: LeftReason, places: readonly RoomPlace[]): Promise<Position | undefined> {
    const rooms = [...this.#rooms];
    this.#rooms.clear();
    const positions = await Promise.all(
      rooms.map((room) => {
        const place = places.find((each) => each.room.name === room);
        return this.#appendLeft(room, reason, place && { kind: "left", place, onRead: () => {} });
      }),
    );
    await this.#release();
    let last: Position | undefined;
    for (const position of positions) if (position !== undefined && position.seq > (last?.seq ?? 0)) last = position;
    return last;
  }

  async #enter(place: RoomPlace, expected: Expected | undefined): Promise<Position | Refusal | undefined> {
    const { log, maxPeopleInRoom } = this.#context;
    const room = place.room.name;
    const lease = this.#lease as Lease;
    const messageId = randomMessageId();
    try {
      const outcome = await log.roster.enter(lease, room, maxPeopleInRoom);
      if (!outcome.entered) return refusalOfRoom(outcome.reason, room, maxPeopleInRoom);
      place.room.presence.peopleAre(outcome.people);
      this.#hasJoined = true;
      if (expected === undefined && outcome.wasIn) {
        this.#rooms.add(room);
        return undefined;
      }
      if (!this.#context.isWanted()) {
        await log.roster.exit(lease, room);
        return undefined;
      }
      if (expected !== undefined) this.#context.expect(messageId, expected);
      this.#rooms.add(room);
      const joined = encode({ type: "joined", ...NOT_YET_LOGGED, messageId, room, name: this.#name });
      return (await appendUntilTaken(log, lease.sessionId, joined)).position;
    } catch (error) {
      this.#context.unexpect(messageId);
      this.#rooms.delete(room);
      return this.#unreachable(error);
    }
  }

  async #appendLeft(room: string, reason: LeftReason, expected: Expected | undefined): Promise<Position | undefined> {
    const { log } = this.#context;
    const messageId = randomMessageId();
    if (expected !== undefined) this.#context.expect(messageId, expected);
    const left = encode({ type: "left", ...NOT_YET_LOGGED, messageId, room, name: this.#name, reason });
    try {
      return (await appendUntilTaken(log, (this.#lease as Lease).sessionId, left)).position;
    } catch (error) {
      this.#context.unexpect(messageId);
      this.#report(error);
      return undefined;
    }
  }

  async #release(): Promise<void> {
    if (this.#lease === undefined) return;
    const { sessionId, lease } = this.#lease;
    this.#lease = undefined;
    try {
      await this.#context.log.roster.release(sessionId, lease);
    } catch (error) {
      this.#report(error);
    }
  }

  /** Gives up the name after a HELLO that was refused later than here. */
  async abandon(): Promise<void> {
    this.#rooms.clear();
    this.#hasJoined = false;
    await this.#release();
  }

  #unreachable(error: unknown): Refusal {
    return { code: codeOfRejection(error, this.#context.fault), message: "the log can't be reached" };
  }

  /** A log that was closed under its sessions is no fault: they are gone with it. */
  #report(error: unknown): void {
    if (!(error instanceof RoomLogError && error.code === "CLOSED")) this.#context.fault(error);
  }
}

function refusalOfRoom(
  reason: "ROOM_FULL" | "SERVER_FULL" | "NOT_HELD",
  room: string,
  maxPeople: number | undefined,
): Refusal {
  if (reason === "ROOM_FULL") return { code: reason, message: `no more than ${maxPeople} may be in ${room} at once` };
  if (reason === "SERVER_FULL") return { code: reason, message: "there is no place for more people in rooms" };
  return { code: "INTERNAL", message: "the session goes on over another connection" };
}

/** The code by which a peer is told of a log's rejection; what is none of the log's goes to `fault`. */
export function codeOfRejection(error: unknown, fault: (error: unknown) => void): ErrorCodeName {
  if (error instanceof RoomLogError) return error.code === "OVERLOADED" ? "OVERLOADED" : "LOG_UNAVAILABLE";
  fault(error);
  return "INTERNAL";
}
