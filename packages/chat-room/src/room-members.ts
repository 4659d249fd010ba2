/**
 * Who is in a room, and the fan-out of one turn's events to them.
 *
 * - A turn costs O(events) + O(members): the events are encoded once for each encoding, and every member gets that
 *   same buffer. One write for each message and member would be fifty times slower.
 * - Who joined in this turn gets what comes from its own JOINED on, nothing from before.
 * - Where an encoding hides a session's own events, a member with events in this turn gets a buffer of its own.
 */

import type { Reply } from "@parley/chat-protocol";
import { concatenate } from "./binary-encoding.ts";
import type { Encoding } from "./connection.ts";

export interface Member {
  readonly encoding: Encoding;
  /** Gives it bytes of its encoding. */
  deliver(bytes: Uint8Array): void;
  /** Where the member stands in the room's array; only the room changes it. -1: in no room. */
  memberIndex: number;
}

/** What sets a member apart from the others in this turn. Indexes are those of the turn's events. */
export interface TurnOfMember {
  /** The index of its JOINED. 0 for who was here before. */
  from: number;
  /** Indexes of its own events, ascending. */
  readonly own: number[];
  /** The index behind its LEFT. Undefined: it stays. */
  until?: number;
}

export class RoomMembers {
  readonly #members: Member[] = [];

  get size(): number {
    return this.#members.length;
  }

  add(member: Member): void {
    if (member.memberIndex >= 0) return;
    member.memberIndex = this.#members.length;
    this.#members.push(member);
  }

  /** Moves the last member into the gap, so that the array stays dense. */
  remove(member: Member): void {
    if (member.memberIndex < 0) return;
    const last = this.#members.pop() as Member;
    if (last !== member) {
      this.#members[member.memberIndex] = last;
      last.memberIndex = member.memberIndex;
    }
    member.memberIndex = -1;
  }

  /** Gives `reply` to every member but `except`. */
  push(except: Member, reply: Reply): void {
    const encoded = new Map<Encoding, Uint8Array>();
    for (const member of this.#members) {
      if (member === except) continue;
      const bytes = encoded.get(member.encoding) ?? member.encoding.reply(reply, 0);
      encoded.set(member.encoding, bytes);
      if (bytes.length > 0) member.deliver(bytes);
    }
  }

  /** Gives `events` to every member; `apart` has those who don't get all of them. */
  deliver(events: readonly Uint8Array[], apart: ReadonlyMap<Member, TurnOfMember>): void {
    const turns = new Map<Encoding, EncodedTurn>();
    let turn: EncodedTurn | undefined;
    for (const member of this.#members) {
      const { encoding } = member;
      if (turn === undefined || turn.encoding !== encoding) {
        turn = turns.get(encoding) ?? new EncodedTurn(encoding, events);
        turns.set(encoding, turn);
      }
      const own = apart.size > 0 ? apart.get(member) : undefined;
      const bytes = own === undefined ? turn.whole : turn.part(own);
      if (bytes.length > 0) member.deliver(bytes);
    }
  }
}

/** One turn's events in one encoding; whatever isn't needed isn't made. */
class EncodedTurn {
  readonly encoding: Encoding;
  readonly #events: readonly Uint8Array[];
  #whole: Uint8Array | undefined;
  #parts: readonly Uint8Array[] | undefined;
  /** `#parts` as one buffer, and where each of them begins in it: those who joined share it. */
  #joined: Uint8Array | undefined;
  #offsets: readonly number[] = [];

  constructor(encoding: Encoding, events: readonly Uint8Array[]) {
    this.encoding = encoding;
    this.#events = events;
  }

  get whole(): Uint8Array {
    this.#whole ??= this.encoding.events(this.#events);
    return this.#whole;
  }

  part(turn: TurnOfMember): Uint8Array {
    const hidesSome = this.encoding.hidesOwnMessages && turn.own.length > 0;
    const { from, until = this.#events.length } = turn;
    if (from === 0 && until === this.#events.length && !hidesSome) return this.whole;
    this.#parts ??= this.#events.map((event) => this.encoding.events([event]));
    if (!hidesSome && until === this.#events.length) return this.#fromJoined(this.#parts, from);
    const hidden = new Set(hidesSome ? turn.own : []);
    return concatenate(this.#parts.filter((_, index) => index >= from && index < until && !hidden.has(index)));
  }

  #fromJoined(parts: readonly Uint8Array[], from: number): Uint8Array {
    if (this.#joined === undefined) {
      this.#joined = concatenate(parts);
      let offset = 0;
      this.#offsets = parts.map((part) => {
        offset += part.length;
        return offset - part.length;
      });
    }
    return this.#joined.subarray(this.#offsets[from]);
  }
}
