/**
 * What a process or a worker thread of the demo does: the same code for both, started by `crew.ts`.
 *
 * - Takes part in the segment under its own identity, does one job, tells its starter how it goes, and leaves.
 */

import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { type ChatEvent, decode, displayText, frameFrom } from "@parley/chat-protocol";
import { attachThreadRoomLog, type OnTrace } from "@parley/shared-memory-room";
import { attachAnonymousSegment, openSegment, type Segment } from "shared-memory-ringbuffer";
import { joinRoom } from "../membership.ts";
import { Counter } from "./counters.ts";

export type Job =
  /** Adds to the counter `times` times, together with others. */
  | { readonly role: "add"; readonly locked: boolean; readonly times: number; readonly parties: number }
  /** Takes the lock and never gives it back. */
  | { readonly role: "hold" }
  /** Joins the room as `name` and says `lines`. */
  | { readonly role: "write"; readonly name: string; readonly lines: readonly string[] }
  /** Shows messages until there were `count`. */
  | { readonly role: "read"; readonly count: number };

/** Where the segment is: its name, or the memory itself for a thread. */
export type Place = { readonly name: string } | { readonly buffer: SharedArrayBuffer };

export type Report =
  | { readonly type: "trace"; readonly text: string }
  | { readonly type: "message"; readonly text: string }
  | { readonly type: "holding"; readonly tid: number }
  | { readonly type: "done" };

const HOLD_SLICE_MS = 1000;

const { job, place } = (isMainThread ? JSON.parse(process.argv[2] as string) : workerData) as {
  readonly job: Job;
  readonly place: Place;
};

function tell(report: Report): void {
  if (isMainThread) process.send?.(report);
  else parentPort?.postMessage(report);
}

function joinSegment(): Segment {
  return "name" in place ? openSegment(place.name, { overlay: true }) : attachAnonymousSegment(place.buffer);
}

const onTrace: OnTrace = (step, detail) => tell({ type: "trace", text: `${step.padEnd(6)} ${detail}`.trimEnd() });

function threadRoom(): ReturnType<typeof attachThreadRoomLog> {
  if ("name" in place) throw new Error("the room of a thread is in its process's memory");
  return attachThreadRoomLog(place.buffer, { onTrace, marksRead: false });
}

switch (job.role) {
  case "add": {
    const segment = joinSegment();
    const counter = new Counter(segment);
    counter.awaitStart(job.parties);
    if (job.locked) counter.addWithLock(job.times);
    else counter.addWithoutLock(job.times);
    segment.close();
    break;
  }
  case "hold": {
    const segment = joinSegment();
    segment.mutex.lock();
    tell({ type: "holding", tid: segment.me.thread.tid });
    const nothing = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    for (;;) Atomics.wait(nothing, 0, 0, HOLD_SLICE_MS);
  }
  case "write": {
    const log = threadRoom();
    const member = await joinRoom(log, job.name);
    for (const line of job.lines) await member.say(line);
    await member.leave();
    await log.close();
    break;
  }
  case "read": {
    const log = threadRoom();
    const { oldest } = await log.bounds();
    await new Promise<void>((resolve, reject) => {
      let count = 0;
      const follower = log.follow(oldest, {
        events: (frames) => {
          for (const frame of frames) {
            const event = decode(frameFrom(frame)) as ChatEvent;
            if (event.type !== "message") continue;
            tell({ type: "message", text: `${event.name}: ${displayText(event.text)}` });
            if (++count < job.count) continue;
            follower.stop();
            resolve();
            return;
          }
        },
        lost: () => {},
        failed: reject,
      });
    });
    await log.close();
    break;
  }
}
tell({ type: "done" });
if (isMainThread) process.disconnect?.();
