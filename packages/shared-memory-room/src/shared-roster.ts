/**
 * The roster of a room in a segment: names are claimed and released under the lock, in the order they were asked for.
 *
 * - A claim is atomic across every process that shares the segment, because all of it happens under the one lock.
 * - The names of a process that died are released by a survivor (or by the next to come), which first appends their LEFT.
 *   A sweeper that dies at any point leaves the rest to the next one, and no LEFT is appended twice: whether somebody is
 *   still there is what the log says last about the name.
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
import { type ClaimOutcome, type NameClaim, RoomLogError, type Roster, type RosterEntry } from "@parley/chat-room";
import type { LockedTurns } from "./locked-turns.ts";
import { fits, type ParticipantRef, type RosterTable } from "./roster-table.ts";

const DIED: LeftReason = "died";

/** What the roster needs of the log around it. All but `turns` is called under the lock. */
export interface RosterHost {
  readonly turns: LockedTurns;
  readonly table: RosterTable;
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
    const { name, sessionId, maxSessions } = claim;
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
      if (!table.add({ participant: me, sessionId, name })) return { claimed: false, reason: "SERVER_FULL" };
      // Only now: whoever dies in between holds both, and both are swept.
      if (mine !== undefined) table.free(mine);
      return { claimed: true, resumed: holder !== undefined };
    };
    // Nobody is kept out by the dead, neither by their names nor by their number.
    return this.#host.turns.run(name.length, claimUnderLock, () => this.sweep());
  }

  release(sessionId: SessionId): Promise<void> {
    return this.#host.turns.run(0, () => {
      const { table } = this.#host;
      const slot = table.slotOfSession(table.heldSlots(), sessionId);
      if (slot !== undefined) table.free(slot);
    });
  }

  entries(): Promise<readonly RosterEntry[]> {
    return this.#host.turns.run(0, () => {
      const { table } = this.#host;
      return table.heldSlots().map((slot) => {
        const { name, sessionId } = table.read(slot);
        return { name, sessionId };
      });
    });
  }

  /** Whether some name belongs to a participant that is gone. A look without the lock, to see whether to take it. */
  hasDeadNames(): boolean {
    return this.#deadSlots().length > 0;
  }

  /** Under the lock: appends LEFT(died) for the names of the dead, publishes, and only then frees them. */
  sweep(): void {
    const { table, publish } = this.#host;
    const dead = this.#deadSlots();
    if (dead.length === 0) return;
    const left = this.#stillThere(dead.map((slot) => table.read(slot).name)).map((name) => {
      const messageId = randomMessageId();
      return encode({ type: "left", ...NOT_YET_LOGGED, messageId, room: DEFAULT_ROOM, name, reason: DIED });
    });
    if (left.length > 0) publish(left);
    for (const slot of dead) table.free(slot);
  }

  #deadSlots(): number[] {
    const { table, isAlive, me } = this.#host;
    // A look at a participant costs a read of /proc, and a server's many names all belong to few of them.
    const alive = new Map<string, boolean>([[keyOf(me), true]]);
    return table.heldSlots().filter((slot) => {
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

  /** Those of `names` that the log has as present. */
  #stillThere(names: readonly string[]): string[] {
    const isPresent = new Map<string, boolean>();
    const isWhole = this.#host.walk((frame) => {
      const type = frameTypeName(frameFrom(frame).type);
      // An event of a type not known here says nothing about who is there.
      if (type !== "joined" && type !== "left" && type !== "message") return;
      const event = decode(frameFrom(frame));
      if (event.type === "left") isPresent.set(event.name, false);
      else if (event.type === "joined" || event.type === "message") isPresent.set(event.name, true);
    });
    // Somebody of whom nothing is retained has joined so long ago that it was overwritten, or never.
    return names.filter((name) => isPresent.get(name) ?? !isWhole);
  }
}

function keyOf({ slot, generation }: ParticipantRef): string {
  return `${slot}.${generation}`;
}
