/**
 * The publisher's side of waking: rings every participant that announced sleep.
 *
 * - With nobody asleep it costs a load for each 32 participants.
 * - A parked thread, and any sleeper of an anonymous segment, is woken through its slot's wake word: the word is
 *   changed, then the futex woken. An event loop of a named segment is woken by a byte into its named pipe.
 * - Every publisher that sees a sleeper rings; only the sleeper clears its announcement. So a ringer killed before it
 *   rang leaves the sleeper announced for the next one, and the sleeper looks again by itself within 100 ms.
 * - Pipes are opened for writing alone: a pipe whose reader has gone refuses (ENXIO, EPIPE), where one opened for
 *   both would swallow rings. Open pipes are kept for one {slot, generation}; a refusal is remembered for a while.
 */
import { closeSync, constants, openSync } from "node:fs";
import type { Doorbells } from "./contracts.ts";
import { COUNTER, type Counters } from "./counters.ts";
import { failpoint } from "./failpoint.ts";
import type { Futex } from "./futex.ts";
import {
  DOORBELL_PIPE,
  DOORBELL_WAKE_WORD,
  SLEEPERS_OFFSET,
  SLEEPING_LOOP,
  SLEEPING_PARKED,
  SLOT_DOORBELL,
  SLOT_GENERATION,
  SLOT_SLEEPING,
  SLOT_WAKE,
  slotOffset,
} from "./layout.ts";
import type { SharedMemory } from "./memory.ts";
import { native } from "./native.ts";

interface OpenPipe {
  readonly generation: number;
  /** -1: refused; not tried again before `retryAtMs`. */
  readonly fd: number;
  readonly retryAtMs: number;
}

/** As long as a sleeper takes to look again by itself. */
const REFUSED_PIPE_RETRY_MS = 100;
const RING_BYTE: Uint8Array = new Uint8Array([1]);
const ALL_SLEEPERS = 0x7fffffff;
const { O_WRONLY, O_NONBLOCK, O_NOFOLLOW } = constants;

export class BellRinger implements Doorbells {
  /** Set by this participant's own event-loop doorbell: rung without a system call. */
  ringSelf: (() => void) | undefined;

  readonly #i32: Int32Array;
  readonly #futex: Futex;
  readonly #counters: Counters;
  readonly #ownSlot: number;
  readonly #firstWord: number = SLEEPERS_OFFSET >>> 2;
  readonly #wordCount: number;
  readonly #pipePath: (slot: number, generation: number) => string;
  readonly #pipes = new Map<number, OpenPipe>();

  constructor(
    memory: SharedMemory,
    slotCount: number,
    ownSlot: number,
    futex: Futex,
    counters: Counters,
    pipePath: (slot: number, generation: number) => string,
  ) {
    this.#i32 = memory.i32;
    this.#futex = futex;
    this.#counters = counters;
    this.#ownSlot = ownSlot;
    this.#wordCount = Math.ceil(slotCount / 32);
    this.#pipePath = pipePath;
  }

  ringSleepers(): void {
    failpoint("ring:begin");
    const i32 = this.#i32;
    const first = this.#firstWord;
    const wordCount = this.#wordCount;
    let rung = 0;
    for (let word = 0; word < wordCount; word++) {
      let bits = Atomics.load(i32, first + word);
      while (bits !== 0) {
        const bit = 31 - Math.clz32(bits & -bits);
        bits &= bits - 1;
        rung += this.#ring(word * 32 + bit);
      }
    }
    if (rung === 0) this.#counters.add(COUNTER.wakesSuppressed, 1);
    else this.#counters.add(COUNTER.wakesSent, rung);
  }

  /** Closes the pipes. */
  close(): void {
    this.ringSelf = undefined;
    for (const { fd } of this.#pipes.values()) if (fd !== -1) closeSync(fd);
    this.#pipes.clear();
  }

  #ring(slot: number): number {
    const i32 = this.#i32;
    const offset = slotOffset(slot);
    const sleeping = Atomics.load(i32, (offset + SLOT_SLEEPING) >>> 2);
    if (sleeping === 0) return 0;
    if (slot === this.#ownSlot) {
      this.ringSelf?.();
      return 0;
    }
    const doorbell = Atomics.load(i32, (offset + SLOT_DOORBELL) >>> 2);
    if ((sleeping & SLEEPING_PARKED) !== 0 || doorbell === DOORBELL_WAKE_WORD) {
      const wakeIndex = (offset + SLOT_WAKE) >>> 2;
      Atomics.add(i32, wakeIndex, 1);
      failpoint("ring:word");
      this.#futex.wake(wakeIndex, ALL_SLEEPERS);
      failpoint("ring:rung");
    }
    if ((sleeping & SLEEPING_LOOP) !== 0 && doorbell === DOORBELL_PIPE) this.#ringPipe(slot);
    return 1;
  }

  #ringPipe(slot: number): void {
    const { write, errno, EPIPE } = native();
    const generation = Atomics.load(this.#i32, (slotOffset(slot) + SLOT_GENERATION) >>> 2);
    let pipe = this.#pipes.get(slot);
    if (pipe === undefined || pipe.generation !== generation) pipe = this.#openPipe(slot, generation);
    else if (pipe.fd === -1 && performance.now() >= pipe.retryAtMs) pipe = this.#openPipe(slot, generation);
    if (pipe.fd === -1) return;
    // A full pipe (EAGAIN) has been rung often enough.
    if (write(pipe.fd, RING_BYTE, 1) < 0 && errno() === EPIPE) this.#openPipe(slot, generation);
    failpoint("ring:piped");
  }

  #openPipe(slot: number, generation: number): OpenPipe {
    const old = this.#pipes.get(slot);
    if (old !== undefined && old.fd !== -1) closeSync(old.fd);
    let fd = -1;
    try {
      fd = openSync(this.#pipePath(slot, generation), O_WRONLY | O_NONBLOCK | O_NOFOLLOW);
    } catch {
      // The reader is gone or just going: it looks for itself, or its slot is swept.
    }
    const pipe: OpenPipe = { generation, fd, retryAtMs: performance.now() + REFUSED_PIPE_RETRY_MS };
    this.#pipes.set(slot, pipe);
    return pipe;
  }
}
