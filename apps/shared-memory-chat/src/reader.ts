/**
 * The reader: shows what is in the segment and what comes.
 *
 * - Starts at the oldest event that is retained, so that it may be started long after the writer.
 * - Messages go to stdout (`name: text`, or one JSON object a line); who came and went goes to stderr.
 * - Marks as read exactly what it has shown: a writer that waits for a reader goes by that.
 */

import { type ChatEvent, decode, displayText, frameFrom, type MessageEvent } from "@parley/chat-protocol";
import { removeSharedMemoryRoom, type SharedMemoryRoomLog } from "@parley/shared-memory-room";
import { joinRoom, type Membership } from "./membership.ts";
import { openRoom, sayBacking } from "./open-room.ts";
import { Ending, note } from "./terminal.ts";

export interface ReaderOptions {
  readonly segment: string;
  readonly name?: string;
  readonly count?: number;
  readonly trace?: boolean;
  readonly json?: boolean;
}

/** Resolves with the exit code, once the segment is left. */
export async function runReader(options: ReaderOptions): Promise<number> {
  const ending = new Ending();
  const log = openRoom(options.segment, { trace: options.trace ?? false });
  let member: Membership | undefined;
  try {
    sayBacking(log);
    if (options.name !== undefined) member = await joinRoom(log, options.name);
    const { oldest, tail } = await log.bounds();
    const state = tail.seq === oldest.seq ? "nothing was written yet" : "what was written before comes first";
    const end = options.count === undefined ? "Ctrl-C ends" : `ends after ${options.count}`;
    note(`reading segment ${options.segment} as pid ${process.pid}; ${state}; ${end}`);
    await show(log, options, ending.signal);
    return ending.exitCode;
  } finally {
    await member?.leave();
    await log.close();
    ending.dispose();
  }
}

/** Removes a segment that nobody uses. Resolves with the exit code. */
export async function runRemove(options: ReaderOptions): Promise<number> {
  const removed = removeSharedMemoryRoom(options.segment);
  note(removed ? `segment ${options.segment} is removed` : `there is no segment ${options.segment}`);
  return 0;
}

/** Shows messages until there were enough or `signal` is aborted. Rejects when the log can't be followed. */
async function show(log: SharedMemoryRoomLog, options: ReaderOptions, signal: AbortSignal): Promise<void> {
  const { oldest } = await log.bounds();
  let shown = 0;
  await new Promise<void>((resolve, reject) => {
    if (signal.aborted) resolve();
    const follower = log.follow(oldest, {
      events: (frames) => {
        for (const frame of frames) {
          const event = decode(frameFrom(frame)) as ChatEvent;
          if (event.type === "message") {
            shown++;
            print(event, shown, options.json ?? false);
          } else {
            announce(event);
          }
          log.markRead(event.position.seq);
          if (shown === options.count) {
            end();
            return;
          }
        }
      },
      lost: () => note("messages came faster than they could be shown; some are lost", "yellow"),
      failed: reject,
    });
    const end = (): void => {
      follower.stop();
      resolve();
    };
    signal.addEventListener("abort", end, { once: true });
  });
}

/** `count`: how many messages were shown with this one. */
function print(event: MessageEvent, count: number, json: boolean): void {
  const { name, text, timeMs, position, room, messageId } = event;
  process.stdout.write(
    json
      ? `${JSON.stringify({ count, name, text, timeMs, room, position, messageId })}\n`
      : `${displayText(name)}: ${displayText(text)}\n`,
  );
}

function announce(event: Exclude<ChatEvent, MessageEvent>): void {
  const what = { quit: "has left", lost: "was lost", died: "died" };
  if (event.type === "joined") note(`*** ${event.name} has joined`);
  else if (event.type === "left") note(`*** ${event.name} ${what[event.reason]}`);
  else if (event.type === "renamed") note(`*** ${event.name} is ${event.newName} now`);
}
