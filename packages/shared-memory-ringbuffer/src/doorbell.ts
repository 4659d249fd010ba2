/**
 * The sleeper's side of waking for an event loop: sleeps with sockets and timers, and is rung by publishers.
 *
 * - `arm` when everything has been read: announces sleep, *then* asks `hasWork` once more. `onRing` is called once,
 *   later, on the event loop, when there is work; it reads everything and arms again. Not armed, nobody rings.
 * - No wake is lost. The sleeper announces, then looks for work; a publisher publishes, then looks for sleepers. All
 *   four accesses are sequentially consistent, so at least one side sees the other: the sleeper finds the work and
 *   doesn't sleep, or the publisher finds the sleeper and rings. A ring is kept until it is heard: as a byte in the
 *   pipe, or (anonymous segments) as a changed wake word, which the sleeper read before it looked for work.
 * - A publisher killed between publishing and ringing costs {@link RECHECK_MS} at most: the sleeper looks by itself.
 * - The pipe is opened for reading *and* writing: with the reader's own writing end open it never sees an end of file
 *   when the last publisher leaves.
 * - One doorbell a participant.
 */
import { chmodSync, chownSync, closeSync, constants, openSync, statSync } from "node:fs";
import { Socket } from "node:net";
import { ArgumentError } from "./errors.ts";
import { failpoint } from "./failpoint.ts";
import {
  DOORBELL_NONE,
  DOORBELL_PIPE,
  DOORBELL_WAKE_WORD,
  SLEEPING_LOOP,
  SLOT_DOORBELL,
  slotOffset,
} from "./layout.ts";
import { native, systemError } from "./native.ts";
import type { Segment } from "./segment.ts";
import { unlinkIfThere } from "./segment-life.ts";
import { pipePath } from "./segment-name.ts";

export interface EventLoopDoorbellOptions {
  /** Called on the event loop after `arm`, once, when there is work. */
  readonly onRing: () => void;
  /** Whether there is something to read. Must look with an atomic load; is called often. */
  readonly hasWork: () => boolean;
}

/** An armed doorbell looks for work by itself this often, in milliseconds. */
export const RECHECK_MS = 100;
const PIPE_MODE = 0o600;
const GROUP_BITS = 0o060;
const READ_BYTES = 4096;
const { O_RDWR, O_NONBLOCK, O_NOFOLLOW } = constants;

/** What wakes the event loop. */
interface Bell {
  /** Called before the last look for work; what it returns is handed to `sleep`. */
  prepare(): number;
  sleep(prepared: number): void;
  ref(): void;
  unref(): void;
  close(): void;
}

export class EventLoopDoorbell {
  readonly #segment: Segment;
  readonly #options: EventLoopDoorbellOptions;
  readonly #bell: Bell;
  readonly #timer: NodeJS.Timeout;
  readonly #stopListening: () => void;
  #armed = false;
  #ringing: NodeJS.Immediate | undefined;
  #closed = false;

  /** Throws ArgumentError when this participant has one already; ERR_SHM_SYSTEM when no pipe can be made. */
  constructor(segment: Segment, options: EventLoopDoorbellOptions) {
    if (segment.ringer.ringSelf !== undefined) throw new ArgumentError("this participant already has a doorbell");
    this.#segment = segment;
    this.#options = options;
    const listener = (): void => this.#look();
    this.#bell = segment.path === undefined ? new WakeWordBell(segment, listener) : new PipeBell(segment, listener);
    segment.ringer.ringSelf = () => {
      if (this.#armed && options.hasWork()) this.#ringSoon();
    };
    this.#timer = setInterval(listener, RECHECK_MS);
    this.#stopListening = segment.onClose(() => this.close());
  }

  get armed(): boolean {
    return this.#armed;
  }

  /** Sleeps until there is work. Doing it twice, or while a ring is on its way, does nothing. */
  arm(): void {
    if (this.#armed || this.#closed || this.#ringing !== undefined) return;
    const prepared = this.#bell.prepare();
    this.#armed = true;
    this.#segment.sleep.enter(SLEEPING_LOOP);
    if (this.#options.hasWork()) this.#ringSoon();
    else this.#bell.sleep(prepared);
  }

  /** Takes the announcement back; nothing rings until the next `arm`. */
  disarm(): void {
    if (this.#ringing !== undefined) clearImmediate(this.#ringing);
    this.#ringing = undefined;
    if (!this.#armed) return;
    this.#armed = false;
    this.#segment.sleep.leave(SLEEPING_LOOP);
  }

  /** Whether the doorbell keeps the process alive: it does until `unref`. */
  ref(): this {
    this.#timer.ref();
    this.#bell.ref();
    return this;
  }

  unref(): this {
    this.#timer.unref();
    this.#bell.unref();
    return this;
  }

  close(): void {
    if (this.#closed) return;
    this.disarm();
    this.#closed = true;
    this.#stopListening();
    clearInterval(this.#timer);
    this.#segment.ringer.ringSelf = undefined;
    this.#bell.close();
  }

  /** The bell rang or time has passed. A stale ring finds no work and the sleep goes on. */
  #look(): void {
    if (!this.#armed) return;
    const prepared = this.#bell.prepare();
    if (!this.#options.hasWork()) {
      this.#bell.sleep(prepared);
      return;
    }
    this.disarm();
    this.#options.onRing();
  }

  /** Not at once: the publisher that rings may be in the middle of its own work on this very thread. */
  #ringSoon(): void {
    if (!this.#armed) return;
    this.disarm();
    this.#ringing = setImmediate(() => {
      this.#ringing = undefined;
      // Somebody on this thread may have read it all meanwhile.
      if (this.#options.hasWork()) this.#options.onRing();
      else this.arm();
    });
  }
}

/** Gives the pipe the group of a segment that a group shares: its other users ring, too. */
function shareLike(segmentPath: string, path: string): void {
  const segment = statSync(segmentPath, { throwIfNoEntry: false });
  if (segment === undefined || (segment.mode & GROUP_BITS) === 0) return;
  chownSync(path, -1, segment.gid);
  chmodSync(path, PIPE_MODE | GROUP_BITS);
}

class PipeBell implements Bell {
  readonly #i32: Int32Array;
  readonly #doorbellIndex: number;
  readonly #path: string;
  readonly #socket: Socket;

  constructor(segment: Segment, listener: () => void) {
    const { slot, generation } = segment.me;
    this.#i32 = segment.memory.i32;
    this.#doorbellIndex = (slotOffset(slot) + SLOT_DOORBELL) >>> 2;
    this.#path = pipePath(segment.path ?? "", segment.epoch, slot, generation);
    failpoint("doorbell-open:begin");
    // A second doorbell of the same participant finds the first one's pipe gone, but never another's in its place.
    unlinkIfThere(this.#path);
    const error = native().mkfifo(this.#path, PIPE_MODE);
    if (error !== 0) throw systemError(`can't make the pipe ${this.#path}`, error, { path: this.#path });
    shareLike(segment.path ?? "", this.#path);
    failpoint("doorbell-open:made");
    const fd = openSync(this.#path, O_RDWR | O_NONBLOCK | O_NOFOLLOW);
    try {
      this.#socket = new Socket({
        fd,
        readable: true,
        writable: false,
        // Rings carry nothing, so one buffer takes them all.
        onread: { buffer: Buffer.allocUnsafe(READ_BYTES), callback: () => this.#heard(listener) },
      } as ConstructorParameters<typeof Socket>[0]);
    } catch (cause) {
      closeSync(fd);
      unlinkIfThere(this.#path);
      throw cause;
    }
    Atomics.store(this.#i32, this.#doorbellIndex, DOORBELL_PIPE);
    failpoint("doorbell-open:published");
  }

  prepare(): number {
    return 0;
  }

  sleep(): void {}

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  close(): void {
    failpoint("doorbell-close:begin");
    Atomics.store(this.#i32, this.#doorbellIndex, DOORBELL_NONE);
    failpoint("doorbell-close:withdrawn");
    unlinkIfThere(this.#path);
    failpoint("doorbell-close:removed");
    this.#socket.destroy();
  }

  #heard(listener: () => void): boolean {
    listener();
    return true;
  }
}

class WakeWordBell implements Bell {
  readonly #segment: Segment;
  readonly #listener: () => void;
  readonly #doorbellIndex: number;
  /** One wait at a time is under way; a newer sleep is served by an older wait, which a ring also ends. */
  #waiting = false;

  constructor(segment: Segment, listener: () => void) {
    this.#segment = segment;
    this.#listener = listener;
    this.#doorbellIndex = (slotOffset(segment.me.slot) + SLOT_DOORBELL) >>> 2;
    failpoint("wake-word:begin");
    Atomics.store(segment.memory.i32, this.#doorbellIndex, DOORBELL_WAKE_WORD);
    failpoint("wake-word:published");
  }

  prepare(): number {
    return this.#segment.sleep.wakeWord();
  }

  sleep(expected: number): void {
    if (this.#waiting) return;
    this.#waiting = true;
    const { i32 } = this.#segment.memory;
    const wait = Atomics.waitAsync(i32, this.#segment.sleep.wakeIndex, expected, RECHECK_MS);
    // A timer runs beside it, because a pending waitAsync doesn't keep a process alive.
    void Promise.resolve(wait.value).then(() => {
      this.#waiting = false;
      this.#listener();
    });
  }

  ref(): void {}

  unref(): void {}

  close(): void {
    Atomics.store(this.#segment.memory.i32, this.#doorbellIndex, DOORBELL_NONE);
    failpoint("wake-word:withdrawn");
  }
}
