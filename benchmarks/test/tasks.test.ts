import { expect, test } from "vitest";
import { type Link, type OnFrame, StalledError } from "../src/contenders/contender.ts";
import { runTask, type Task } from "../src/rig/tasks.ts";

/** Two ends in one event loop, frames handed over in a later turn. */
class FakeLink implements Link {
  words = new Int32Array(1 << 16);
  other: FakeLink | undefined;
  publishes = 0;
  #staged: Int32Array[] = [];
  #reserved: [number, number][] = [];
  #end = 0;
  #inbox: Int32Array[] = [];
  #onFrame: OnFrame | undefined;
  #finish: (error?: Error) => void = () => {};

  reserve(bytes: number): number {
    const at = this.#end;
    this.#reserved.push([at, bytes >> 2]);
    this.#end += bytes >> 2;
    return at;
  }

  publish(): void {
    this.publishes++;
    this.#staged = this.#reserved.map(([at, count]) => this.words.slice(at, at + count));
    this.#reserved = [];
    this.#end = 0;
    this.other?.deliver(this.#staged);
  }

  deliver(frames: readonly Int32Array[]): void {
    this.#inbox.push(...frames);
    setImmediate(() => this.#pass());
  }

  #pass(): void {
    while (this.#onFrame !== undefined) {
      const frame = this.#inbox.shift();
      if (frame === undefined) return;
      this.#onFrame(frame, 0, frame.length * 4);
    }
  }

  run(onFrame: OnFrame, stallMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#finish(new StalledError(stallMs)), stallMs);
      this.#finish = (error) => {
        clearTimeout(timer);
        this.#onFrame = undefined;
        if (error === undefined) resolve();
        else reject(error);
      };
      this.#onFrame = onFrame;
      setImmediate(() => this.#pass());
    });
  }

  stop(): void {
    this.#finish();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function linkedPair(): [FakeLink, FakeLink] {
  const [a, b] = [new FakeLink(), new FakeLink()];
  a.other = b;
  b.other = a;
  return [a, b];
}

const BOUNDS = { bytes: 64, warmupMs: 1, warmupMessages: 10, measureMs: 20, maxMessages: 500, stallMs: 2_000 };
const STREAM: Task = { ...BOUNDS, kind: "stream", batch: 16, windowBytes: 64 * 64 };

test("a ping-pong times each round trip of the measured part, and both sides verify", async () => {
  const [a, b] = linkedPair();
  const task: Task = { ...BOUNDS, kind: "echo" };
  const [asked, answered] = await Promise.all([runTask(a, "initiator", task), runTask(b, "responder", task)]);
  expect(asked.fault).toBeNull();
  expect(asked.measured).toBeGreaterThan(0);
  expect(asked.latencies?.count).toBe(asked.measured);
  expect(answered.measured).toBe(asked.measured);
  expect(asked.warmupMessages).toBeGreaterThanOrEqual(10);
  expect(asked.counts).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, corrupted: 0 });
  expect(answered.counts).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, corrupted: 0 });
});

test("a stream is published in batches, and what was sent was received", async () => {
  const [a, b] = linkedPair();
  const [sent, received] = await Promise.all([runTask(a, "initiator", STREAM), runTask(b, "responder", STREAM)]);
  expect(sent.fault).toBeNull();
  expect(received.measured).toBe(sent.measured);
  expect(received.counts.received).toBe(sent.counts.received);
  // One publish a batch, and one for the end.
  expect(a.publishes).toBe((sent.counts.received - 1) / 16 + 1);
});

test("the window bounds what is unacknowledged", async () => {
  const [a, b] = linkedPair();
  let outstanding = 0;
  let worst = 0;
  const publish = a.publish.bind(a);
  a.publish = () => {
    outstanding += 16;
    worst = Math.max(worst, outstanding);
    publish();
  };
  const acknowledge = b.publish.bind(b);
  b.publish = () => {
    outstanding -= 16;
    acknowledge();
  };
  await Promise.all([runTask(a, "initiator", STREAM), runTask(b, "responder", STREAM)]);
  // 64 messages, acknowledged by quarters; the frame that ends the stream counts as a batch here.
  expect(worst).toBeLessThanOrEqual(64 + 16);
});

test("when the other end never answers, the task ends with a fault and a loss", async () => {
  const [a] = linkedPair();
  const report = await runTask(a, "initiator", { ...BOUNDS, kind: "echo", stallMs: 30 });
  expect(report.fault).toContain("nothing arrived for 30 ms");
  expect(report.counts.lost).toBe(1);
});
