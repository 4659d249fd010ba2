/**
 * What the two ends of a link do in a measurement: ping-pong, and a stream in one direction. The same code for every
 * transport.
 *
 * - Both ends verify each frame's sequence number and checksum.
 * - Warm-up and measured frames differ in their kind, so each side takes its CPU time over exactly the measured part.
 * - A stream keeps at most `windowBytes` unacknowledged on every transport alike; the receiver acknowledges each quarter
 *   of it. Its rate is what the receiver got, from its first measured frame to the end.
 * - Times are bounded, counts are bounded, and a frame that never comes ends the task after `stallMs`.
 */
import { type Link, StalledError } from "../contenders/contender.ts";
import { LatencyCounts } from "../stats/latency-counts.ts";
import {
  FRAME_UNIT_BYTES,
  frameIsWhole,
  frameKind,
  frameSequence,
  KIND_ACK,
  KIND_END,
  KIND_MEASURED,
  KIND_WARMUP,
  writeFrame,
} from "./frame.ts";
import { IntegrityChecker, type IntegrityCounts } from "./integrity.ts";
import { type Usage, usageBetween, usageNow } from "./usage.ts";

const NS_PER_MS = 1e6;
/** Up to here a loop over words beats a typed array's `set`, which needs a view of its own. */
const COPY_LOOP_WORDS = 64;
/** What a trial's p99 needs (stats/histogram.ts): the measured part goes on for them, but not for ever. */
const MIN_ROUND_TRIPS = 1_000;
const MAX_OVERTIME = 4;

interface Bounds {
  /** Length of a frame, header included. */
  readonly bytes: number;
  readonly warmupMs: number;
  /** Warm-up lasts until both are reached, and never longer than four times `warmupMs`. */
  readonly warmupMessages: number;
  readonly measureMs: number;
  readonly maxMessages: number;
  readonly stallMs: number;
}

export interface EchoTask extends Bounds {
  readonly kind: "echo";
}

export interface StreamTask extends Bounds {
  readonly kind: "stream";
  /** Messages a publish. */
  readonly batch: number;
  readonly windowBytes: number;
}

export type Task = EchoTask | StreamTask;

export interface SideReport {
  readonly counts: IntegrityCounts;
  /** Frames of the measured part that this side sent (initiator) or received (responder). */
  readonly measured: number;
  readonly warmupMessages: number;
  readonly durationMs: number;
  readonly usage: Usage;
  /** Round trips of the measured part; only the initiator of an echo has them. */
  readonly latencies: LatencyCounts | null;
  /** Why the task ended early; null when it didn't. */
  readonly fault: string | null;
}

/** Runs one side. Never rejects for what the transport does: that is in `fault`. */
export function runTask(link: Link, side: "initiator" | "responder", task: Task): Promise<SideReport> {
  if (task.kind === "echo") return side === "initiator" ? ping(link, task) : echo(link, task);
  return side === "initiator" ? sendStream(link, task) : receiveStream(link, task);
}

/** Follows the measured part from its first frame to the end. */
class MeasuredPart {
  count = 0;
  warmup = 0;
  startMs = 0;
  endMs = 0;
  #from: Usage | undefined;
  #to: Usage | undefined;

  get started(): boolean {
    return this.#from !== undefined;
  }

  start(): void {
    this.#from = usageNow();
    this.startMs = performance.now();
  }

  end(): void {
    this.endMs = performance.now();
    this.#to = usageNow();
  }

  report(counts: IntegrityCounts, latencies: LatencyCounts | null, fault: string | null): SideReport {
    const from = this.#from;
    const usage =
      from === undefined ? { cpuUs: null, contextSwitches: null } : usageBetween(from, this.#to ?? usageNow());
    return {
      counts,
      measured: this.count,
      warmupMessages: this.warmup,
      durationMs: Math.max(0, this.endMs - this.startMs),
      usage,
      latencies,
      fault,
    };
  }
}

async function faultOf(run: Promise<void>): Promise<string | null> {
  try {
    await run;
    return null;
  } catch (error) {
    return error instanceof StalledError ? error.message : `the transport failed: ${(error as Error).message}`;
  }
}

function send(link: Link, bytes: number, sequence: number, kind: number): void {
  const at = link.reserve(bytes);
  if (at < 0) throw new Error("the link has no room, though the window allows it");
  writeFrame(link.words, at, bytes, sequence, kind);
}

async function ping(link: Link, task: EchoTask): Promise<SideReport> {
  const { bytes, measureMs, maxMessages, warmupMs, warmupMessages } = task;
  const latencies = new LatencyCounts();
  const replies = new IntegrityChecker();
  const part = new MeasuredPart();
  const beganMs = performance.now();
  let sequence = 0;
  let deadlineMs = 0;
  let lastMs = beganMs;
  const isOver = (): boolean => {
    if (part.count >= maxMessages) return true;
    if (lastMs < deadlineMs) return false;
    return part.count >= MIN_ROUND_TRIPS || lastMs >= deadlineMs + (MAX_OVERTIME - 1) * measureMs;
  };
  const next = (): void => {
    let kind = KIND_WARMUP;
    if (part.started) kind = isOver() ? KIND_END : KIND_MEASURED;
    else if (warmedUp(lastMs - beganMs, sequence, warmupMs, warmupMessages)) {
      part.warmup = sequence;
      part.start();
      deadlineMs = part.startMs + measureMs;
      lastMs = part.startMs;
      kind = KIND_MEASURED;
    }
    if (kind === KIND_END && part.endMs === 0) part.end();
    send(link, bytes, sequence++, kind);
    link.publish();
  };
  const fault = await faultOf(
    startThen(next, () =>
      link.run((words, at, length) => {
        const nowMs = performance.now();
        const inOrder = frameIsWhole(words, at, length);
        if (!inOrder) replies.damaged();
        else {
          const got = frameSequence(words, at);
          const expected = replies.next;
          replies.accept(got);
          // A duplicate must not start a second conversation.
          if (got < expected) return;
          const kind = frameKind(words, at);
          if (kind === KIND_END) {
            link.stop();
            return;
          }
          if (kind === KIND_MEASURED) {
            latencies.record((nowMs - lastMs) * NS_PER_MS);
            part.count++;
          }
        }
        lastMs = nowMs;
        next();
      }, task.stallMs),
    ),
  );
  if (part.endMs === 0) part.end();
  return part.report(replies.finish(sequence), latencies, fault);
}

async function echo(link: Link, task: EchoTask): Promise<SideReport> {
  const requests = new IntegrityChecker();
  const part = new MeasuredPart();
  const fault = await faultOf(
    link.run((words, at, length) => {
      const whole = frameIsWhole(words, at, length);
      if (whole) requests.accept(frameSequence(words, at));
      else requests.damaged();
      const kind = frameKind(words, at);
      if (kind === KIND_MEASURED) {
        if (!part.started) part.start();
        part.count++;
      } else if (kind === KIND_WARMUP) part.warmup++;
      else if (kind === KIND_END) part.end();
      const to = link.reserve(length);
      if (to < 0) throw new Error("no room to echo");
      copyFrame(words, at, link.words, to, length >> 2);
      link.publish();
      if (kind === KIND_END) link.stop();
    }, task.stallMs),
  );
  return part.report(requests.finish(requests.next), null, fault);
}

async function sendStream(link: Link, task: StreamTask): Promise<SideReport> {
  const { bytes, batch, windowBytes, measureMs, maxMessages, warmupMs, warmupMessages } = task;
  const window = Math.max(2 * batch, Math.floor(windowBytes / bytes));
  const acks = new IntegrityChecker();
  const part = new MeasuredPart();
  const beganMs = performance.now();
  let sequence = 0;
  let acknowledged = 0;
  let deadlineMs = 0;
  let ended = false;
  const pump = (): void => {
    if (ended) return;
    const nowMs = performance.now();
    if (!part.started && warmedUp(nowMs - beganMs, sequence, warmupMs, warmupMessages)) {
      part.warmup = sequence;
      part.start();
      deadlineMs = part.startMs + measureMs;
    }
    if (part.started && (nowMs >= deadlineMs || part.count >= maxMessages)) {
      ended = true;
      part.end();
      send(link, bytes, sequence++, KIND_END);
      link.publish();
      return;
    }
    const kind = part.started ? KIND_MEASURED : KIND_WARMUP;
    const from = sequence;
    while (sequence - acknowledged + batch <= window) {
      for (let i = 0; i < batch; i++) send(link, bytes, sequence++, kind);
      link.publish();
    }
    if (part.started) part.count += sequence - from;
  };
  const fault = await faultOf(
    startThen(pump, () =>
      link.run((words, at, length) => {
        if (!frameIsWhole(words, at, length)) {
          acks.damaged();
          return;
        }
        if (frameKind(words, at) === KIND_END) {
          link.stop();
          return;
        }
        const upTo = frameSequence(words, at) + 1;
        if (upTo > acknowledged) acknowledged = upTo;
        pump();
      }, task.stallMs),
    ),
  );
  if (part.endMs === 0) part.end();
  const { corrupted } = acks.finish(acks.next);
  return part.report({ received: sequence, lost: 0, duplicated: 0, reordered: 0, corrupted }, null, fault);
}

async function receiveStream(link: Link, task: StreamTask): Promise<SideReport> {
  const ackEvery = Math.max(1, Math.floor(task.windowBytes / task.bytes / 4));
  const frames = new IntegrityChecker();
  const part = new MeasuredPart();
  let sinceAck = 0;
  let measured = 0;
  let measuring = false;
  const fault = await faultOf(
    link.run((words, at, length) => {
      if (frameIsWhole(words, at, length)) frames.accept(frameSequence(words, at));
      else frames.damaged();
      const kind = frameKind(words, at);
      if (kind === KIND_MEASURED) {
        if (!measuring) {
          measuring = true;
          part.start();
        }
        measured++;
      } else if (kind === KIND_WARMUP) part.warmup++;
      else if (kind === KIND_END) {
        part.end();
        send(link, FRAME_UNIT_BYTES, 0, KIND_END);
        link.publish();
        link.stop();
        return;
      }
      if (++sinceAck >= ackEvery && frames.next > 0) {
        sinceAck = 0;
        send(link, FRAME_UNIT_BYTES, frames.next - 1, KIND_ACK);
        link.publish();
      }
    }, task.stallMs),
  );
  part.count = measured;
  if (part.endMs === 0) part.end();
  return part.report(frames.finish(frames.next), null, fault);
}

/** The first frame goes out inside the promise: a link that throws is a fault like any other. `run` may block at once. */
async function startThen(first: () => void, run: () => Promise<void>): Promise<void> {
  first();
  await run();
}

function warmedUp(elapsedMs: number, messages: number, warmupMs: number, warmupMessages: number): boolean {
  return elapsedMs >= warmupMs && (messages >= warmupMessages || elapsedMs >= 4 * warmupMs);
}

function copyFrame(from: Int32Array, at: number, to: Int32Array, toAt: number, count: number): void {
  if (count > COPY_LOOP_WORDS) to.set(from.subarray(at, at + count), toAt);
  else for (let i = 0; i < count; i++) to[toAt + i] = from[at + i] as number;
}
