/** What a client remembers of its room: the last event, so that gaps show, and its own messages, so that they are known again. */

import type { LogFields, MessageId, Position } from "@parley/chat-protocol";

/** Own messages without their event that are remembered: a server that never sends them must not fill memory. */
const MAX_REMEMBERED_IDS = 8192;

export type Place = "next" | "seen" | "after a gap";

export class RoomOrder {
  #last: Position;
  #hasEvents = false;

  /** `joinedAt` is WELCOME's position: that of the own JOINED, which is the first event to come. */
  constructor(joinedAt: Position) {
    this.#last = joinedAt;
  }

  get last(): Position {
    return this.#last;
  }

  /** Where an event stands, which is the last one from here on unless it was seen before. */
  place({ position, prev }: LogFields): Place {
    const last = this.#last;
    const isSameEpoch = position.epoch === last.epoch;
    const isJoined = isSameEpoch && position.seq === last.seq && !this.#hasEvents;
    if (isSameEpoch && position.seq <= last.seq && !isJoined) return "seen";
    this.#last = position;
    this.#hasEvents = true;
    return isJoined || (isSameEpoch && prev === last.seq) ? "next" : "after a gap";
  }
}

const ACKNOWLEDGED = 0;

export class OwnMessages {
  /** By id the correlation id of a message under way, or ACKNOWLEDGED. Oldest first. */
  readonly #byId = new Map<MessageId, number>();

  sent(id: MessageId, correlationId: number): void {
    this.#byId.set(id, correlationId);
    if (this.#byId.size > MAX_REMEMBERED_IDS) this.#byId.delete(this.#byId.keys().next().value as MessageId);
  }

  /** Its event is still to come, unless it came already, which a duplicate's may have long ago. */
  acknowledged(id: MessageId, duplicate: boolean): void {
    if (duplicate) this.#byId.delete(id);
    else if (this.#byId.has(id)) this.#byId.set(id, ACKNOWLEDGED);
  }

  /** For a message's event: `undefined` if it isn't an own one, else the correlation id of its SEND, 0 if that was settled. */
  arrived(id: MessageId): number | undefined {
    const correlationId = this.#byId.get(id);
    if (correlationId !== undefined) this.#byId.delete(id);
    return correlationId;
  }
}
