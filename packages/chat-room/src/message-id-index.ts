/**
 * Which messages a log has already, by message id, so that one sent again isn't taken twice.
 *
 * - Remembers for MESSAGE_ID_MEMORY: two minutes or 65,536 messages, whichever is less.
 * - Ids are remembered in log order, so that the oldest is always the next to go.
 */

import type { MessageId, Position } from "@parley/chat-protocol";
import { MESSAGE_ID_MEMORY } from "./room-log.ts";

/** Where a message was put the first time. */
export interface RememberedMessage {
  readonly position: Position;
  readonly timeMs: number;
}

export class MessageIdIndex {
  readonly #memory: { readonly milliseconds: number; readonly messages: number };
  readonly #messages = new Map<MessageId, RememberedMessage>();
  /**
   * The ids in the order they came, as a ring. Asking the Map for its first key would walk over every deleted entry
   * before it, tens of thousands of them in steady state.
   */
  readonly #order: MessageId[] = [];
  #oldest = 0;

  constructor(memory: { readonly milliseconds: number; readonly messages: number } = MESSAGE_ID_MEMORY) {
    this.#memory = memory;
  }

  get size(): number {
    return this.#messages.size;
  }

  /** Where `id` was put, if that is remembered at `nowMs`. */
  find(id: MessageId, nowMs: number): RememberedMessage | undefined {
    const found = this.#messages.get(id);
    return found !== undefined && nowMs - found.timeMs < this.#memory.milliseconds ? found : undefined;
  }

  /** Remembers `id`; the oldest is forgotten when there are too many. An id known already keeps its place in the order. */
  remember(id: MessageId, message: RememberedMessage): void {
    if (!this.#messages.has(id)) {
      if (this.#order.length < this.#memory.messages) {
        this.#order.push(id);
      } else {
        this.#messages.delete(this.#order[this.#oldest] as MessageId);
        this.#order[this.#oldest] = id;
        this.#oldest = (this.#oldest + 1) % this.#memory.messages;
      }
    }
    this.#messages.set(id, message);
  }

  /** Forgets everything: before the index is built again from the log. */
  clear(): void {
    this.#messages.clear();
    this.#order.length = 0;
    this.#oldest = 0;
  }
}
