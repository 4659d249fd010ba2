/**
 * The writer: each line of its input becomes a message in the segment.
 *
 * - At the end of its input it waits until a reader has shown the last line, because the last to leave a segment removes
 *   it; `--no-wait` leaves at once and leaves the segment behind.
 * - A pipe that is faster than every reader is held back before it overwrites what nobody has read.
 * - A line that is refused (too long, say) is reported; the rest goes on, and the exit code is 1.
 */

import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import type { SharedMemoryRoomLog } from "@parley/shared-memory-room";
import { joinRoom, type Membership } from "./membership.ts";
import { openRoom, sayBacking } from "./open-room.ts";
import { Ending, note } from "./terminal.ts";

export interface WriterOptions {
  readonly segment: string;
  readonly name?: string;
  /** False for `--no-wait`. */
  readonly wait: boolean;
  readonly trace?: boolean;
  readonly json?: boolean;
}

const QUIT = "/quit";
const EXIT_REFUSED = 1;
/** How often a waiting writer looks at what was read. */
const READ_CHECK_MS = 25;
/** A pipe may be this part of the log ahead of its readers. */
const UNREAD_PART = 0.5;

/** Resolves with the exit code, once the segment is left. */
export async function runWriter(options: WriterOptions): Promise<number> {
  const ending = new Ending();
  const log = openRoom(options.segment, { trace: options.trace ?? false });
  try {
    sayBacking(log);
    const member = await joinRoom(log, options.name ?? `writer-${process.pid}`);
    const how = process.stdin.isTTY ? "type lines, Ctrl-D ends" : "each line of the input is a message";
    note(`writing to segment ${options.segment} as ${member.name}, pid ${process.pid}; ${how}`);
    const input = new InputToSegment(log, options, AbortSignal.any([ending.signal, member.gone]));
    try {
      await input.run(member.say);
      if (!ending.signal.aborted) member.gone.throwIfAborted();
      if (!options.wait) input.keepUntilRead();
    } finally {
      await member.leave();
    }
    if (!options.wait && log.isAwaitingReader) {
      note(
        `segment ${options.segment} stays, with ${input.lines} lines in it. ` +
          `To read and remove it: npm run -s reader -- --segment ${options.segment} --count ${input.lines}; ` +
          `to remove it unread: npm run -s reader -- --segment ${options.segment} --remove`,
      );
    }
    return ending.exitCode || (input.refused > 0 ? EXIT_REFUSED : 0);
  } finally {
    await log.close();
    ending.dispose();
  }
}

type Say = Membership["say"];

class InputToSegment {
  /** Lines that the segment has taken. */
  lines = 0;
  refused = 0;
  readonly #log: SharedMemoryRoomLog;
  readonly #options: WriterOptions;
  readonly #signal: AbortSignal;
  /** Positions of the first and the last line. */
  #firstSeq = 0;
  #lastSeq = 0;
  #hasSaidThatItWaits = false;

  constructor(log: SharedMemoryRoomLog, options: WriterOptions, signal: AbortSignal) {
    this.#log = log;
    this.#options = options;
    this.#signal = signal;
  }

  async run(say: Say): Promise<void> {
    // terminal: false, so that the kernel edits the line and turns Ctrl-C into a signal.
    const lines = createInterface({ input: process.stdin, terminal: false, signal: this.#signal });
    try {
      for await (const line of lines) {
        if (this.#signal.aborted || line === QUIT) return;
        if (line !== "") await this.#line(line, say);
      }
    } finally {
      lines.close();
      // An input that goes on would keep the process alive.
      process.stdin.destroy();
    }
    if (this.#options.wait) await this.#untilUnread(0);
  }

  async #line(line: string, say: Say): Promise<void> {
    try {
      const { position, timeMs } = await say(line);
      this.lines++;
      this.#firstSeq ||= position.seq;
      this.#lastSeq = position.seq;
      if (this.#options.json) process.stdout.write(`${JSON.stringify({ text: line, timeMs, position })}\n`);
    } catch (error) {
      this.refused++;
      note(`not sent: ${error instanceof Error ? error.message : error}`, "yellow");
    }
    const maxUnreadBytes = this.#log.capacityBytes * UNREAD_PART;
    if (this.#options.wait && this.#unreadBytes() > maxUnreadBytes) await this.#untilUnread(maxUnreadBytes / 2);
  }

  keepUntilRead(): void {
    this.#log.keepUntilRead(this.#lastSeq);
  }

  #unreadBytes(): number {
    return this.#lastSeq - Math.max(this.#log.readMark, this.#firstSeq - 1, 0);
  }

  /** Waits until at most `bytes` of what was written are unread, or the process is to end. */
  async #untilUnread(bytes: number): Promise<void> {
    const { segment } = this.#options;
    if (this.#unreadBytes() <= bytes) return;
    if (!this.#hasSaidThatItWaits) {
      this.#hasSaidThatItWaits = true;
      note(
        `waiting until a reader has read what was written: npm run -s reader -- --segment ${segment} ` +
          "(Ctrl-C leaves now; --no-wait doesn't wait)",
      );
    }
    while (this.#unreadBytes() > bytes && !this.#signal.aborted) await delay(READ_CHECK_MS);
    if (this.#signal.aborted) note("left before a reader had read everything", "yellow");
    else if (bytes === 0) note("a reader has read it all");
  }
}
