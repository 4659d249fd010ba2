/**
 * The roster in a segment: names are claimed and released, rooms entered and left under the lock, in the order asked for.
 *
 * - A claim is atomic across every process that shares the segment, because all of it happens under the one lock.
 * - The names of a process that died are held for the grace of their claim, then released by a survivor (or by the next to
 *   come), which first appends their LEFT in each room. A sweeper that dies at any point leaves the rest to the next one, and
 *   no LEFT is appended twice: whether somebody is still there is what the log says last about the name.
 */

import {
  DEFAULT_ROOM,
  decode,
  encode,
  frameFrom,
  frameTypeName,
  type LeftReason,
  NOT_YET_LOGGED,
  randomMessageId,
  type SessionId,
} from "@parley/chat-protocol";
import {
  type ClaimOutcome,
  type EnterOutcome,
  type Lease,
  type NameClaim,
  type RenameOutcome,
  RoomLogError,
  type Roster,
  type RosterEntry,
} from "@parley/chat-room";
import type { LockedTurns } from "./locked-turns.ts";
import type { PlacesTable } from "./places-table.ts";
import { fits, type HeldName, type ParticipantRef, type RosterTable } from "./roster-table.ts";

const DIED: LeftReason = "died";

/** What the roster needs of the log around it. All but `turns` is called under the lock. */
export interface RosterHost {
  readonly turns: LockedTurns;
  readonly table: RosterTable;
  readonly places: PlacesTable;
  readonly me: ParticipantRef;
  /** False when it is certain that the participant is gone. */
  isAlive(participant: ParticipantRef): boolean;
  /** Every published event that is retained, oldest first. False: earlier ones were overwritten. */
  walk(onEvent: (frame: Uint8Array) => void): boolean;
  /** Appends and publishes. */
  publish(frames: readonly Uint8Array[]): void;
}

export class SharedRoster implements Roster {
  readonly #host: RosterHost;

  constructor(host: RosterHost) {
    this.#host = host;
  }

  claim(claim: NameClaim): Promise<ClaimOutcome> {
    const { name, sessionId, maxSessions, graceMs = 0 } = claim;
    if (!fits(name)) return Promise.reject(new RoomLogError("LOG_UNAVAILABLE", "the name is too long for this log"));
    const claimUnderLock = (): ClaimOutcome => {
      const { table, me } = this.#host;
      const held = table.heldSlots();
      const mine = table.slotOfSession(held, sessionId);
      const holder = table.slotOfName(held, name);
      if (holder !== undefined && holder !== mine) return { claimed: false, reason: "NAME_TAKEN" };
      if (mine === undefined && maxSessions !== undefined && held.length >= maxSessions) {
        return { claimed: false, reason: "SERVER_FULL" };
      }
      const lease = mine === undefined ? 1 : table.read(mine).lease + 1;
      if (!table.add({ participant: me, sessionId, name, lease, graceMs })) {
        return { claimed: false, reason: "SERVER_FULL" };
      }
      // Only now: whoever dies in between holds both, and both are swept.
      if (mine !== undefined) table.free(mine);
      return { claimed: true, resumed: holder !== undefined, lease };
    };
    // Nobody is kept out by the dead, neither by their names nor by their number.
    return this.#host.turns.run(name.length, claimUnderLock, () => this.sweep());
  }

  rename(held: Lease, name: string): Promise<RenameOutcome> {
    if (!fits(name)) return Promise.reject(new RoomLogError("LOG_UNAVAILABLE", "the name is too long for this log"));
    return this.#host.turns.run(name.length, () => {
      const { table } = this.#host;
      const mine = this.#slotOf(held);
      if (mine === undefined) return "NOT_HELD";
      const holder = table.slotOfName(table.heldSlots(), name);
      if (holder !== undefined && holder !== mine) return "NAME_TAKEN";
      if (!table.add({ ...table.read(mine), name })) throw new RoomLogError("OVERLOADED", "no slot is free for a name");
      table.free(mine);
      return "RENAMED";
    });
  }

  enter(held: Lease, room: string, maxPeople: number = Number.POSITIVE_INFINITY): Promise<EnterOutcome> {
    return this.#host.turns.run(room.length, () => {
      const { places } = this.#host;
      if (this.#slotOf(held) === undefined) return { entered: false, reason: "NOT_HELD" };
      const people = places.held().filter((place) => place.room === room);
      const wasIn = people.some(({ sessionId }) => sessionId === held.sessionId);
      if (wasIn) return { entered: true, wasIn, people: people.length };
      if (people.length >= maxPeople) return { entered: false, reason: "ROOM_FULL" };
      if (!places.add(held.sessionId, room)) return { entered: false, reason: "SERVER_FULL" };
      return { entered: true, wasIn, people: people.length + 1 };
    });
  }

  exit(held: Lease, room: string): Promise<void> {
    return this.#host.turns.run(0, () => {
      if (this.#slotOf(held) === undefined) return;
      this.#freePlaces((place) => place.sessionId === held.sessionId && place.room === room);
    });
  }

  holds(held: Lease): Promise<boolean> {
    return this.#host.turns.run(0, () => this.#slotOf(held) !== undefined);
  }

  release(sessionId: SessionId, lease?: number): Promise<void> {
    return this.#host.turns.run(0, () => {
      const { table } = this.#host;
      const slot = table.slotOfSession(table.heldSlots(), sessionId);
      if (slot === undefined || (lease !== undefined && table.read(slot).lease !== lease)) return;
      // The name last: places without a name are nobody's, a name without places is still somebody's.
      this.#freePlaces((place) => place.sessionId === sessionId);
      table.free(slot);
    });
  }

  find(name: string): Promise<RosterEntry | undefined> {
    return this.#host.turns.run(0, () => {
      const { table } = this.#host;
      const slot = table.slotOfName(table.heldSlots(), name);
      return slot === undefined ? undefined : entryOf(table.read(slot));
    });
  }

  count(room: string): Promise<number> {
    return this.#host.turns.run(0, () => this.#host.places.held().filter((place) => place.room === room).length);
  }

  entries(room?: string): Promise<readonly RosterEntry[]> {
    return this.#host.turns.run(0, () => {
      const { places, table } = this.#host;
      const names = table.heldSlots().map((slot) => entryOf(table.read(slot)));
      if (room === undefined) return names;
      const inside = new Set(places.held().flatMap((place) => (place.room === room ? [place.sessionId] : [])));
      return names.filter(({ sessionId }) => inside.has(sessionId));
    });
  }

  /** Whether a sweep would find something. A look without the lock, to see whether to take it. */
  hasDeadNames(): boolean {
    return this.#deadSlots().length > 0 || this.#expiredSlots(Date.now()).length > 0;
  }

  /**
   * Under the lock: begins the grace of the names of the dead; for those whose grace is over appends LEFT(died), publishes, and
   * only then frees them.
   */
  sweep(): void {
    const { table, publish } = this.#host;
    const nowMs = Date.now();
    const dead = this.#deadSlots();
    for (const slot of dead) if (table.read(slot).graceMs > 0) table.orphan(slot, nowMs);
    const gone = [...dead.filter((slot) => !table.isOrphaned(slot)), ...this.#expiredSlots(nowMs)];
    if (gone.length === 0) return;
    const names = gone.map((slot) => table.read(slot));
    const left = this.#stillThere(names).map(({ room, name }) => {
      const messageId = randomMessageId();
      return encode({ type: "left", ...NOT_YET_LOGGED, messageId, room, name, reason: DIED });
    });
    if (left.length > 0) publish(left);
    const sessions = new Set(names.map(({ sessionId }) => sessionId));
    this.#freePlaces((place) => sessions.has(place.sessionId));
    for (const slot of gone) table.free(slot);
  }

  #freePlaces(isGone: (place: { readonly sessionId: string; readonly room: string }) => boolean): void {
    const { places } = this.#host;
    for (const place of places.held()) if (isGone(place)) places.free(place.slot);
  }

  #slotOf({ sessionId, lease }: Lease): number | undefined {
    const { table } = this.#host;
    const slot = table.slotOfSession(table.heldSlots(), sessionId);
    return slot !== undefined && table.read(slot).lease === lease ? slot : undefined;
  }

  #expiredSlots(nowMs: number): number[] {
    const { table } = this.#host;
    return table.heldSlots().filter((slot) => table.isOrphaned(slot) && table.heldUntilMs(slot) <= nowMs);
  }

  #deadSlots(): number[] {
    const { table, isAlive, me } = this.#host;
    // A look at a participant costs a read of /proc, and a server's many names all belong to few of them.
    const alive = new Map<string, boolean>([[keyOf(me), true]]);
    return table.heldSlots().filter((slot) => {
      if (table.isOrphaned(slot)) return false;
      const participant = table.participantOf(slot);
      const key = keyOf(participant);
      let isHolderAlive = alive.get(key);
      if (isHolderAlive === undefined) {
        isHolderAlive = isAlive(participant);
        alive.set(key, isHolderAlive);
      }
      return !isHolderAlive;
    });
  }

  /** The rooms in which the log has those `names` as present. */
  #stillThere(names: readonly HeldName[]): { readonly room: string; readonly name: string }[] {
    /** By name the rooms, and whether the log's last word is that the name is there. */
    const rooms = new Map<string, Map<string, boolean>>(names.map(({ name }) => [name, new Map()]));
    const isWhole = this.#host.walk((frame) => {
      const type = frameTypeName(frameFrom(frame).type);
      // An event of a type not known here says nothing about who is there.
      if (type !== "joined" && type !== "left" && type !== "message" && type !== "renamed") return;
      const event = decode(frameFrom(frame));
      if (event.type === "left") rooms.get(event.name)?.set(event.room, false);
      else if (event.type === "joined" || event.type === "message") rooms.get(event.name)?.set(event.room, true);
      else if (event.type === "renamed") {
        rooms.get(event.name)?.set(event.room, false);
        rooms.get(event.newName)?.set(event.room, true);
      }
    });
    const held = this.#host.places.held();
    return names.flatMap(({ name, sessionId }) => {
      const said = rooms.get(name) as Map<string, boolean>;
      const own = held.flatMap((place) => (place.sessionId === sessionId ? [place.room] : []));
      // Somebody of whom nothing is retained has joined so long ago that it was overwritten, or never.
      for (const room of own.length === 0 ? [DEFAULT_ROOM] : own) if (!said.has(room)) said.set(room, !isWhole);
      return [...said].flatMap(([room, isThere]) => (isThere ? [{ room, name }] : []));
    });
  }
}

function entryOf({ name, sessionId }: HeldName): RosterEntry {
  return { name, sessionId };
}

function keyOf({ slot, generation }: ParticipantRef): string {
  return `${slot}.${generation}`;
}
