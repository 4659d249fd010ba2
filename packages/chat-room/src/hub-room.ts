/**
 * One room as one process has it: its people who are connected here, and what a turn of the log brings them.
 *
 * - Exists while somebody here is in it, or on the way into it.
 * - Who joins is a member from its own JOINED on, who leaves up to its own LEFT, both in mid-turn too.
 */

import { FrameType, logFieldsOf, type Position, type Reply, stringField } from "@parley/chat-protocol";
import { Presence, type PresenceHost } from "./presence.ts";
import { type Member, RoomMembers, type TurnOfMember } from "./room-members.ts";
import type { RoomPlace } from "./room-place.ts";

const TYPE_OFFSET = 5;
const NOTHING_APART: ReadonlyMap<Member, TurnOfMember> = new Map();

/** An event that sets somebody here apart from the others when it is read from the log. */
export type Expected =
  /** Somebody's own. */
  | { readonly kind: "own"; readonly place: RoomPlace }
  /** Called before the events are given out. False: it is not wanted any more. */
  | { readonly kind: "joined"; readonly place: RoomPlace; onRead(position: Position, timeMs: number): boolean }
  /** Called after the events were given out. */
  | { readonly kind: "left"; readonly place: RoomPlace; onRead(position: Position, timeMs: number): void }
  /** A session goes on in all these places. */
  | { readonly kind: "takeover"; readonly places: readonly RoomPlace[]; onRead(position: Position): boolean };

export class HubRoom {
  readonly name: string;
  /** The name as a string field. */
  readonly field: Uint8Array;
  readonly presence: Presence;
  readonly #members = new RoomMembers();
  /** Places that are open: members, and those on their way in. */
  openPlaces = 0;
  #events: Uint8Array[] = [];
  #apart: Map<Member, TurnOfMember> | undefined;
  #leaving: {
    readonly expected: Extract<Expected, { kind: "left" }>;
    readonly event: Uint8Array;
    readonly isTold: boolean;
  }[] = [];

  constructor(name: string, presence: Omit<PresenceHost, "room" | "tell">) {
    this.name = name;
    this.field = stringField(name);
    this.presence = new Presence({
      ...presence,
      room: name,
      tell: (frame) => this.#members.deliver([frame], NOTHING_APART),
    });
  }

  get memberCount(): number {
    return this.#members.size;
  }

  /** One event of this turn. */
  take(event: Uint8Array, expected: Expected | undefined): void {
    const type = event[TYPE_OFFSET];
    const by = type === FrameType.joined ? 1 : type === FrameType.left ? -1 : 0;
    const isTold = by === 0 || !this.presence.note(event, by, expected !== undefined);
    if (expected !== undefined && expected.kind !== "takeover") this.#setApart(event, expected, isTold);
    if (isTold) this.#events.push(event);
  }

  /** From this point of the turn on the place gets what the others get. */
  admit(place: RoomPlace): void {
    this.#members.add(place);
    if (this.#events.length > 0) this.#turnOf(place).from = this.#events.length;
  }

  /** The end of the turn: everybody gets what is theirs. */
  deliver(): void {
    if (this.#events.length > 0) this.#members.deliver(this.#events, this.#apart ?? NOTHING_APART);
    this.#events = [];
    this.#apart = undefined;
    if (this.#leaving.length === 0) return;
    const leaving = this.#leaving;
    this.#leaving = [];
    for (const { expected, event, isTold } of leaving) {
      const { place } = expected;
      if (!isTold && !place.encoding.hidesOwnMessages) place.deliver(place.encoding.events([event]));
      this.#members.remove(place);
      const { position, timeMs } = logFieldsOf(event);
      expected.onRead(position, timeMs);
    }
  }

  /** A push that isn't of the log, to everybody but `place`; to nobody where many people are. */
  tellOthers(place: RoomPlace, reply: Reply): void {
    if (!this.presence.isCounted) this.#members.push(place, reply);
  }

  remove(place: RoomPlace): void {
    this.#members.remove(place);
  }

  #setApart(event: Uint8Array, expected: Exclude<Expected, { kind: "takeover" }>, isTold: boolean): void {
    const { place } = expected;
    const index = this.#events.length;
    switch (expected.kind) {
      case "own":
        this.#turnOf(place).own.push(index);
        return;
      case "joined": {
        const { position, timeMs } = logFieldsOf(event);
        if (!expected.onRead(position, timeMs)) return;
        this.admit(place);
        if (isTold) this.#turnOf(place).own.push(index);
        else if (!place.encoding.hidesOwnMessages) place.deliver(place.encoding.events([event]));
        return;
      }
      case "left": {
        const turn = this.#turnOf(place);
        if (isTold) turn.own.push(index);
        turn.until = isTold ? index + 1 : index;
        this.#leaving.push({ expected, event, isTold });
        return;
      }
    }
  }

  #turnOf(place: RoomPlace): TurnOfMember {
    this.#apart ??= new Map();
    let turn = this.#apart.get(place);
    if (turn === undefined) {
      turn = { from: 0, own: [] };
      this.#apart.set(place, turn);
    }
    return turn;
  }
}
