/** What a client tells its owner, and the two ways to hear it: listeners and async iteration. */

import type {
  DirectEvent,
  DisconnectCodeName,
  GoingAway,
  IsTyping,
  JoinedEvent,
  LeftEvent,
  MessageEvent,
  Position,
  PresenceEvent,
  RenamedEvent,
} from "@parley/chat-protocol";
import { ChatClientError } from "./errors.ts";

/** Whether it was this client's own doing. */
export interface Own {
  readonly own: boolean;
}

/** Events are missing between two that were received: the room went on without this client. */
export interface GapEvent {
  readonly type: "gap";
  /** The last event received before the gap. */
  readonly after: Position;
  /** The event that showed the gap; it is given out next. */
  readonly before: Position;
}

/** Something is wrong that no call can be told of; the connection lives. */
export interface ErrorEvent {
  readonly type: "error";
  readonly error: ChatClientError;
}

/** The end of the connection; nothing comes after it. */
export interface DisconnectEvent {
  readonly type: "disconnect";
  /** Who ended it. `transport`: it broke off. */
  readonly by: "client" | "server" | "transport";
  /** The code of the server's DISCONNECT, or of what was wrong with its bytes; `undefined` if there was none. */
  readonly code: DisconnectCodeName | `UNKNOWN(${number})` | undefined;
  /** True: connecting again makes sense. False: it was wished for, or would end the same way. */
  readonly temporary: boolean;
  readonly message: string;
}

export interface ChatClientEvents {
  readonly message: MessageEvent & Own;
  readonly joined: JoinedEvent & Own;
  readonly left: LeftEvent & Own;
  readonly renamed: RenamedEvent & Own;
  /** In place of joined and left where many people are. */
  readonly presence: PresenceEvent;
  /** To this person, or by it (`own`; with `echo` only), alone. */
  readonly direct: DirectEvent & Own;
  readonly isTyping: IsTyping;
  readonly goingAway: GoingAway;
  readonly gap: GapEvent;
  readonly error: ErrorEvent;
  readonly disconnect: DisconnectEvent;
}

export type ChatClientEvent = ChatClientEvents[keyof ChatClientEvents];

/** So many events may wait for an iterator's owner. */
const MAX_WAITING_EVENTS = 65_536;

/** Listeners by type of event. One that throws harms no other: what it threw is reported as uncaught. */
export class Listeners {
  readonly #byType = new Map<string, Set<(event: never) => void>>();
  readonly #iterators = new Set<EventIterator>();

  on<Type extends keyof ChatClientEvents>(type: Type, listener: (event: ChatClientEvents[Type]) => void): () => void {
    const listeners = this.#byType.get(type) ?? new Set();
    this.#byType.set(type, listeners);
    // Its own wrapper, so that the same function given twice is heard twice and taken off once.
    const entry = (event: ChatClientEvents[Type]): void => listener(event);
    listeners.add(entry);
    return () => void listeners.delete(entry);
  }

  iterate(hasEnded: boolean): AsyncIterableIterator<ChatClientEvent> {
    const iterator = new EventIterator(() => this.#iterators.delete(iterator));
    if (hasEnded) iterator.end();
    else this.#iterators.add(iterator);
    return iterator;
  }

  emit(event: ChatClientEvent): void {
    for (const listener of this.#byType.get(event.type) ?? []) {
      try {
        listener(event as never);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
    for (const iterator of this.#iterators) iterator.push(event);
  }
}

/** The events from its making on, in order. Ends after `disconnect`. */
class EventIterator implements AsyncIterableIterator<ChatClientEvent> {
  #waiting: ChatClientEvent[] = [];
  #readers: ((result: IteratorResult<ChatClientEvent>) => void)[] = [];
  #hasEnded = false;
  #failure: ChatClientError | undefined;
  readonly #onEnd: () => void;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  push(event: ChatClientEvent): void {
    const reader = this.#readers.shift();
    if (reader !== undefined) reader({ done: false, value: event });
    else if (this.#waiting.length < MAX_WAITING_EVENTS) this.#waiting.push(event);
    else {
      this.#waiting = [];
      this.#failure = new ChatClientError(
        "READER_TOO_SLOW",
        `more than ${MAX_WAITING_EVENTS} events waited to be read from an iterator`,
      );
      this.end();
    }
    if (event.type === "disconnect") this.end();
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#onEnd();
    for (const reader of this.#readers) reader({ done: true, value: undefined });
    this.#readers = [];
  }

  next(): Promise<IteratorResult<ChatClientEvent>> {
    const event = this.#waiting.shift();
    if (event !== undefined) return Promise.resolve({ done: false, value: event });
    if (this.#failure !== undefined) {
      const failure = this.#failure;
      this.#failure = undefined;
      return Promise.reject(failure);
    }
    if (this.#hasEnded) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  return(): Promise<IteratorResult<ChatClientEvent>> {
    this.#waiting = [];
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
