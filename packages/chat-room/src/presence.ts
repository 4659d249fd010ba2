/**
 * Who comes and goes where many people are: counts, at most one event a second, in place of an event for each and everybody.
 *
 * - With `threshold` people or fewer every JOINED and LEFT is told.
 * - How many there are in all processes is what the roster says, asked once a second while there is something to tell; in
 *   between it is counted along.
 */

import { encode, type LogFields, logFieldsOf } from "@parley/chat-protocol";

export const DEFAULT_PRESENCE_THRESHOLD = 100;
const INTERVAL_MS = 1000;
/** An event that nobody sent. */
const NO_MESSAGE_ID = "00".repeat(16);

export interface PresenceHost {
  readonly room: string;
  readonly threshold: number;
  /** How many people are in the room, in all processes. */
  count(): Promise<number>;
  /** Gives a PRESENCE frame to everybody here. */
  tell(frame: Uint8Array): void;
  fault(error: unknown): void;
}

export class Presence {
  readonly #host: PresenceHost;
  #people = 0;
  #joined = 0;
  #left = 0;
  #last: LogFields | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(host: PresenceHost) {
    this.#host = host;
  }

  /** As the roster said when somebody entered here. */
  peopleAre(count: number): void {
    this.#people = count;
  }

  get isCounted(): boolean {
    return this.#people > this.#host.threshold;
  }

  /**
   * A JOINED (`by` 1) or LEFT (-1) was read from the log; `isOwn`: of somebody here, so that `peopleAre` had it already.
   * True: it is counted, and not to be told by itself.
   */
  note(event: Uint8Array, by: 1 | -1, isOwn: boolean): boolean {
    const isCounted = this.isCounted;
    if (by === -1 || !isOwn) this.#people = Math.max(0, this.#people + by);
    if (!isCounted) return false;
    if (by === 1) this.#joined++;
    else this.#left++;
    this.#last = logFieldsOf(event);
    this.#timer ??= setTimeout(() => this.#tell(), INTERVAL_MS).unref();
    return true;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #tell(): Promise<void> {
    this.#timer = undefined;
    try {
      this.#people = await this.#host.count();
    } catch (error) {
      this.#host.fault(error);
      return;
    }
    if (this.#isClosed || this.#last === undefined) return;
    const { room } = this.#host;
    const counts = { people: this.#people, joined: this.#joined, left: this.#left };
    this.#joined = 0;
    this.#left = 0;
    this.#host.tell(encode({ type: "presence", ...this.#last, messageId: NO_MESSAGE_ID, room, ...counts }));
  }
}
