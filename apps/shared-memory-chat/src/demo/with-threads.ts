/** The demo with worker threads of one process on one SharedArrayBuffer; they sleep in Atomics.wait and are notified. */

import { existsSync } from "node:fs";
import { createThreadRoomLog } from "@parley/shared-memory-room";
import { createAnonymousSegment } from "shared-memory-ringbuffer";
import { counterSegmentSpec } from "./counters.ts";
import { Crew } from "./crew.ts";
import { type RaceResult, race } from "./race.ts";
import type { Story } from "./story.ts";

export interface ThreadsResult {
  readonly race: RaceResult;
  readonly recovered: boolean;
}

/** Rejects when `signal` is aborted, once everything is cleaned up. */
export async function demoWithThreads(story: Story, signal: AbortSignal): Promise<ThreadsResult> {
  let sawRecovery = false;
  const crew = new Crew((label, report) => {
    if (report.type === "trace") {
      if (report.text.includes("recovered")) sawRecovery = true;
      story.quote(`${label} ${report.text}`);
    } else if (report.type === "message") {
      story.say(`${label} reads   ${report.text}`);
    }
  });
  signal.addEventListener("abort", () => void crew.dismiss(), { once: true });
  const log = createThreadRoomLog();
  const counters = createAnonymousSegment(counterSegmentSpec);
  try {
    const place = { buffer: log.buffer as SharedArrayBuffer };
    await story.chapter("A writer and a reader: two threads of one process, one SharedArrayBuffer");
    const lines = ["hello", "from another thread"];
    const writer = crew.startThread({ role: "write", name: "ada", lines }, place);
    const reader = crew.startThread({ role: "read", count: lines.length }, place);
    story.say(`the writer is ${writer.label}, the reader is ${reader.label}, of process ${process.pid}`);
    await Promise.all([writer.report("done"), reader.report("done")]);
    await Promise.all([writer.ended, reader.ended]);
    story.expect(true, "the reader has read what the writer wrote");

    const counterPlace = { buffer: counters.memory.buffer as SharedArrayBuffer };
    const raced = await race(story, counters, (job) => crew.startThread(job, counterPlace));

    await story.chapter("A thread is terminated while it holds the lock");
    if (!existsSync("/proc/thread-self")) {
      story.say("left out: without /proc nobody can tell that a thread is dead, so its lock is not taken from it");
      return { race: raced, recovered: false };
    }
    const holder = crew.startThread({ role: "hold" }, place);
    await holder.report("holding");
    story.say(`${holder.label} holds the lock; it is terminated now`);
    await holder.kill();
    const killedMs = performance.now();
    const next = crew.startThread({ role: "write", name: "bo", lines: ["I go on"] }, place);
    await next.report("done");
    await next.ended;
    const tookMs = Math.round(performance.now() - killedMs);
    story.expect(
      sawRecovery,
      `the next one was told that the lock is recovered, and went on (${tookMs} ms with its start)`,
    );
    return { race: raced, recovered: sawRecovery };
  } finally {
    await crew.dismiss();
    counters.close();
    await log.close();
  }
}
