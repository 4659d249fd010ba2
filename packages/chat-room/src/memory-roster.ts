/** The names that are taken and the rooms that people are in, in one process. A session holds one name at a time. */

import type { SessionId } from "@parley/chat-protocol";
import { foldName } from "./names.ts";
import type { ClaimOutcome, EnterOutcome, Lease, NameClaim, RenameOutcome, Roster, RosterEntry } from "./room-log.ts";

interface Holder {
  readonly sessionId: SessionId;
  name: string;
  lease: number;
  readonly rooms: Set<string>;
}

export class MemoryRoster implements Roster {
  readonly #byFoldedName = new Map<string, Holder>();
  readonly #bySession = new Map<SessionId, Holder>();
  readonly #byRoom = new Map<string, Set<Holder>>();

  async claim(claim: NameClaim): Promise<ClaimOutcome> {
    const folded = foldName(claim.name);
    const holder = this.#byFoldedName.get(folded);
    if (holder !== undefined && holder.sessionId !== claim.sessionId) return { claimed: false, reason: "NAME_TAKEN" };
    let mine = this.#bySession.get(claim.sessionId);
    if (mine === undefined) {
      if (claim.maxSessions !== undefined && this.#bySession.size >= claim.maxSessions) {
        return { claimed: false, reason: "SERVER_FULL" };
      }
      mine = { sessionId: claim.sessionId, name: claim.name, lease: 0, rooms: new Set() };
      this.#bySession.set(claim.sessionId, mine);
    }
    this.#nameIs(mine, claim.name);
    mine.lease++;
    return { claimed: true, resumed: holder !== undefined, lease: mine.lease };
  }

  async rename(held: Lease, name: string): Promise<RenameOutcome> {
    const mine = this.#holder(held);
    if (mine === undefined) return "NOT_HELD";
    const holder = this.#byFoldedName.get(foldName(name));
    if (holder !== undefined && holder !== mine) return "NAME_TAKEN";
    this.#nameIs(mine, name);
    return "RENAMED";
  }

  async enter(held: Lease, room: string, maxPeople: number = Number.POSITIVE_INFINITY): Promise<EnterOutcome> {
    const mine = this.#holder(held);
    if (mine === undefined) return { entered: false, reason: "NOT_HELD" };
    const people = this.#byRoom.get(room) ?? new Set();
    const wasIn = people.has(mine);
    if (!wasIn && people.size >= maxPeople) return { entered: false, reason: "ROOM_FULL" };
    people.add(mine);
    this.#byRoom.set(room, people);
    mine.rooms.add(room);
    return { entered: true, wasIn, people: people.size };
  }

  async exit(held: Lease, room: string): Promise<void> {
    const mine = this.#holder(held);
    if (mine !== undefined) this.#exit(mine, room);
  }

  async holds(held: Lease): Promise<boolean> {
    return this.#holder(held) !== undefined;
  }

  async release(sessionId: SessionId, lease?: number): Promise<void> {
    const mine = this.#bySession.get(sessionId);
    if (mine === undefined || (lease !== undefined && lease !== mine.lease)) return;
    for (const room of [...mine.rooms]) this.#exit(mine, room);
    this.#bySession.delete(sessionId);
    this.#byFoldedName.delete(foldName(mine.name));
  }

  async find(name: string): Promise<RosterEntry | undefined> {
    const holder = this.#byFoldedName.get(foldName(name));
    return holder === undefined ? undefined : entryOf(holder);
  }

  async count(room: string): Promise<number> {
    return this.#byRoom.get(room)?.size ?? 0;
  }

  async entries(room?: string): Promise<readonly RosterEntry[]> {
    const holders = room === undefined ? this.#bySession.values() : (this.#byRoom.get(room) ?? []);
    return [...holders].map(entryOf);
  }

  #holder({ sessionId, lease }: Lease): Holder | undefined {
    const holder = this.#bySession.get(sessionId);
    return holder?.lease === lease ? holder : undefined;
  }

  #nameIs(holder: Holder, name: string): void {
    this.#byFoldedName.delete(foldName(holder.name));
    holder.name = name;
    this.#byFoldedName.set(foldName(name), holder);
  }

  #exit(holder: Holder, room: string): void {
    const people = this.#byRoom.get(room);
    people?.delete(holder);
    if (people?.size === 0) this.#byRoom.delete(room);
    holder.rooms.delete(room);
  }
}

function entryOf({ name, sessionId }: Holder): RosterEntry {
  return { name, sessionId };
}
