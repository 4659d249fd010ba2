/** What a client remembers of its room: the last event, so that gaps show, and its own messages, so that they are known again. */

import type { LogFields, MessageId, Position } from "@parley/chat-protocol";

/** Own messages without their event that are remembered: a server that never sends them must not fill memory. */
const MAX_REMEMBERED_IDS = 8192;

export type Place = "next" | "seen" | "after a gap";

export class RoomOrder {
  #last: Position;
  #hasEvents = false;

  /** `start` is where the own JOINED is, which is the first event to come, or where a resumed session goes on. */
  constructor(start: Position) {
    this.#last = start;
  }

  get last(): Position {
    return this.#last;
  }

  /** Whether the event at `position` is still to come. */
  isAhead(position: Position): boolean {
    return position.epoch === this.#last.epoch && position.seq > this.#last.seq;
  }

  /**
   * Where an event stands, which is the last one from here on unless it was seen before. `prev` names the room's last message
   * before it: one that is above the last event seen was missed.
   */
  place({ position, prev }: LogFields): Place {
    const last = this.#last;
    const isSameEpoch = position.epoch === last.epoch;
    const isJoined = isSameEpoch && position.seq === last.seq && !this.#hasEvents;
    if (isSameEpoch && position.seq <= last.seq && !isJoined) return "seen";
    const hasGap = !isSameEpoch || (!isJoined && prev > last.seq);
    this.#last = position;
    this.#hasEvents = true;
    return hasGap ? "after a gap" : "next";
  }
}

/** In place of a correlation id: its event settles nothing. */
export const SETTLED_BY_ACK = 0;

export class OwnMessages {
  /** By id the correlation id that the message's event settles, or SETTLED_BY_ACK. Oldest first. */
  readonly #byId = new Map<MessageId, number>();

  sent(id: MessageId, correlationId: number): void {
    this.#byId.set(id, correlationId);
    if (this.#byId.size > MAX_REMEMBERED_IDS) this.#byId.delete(this.#byId.keys().next().value as MessageId);
  }

  /** `isAhead`: its event is still to come, and will have to be known again. */
  acknowledged(id: MessageId, isAhead: boolean): void {
    if (!isAhead) this.#byId.delete(id);
    else if (this.#byId.has(id)) this.#byId.set(id, SETTLED_BY_ACK);
  }

  /** For a message's event: `undefined` if it isn't an own one, else what `sent` was given or SETTLED_BY_ACK. */
  arrived(id: MessageId): number | undefined {
    const correlationId = this.#byId.get(id);
    if (correlationId !== undefined) this.#byId.delete(id);
    return correlationId;
  }
}
