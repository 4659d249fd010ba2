/** The demo with processes: they share nothing but a named segment. */

import { existsSync } from "node:fs";
import { createSegment, removeSegment, segmentPath } from "shared-memory-ringbuffer";
import { AppProcess } from "./app-process.ts";
import { counterSegmentSpec } from "./counters.ts";
import { Crew } from "./crew.ts";
import { type RaceResult, race } from "./race.ts";
import type { Story } from "./story.ts";

export interface ProcessesResult {
  readonly segment: string;
  readonly race: RaceResult;
  readonly recovered: boolean;
  readonly recoveryMs: number;
  readonly cleanedUp: boolean;
}

/** What ada says and eve doesn't. */
const READER_COUNT = "4";
/** The second record that a writer writes is its first message: JOINED comes before. It stops with the lock held. */
const STOP_INSIDE_LOCK = { SHM_FAILPOINT_STOP: "log-append:payload@2" };

/** Rejects when `signal` is aborted, once everything is cleaned up. */
export async function demoWithProcesses(story: Story, signal: AbortSignal): Promise<ProcessesResult> {
  const segment = `demo-${process.pid}`;
  const counterSegment = `${segment}-counter`;
  const apps: AppProcess[] = [];
  const start = (who: string, args: readonly string[], env?: NodeJS.ProcessEnv): AppProcess => {
    const app = new AppProcess(
      [...args, "--segment", segment, "--trace"],
      (line) => story.quote(`${who}: ${line}`),
      env,
    );
    apps.push(app);
    return app;
  };
  const crew = new Crew(() => {});
  const stop = (): void => {
    for (const app of apps) app.kill();
    void crew.dismiss();
  };
  signal.addEventListener("abort", stop, { once: true });
  const path = segmentPath(segment);
  try {
    await story.chapter("A writer and a reader: two processes, one segment of shared memory");
    const writer = start("ada", ["writer", "--name", "ada"]);
    await writer.line("writing to segment");
    const reader = start("reader", ["reader", "--count", READER_COUNT]);
    await reader.line("reading segment");
    story.say(`the segment is ${path}; the writer is process ${writer.pid}, the reader is process ${reader.pid}`);
    writer.type("hello");
    await reader.line("ada: hello");
    writer.type("from another process");
    await reader.line("ada: from another process");
    story.expect(true, "the reader has read what the writer wrote");

    const counters = createSegment(counterSegment, counterSegmentSpec, { overlay: true });
    let raced: RaceResult;
    try {
      raced = await race(story, counters, (job) => crew.startProcess(job, { name: counterSegment }));
    } finally {
      counters.close();
    }

    await story.chapter("A writer is killed with -9 while it holds the lock");
    const victim = start("eve", ["writer", "--name", "eve"], STOP_INSIDE_LOCK);
    await victim.line("writing to segment");
    victim.type("half a mess");
    await victim.stopped();
    story.say(`writer eve, process ${victim.pid}, stands still in the middle of its write, with the lock; kill -9 now`);
    victim.kill();
    const killedMs = performance.now();
    await victim.ended;
    writer.type("still here");
    await reader.line("ada: still here");
    const recoveryMs = Math.round(performance.now() - killedMs);
    const recovered = await writer.line("recovered").then(
      () => true,
      () => false,
    );
    story.expect(
      recovered,
      `ada's writer was told that the lock is recovered and went on; its message was read after ${recoveryMs} ms`,
    );
    await reader.line("eve died");
    story.expect(true, "the reader was told that eve died; her name is free again");
    writer.type("the end");
    writer.endInput();
    const codes = await Promise.all([writer.ended, reader.ended]);
    story.expect(
      codes.every((code) => code === 0),
      "writer and reader end in order",
    );

    await story.chapter("Nothing is left");
    const cleanedUp = !existsSync(path) && !existsSync(segmentPath(counterSegment));
    story.expect(cleanedUp, `the last one to leave has removed ${path}`);
    return { segment, race: raced, recovered, recoveryMs, cleanedUp };
  } finally {
    for (const app of apps) app.kill();
    await Promise.all(apps.map((app) => app.ended));
    await crew.dismiss();
    for (const name of [segment, counterSegment]) removeSegment(name, { force: true });
  }
}
