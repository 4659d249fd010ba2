/**
 * One session's place in the room: its name in the roster, its JOINED and its LEFT in the log.
 *
 * - The name is claimed before JOINED is appended, and released after LEFT was, on every way out.
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
import { type RoomLog, RoomLogError } from "./room-log.ts";

export interface Refusal {
  readonly code: ErrorCodeName;
  readonly message: string;
}

/** What a membership needs to know and to tell. */
export interface MembershipContext {
  readonly log: RoomLog;
  readonly room: string;
  readonly maxSessions: number | undefined;
  readonly sessionId: SessionId;
  /** An event with this id is about to be appended. */
  expect(messageId: MessageId, type: "joined" | "left"): void;
  /** It was not. */
  unexpect(messageId: MessageId): void;
  /** False: the session ended meanwhile, don't join any more. */
  isWanted(): boolean;
  fault(error: unknown): void;
}

export class Membership {
  readonly #context: MembershipContext;
  #name = "";
  #holdsName = false;
  #hasJoined = false;

  constructor(context: MembershipContext) {
    this.#context = context;
  }

  /** JOINED was given to the log. */
  get hasJoined(): boolean {
    return this.#hasJoined;
  }

  /** Claims the normalized `name` and appends JOINED. Resolves with why not, if not. */
  async enter(name: string): Promise<Refusal | undefined> {
    const { log, maxSessions, room, sessionId } = this.#context;
    const messageId = randomMessageId();
    this.#name = name;
    try {
      const claim = { name, sessionId };
      const outcome = await log.roster.claim(maxSessions === undefined ? claim : { ...claim, maxSessions });
      if (!outcome.claimed) {
        const isTaken = outcome.reason === "NAME_TAKEN";
        const message = isTaken ? `${name} is taken` : `no more than ${maxSessions} may be here at once`;
        return { code: outcome.reason, message };
      }
      this.#holdsName = true;
      if (!this.#context.isWanted()) return undefined;
      this.#context.expect(messageId, "joined");
      this.#hasJoined = true;
      const joined = encode({ type: "joined", ...NOT_YET_LOGGED, messageId, room, name });
      await appendUntilTaken(log, sessionId, joined);
      return undefined;
    } catch (error) {
      this.#context.unexpect(messageId);
      this.#hasJoined = false;
      await this.#releaseName();
      return { code: codeOfRejection(error, this.#context.fault), message: "the log can't be reached" };
    }
  }

  /** Appends LEFT and releases the name, as far as there are any. Resolves with LEFT's position. */
  async leave(reason: LeftReason): Promise<Position | undefined> {
    const left = this.#hasJoined ? await this.#appendLeft(reason) : undefined;
    await this.#releaseName();
    return left;
  }

  async #appendLeft(reason: LeftReason): Promise<Position | undefined> {
    const { log, room, sessionId } = this.#context;
    const messageId = randomMessageId();
    this.#context.expect(messageId, "left");
    const left = encode({ type: "left", ...NOT_YET_LOGGED, messageId, room, name: this.#name, reason });
    try {
      return (await appendUntilTaken(log, sessionId, left)).position;
    } catch (error) {
      this.#context.unexpect(messageId);
      this.#report(error);
      return undefined;
    }
  }

  async #releaseName(): Promise<void> {
    if (!this.#holdsName) return;
    this.#holdsName = false;
    try {
      await this.#context.log.roster.release(this.#context.sessionId);
    } catch (error) {
      this.#report(error);
    }
  }

  /** A log that was closed under its sessions is no fault: they are gone with it. */
  #report(error: unknown): void {
    if (!(error instanceof RoomLogError && error.code === "CLOSED")) this.#context.fault(error);
  }
}

/** The code by which a peer is told of a log's rejection; what is none of the log's goes to `fault`. */
export function codeOfRejection(error: unknown, fault: (error: unknown) => void): ErrorCodeName {
  if (error instanceof RoomLogError) return error.code === "OVERLOADED" ? "OVERLOADED" : "LOG_UNAVAILABLE";
  fault(error);
  return "INTERNAL";
}
