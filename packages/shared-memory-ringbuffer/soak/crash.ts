/**
 * Kills writers and readers of a segment at random moments, again and again, while others go on, and checks what is left.
 *
 * - `npm run soak:crash -- --kills 1000 --seed 1`
 * - Fails (exit code 1) when a record is torn or doubled, an acknowledged one lost, the lock not to be had, a worker unhappy,
 *   or something of the dead is left behind.
 * - The seed decides who is killed and when, as far as processes can be told; kernels schedule as they like.
 */
import { type ChildProcess, fork } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as afterMs } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createSegment, type LogReader, removeSegment, type Segment, SharedLog } from "../src/index.ts";
import {
  ACKNOWLEDGED,
  ATTEMPT,
  checkRecord,
  GAPS,
  gapIndex,
  LEFT,
  note,
  RECEIVED,
  RIGHT,
  ROLES,
  type Role,
  SPEC,
  STOP,
  WRITERS,
  wordIndex,
  writerWord,
} from "./crash-shared.ts";

const { values } = parseArgs({
  options: { kills: { type: "string", default: "1000" }, seed: { type: "string", default: String(Date.now() % 1e9) } },
});
const kills = Number(values.kills);
const seed = Number(values.seed);
if (!Number.isSafeInteger(kills) || kills < 1 || !Number.isSafeInteger(seed)) {
  process.stderr.write(
    `soak:crash: --kills and --seed take whole numbers, kills=${values.kills} seed=${values.seed}\n`,
  );
  process.exit(2);
}

const LOCK_LIMIT_MS = 10_000;
const PROGRESS_EVERY = 50;
const MAX_LIFE_MS = 60;
const MAX_STARTING = 0;
const STOP_LIMIT_MS = 60_000;
const TICK_MS = 4;
/** Thousands of workers start: they share what the first one compiled. */
const CACHE: string = join(import.meta.dirname, "../../../node_modules/.cache/peers");
const WORKER = new URL("./crash-worker.ts", import.meta.url);

/** mulberry32 */
let state = seed;
function random(): number {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}

interface Worker {
  readonly role: Role;
  readonly child: ChildProcess;
  readonly ended: Promise<string>;
  isOver: boolean;
  isReady: boolean;
}

const name = `soak-crash-${process.pid}`;
const segment: Segment = createSegment(name, SPEC);
const { i32 } = segment.memory;
const problems: string[] = [];
/** Numbers whose writer was killed before it could acknowledge them. */
const unknown: readonly Set<number>[] = WRITERS.map(() => new Set());
const workers = new Map<Role, Worker>();
const log = new SharedLog(segment.region("log"), segment);
const reader: LogReader = log.reader("oldest");
let lapped = 0;
let recoveries = 0;

function start(role: Role): void {
  const child = fork(WORKER, [name, role], {
    execArgv: [],
    env: { NODE_COMPILE_CACHE: CACHE, ...process.env },
    stdio: ["ignore", "inherit", "pipe", "ipc"],
  });
  let complaint = "";
  child.stderr?.on("data", (chunk) => {
    complaint += chunk;
  });
  const worker: Worker = {
    role,
    child,
    isOver: false,
    isReady: false,
    ended: new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        worker.isOver = true;
        if (signal !== "SIGKILL" && code !== 0) problems.push(`${role} ended with ${code ?? signal}: ${complaint}`);
        resolve(signal ?? String(code));
      });
    }),
  };
  child.once("message", () => {
    worker.isReady = true;
  });
  workers.set(role, worker);
}

/** After a writer's death: what it was about to write and hadn't acknowledged may be there or not. */
function noteUnknown(role: Role): void {
  if (!role.startsWith("write:")) return;
  const writer = Number(role.slice("write:".length));
  const attempt = i32[writerWord(segment, writer, ATTEMPT)] as number;
  const acknowledged = i32[writerWord(segment, writer, ACKNOWLEDGED)] as number;
  for (let number = acknowledged; number < attempt; number++) unknown[writer]?.add(number);
  // Not to be taken for unacknowledged at the next death.
  Atomics.store(i32, writerWord(segment, writer, ACKNOWLEDGED), attempt);
}

function readLog(): void {
  for (;;) {
    const result = reader.read((bytes) => {
      const { writer, number } = checkRecord(bytes, 0, bytes.length);
      if (!note(segment, writer, number)) problems.push(`doubled in the log: writer=${writer} number=${number}`);
    });
    if (result.outcome === "empty") return;
    if (result.outcome === "lapped") lapped++;
  }
}

function checkLock(): void {
  const grant = segment.mutex.lock(LOCK_LIMIT_MS);
  if (grant === undefined) {
    problems.push(`the lock could not be had in ${LOCK_LIMIT_MS} ms`);
    return;
  }
  const [left, right] = [i32[wordIndex(segment, LEFT)], i32[wordIndex(segment, RIGHT)]];
  if (grant.recovered) recoveries++;
  else if (left !== right) problems.push(`the words differ and nobody was told: ${left} and ${right}`);
  segment.mutex.unlockUnrepaired();
}

function report(done: number): void {
  const received = WRITERS.map((_, writer) => i32[writerWord(segment, writer, RECEIVED)]);
  const { recoveries: takeovers } = segment.counts();
  process.stdout.write(
    `${done} kills, ${takeovers} locks taken over, records received ${received.join(" ")}, ` +
      `increments ${i32[wordIndex(segment, LEFT)]}, problems ${problems.length}\n`,
  );
}

/** Lets all end, writers first, then compares what came with what was acknowledged. */
async function finish(): Promise<void> {
  for (const role of ROLES) if (workers.get(role)?.isOver) start(role);
  await afterMs(1000);
  Atomics.store(i32, wordIndex(segment, STOP), 1);
  const deadline = performance.now() + STOP_LIMIT_MS;
  while ([...workers.values()].some(({ isOver }) => !isOver) && performance.now() < deadline) {
    readLog();
    await afterMs(TICK_MS);
  }
  for (const { role, child, isOver } of workers.values()) {
    if (isOver) continue;
    problems.push(`${role} did not stop`);
    child.kill("SIGKILL");
  }
  readLog();
  checkLock();
  for (const [writer, channel] of WRITERS.entries()) {
    const at = (word: number): number => i32[writerWord(segment, writer, word)] as number;
    noteUnknown(`write:${writer}` as Role);
    const skipped = new Set<number>();
    for (let gap = 0; gap < at(GAPS); gap++) skipped.add(i32[gapIndex(segment, writer, gap)] as number);
    const lost = [...skipped].filter((number) => !unknown[writer]?.has(number));
    if (channel === "log" && lapped > 0) continue;
    if (lost.length > 0) problems.push(`acknowledged and lost: writer=${writer} numbers=${lost.slice(0, 10)}`);
    if (at(RECEIVED) + skipped.size < at(ACKNOWLEDGED) - (unknown[writer]?.size ?? 0)) {
      problems.push(
        `fewer received than acknowledged: writer=${writer} received=${at(RECEIVED)} of ${at(ACKNOWLEDGED)}`,
      );
    }
  }
  segment.reapDead(LOCK_LIMIT_MS);
  const left = segment.participants().filter(({ isMe }) => !isMe);
  if (left.length > 0) problems.push(`participants left: ${left.map(({ pid }) => pid)}`);
}

process.on("SIGINT", () => {
  for (const { child } of workers.values()) child.kill("SIGKILL");
  removeSegment(name, { force: true });
  process.exit(130);
});

process.stdout.write(`soak:crash: seed ${seed}, ${kills} kills, segment ${name}\n`);
const startedMs = performance.now();
for (const role of ROLES) start(role);
for (let done = 0; done < kills && problems.length === 0; ) {
  const target = workers.get(ROLES[Math.floor(random() * ROLES.length)] as Role) as Worker;
  // One in eight is killed while it starts and joins, the others at work.
  const atStart = random() < 1 / 8;
  let killAtMs = performance.now() + random() * MAX_LIFE_MS;
  while (performance.now() < killAtMs) {
    // Starting takes far longer than dying: those who work must have the CPUs most of the time.
    const starting = [...workers.values()].filter(({ isReady, isOver }) => !isReady && !isOver).length;
    if (starting > MAX_STARTING && !target.isOver && !(atStart && !target.isReady)) {
      killAtMs = performance.now() + random() * MAX_LIFE_MS;
    }
    readLog();
    await afterMs(TICK_MS);
  }
  if (target.isOver) continue;
  target.child.kill("SIGKILL");
  await target.ended;
  noteUnknown(target.role);
  start(target.role);
  done++;
  if (done % PROGRESS_EVERY !== 0) continue;
  checkLock();
  report(done);
}
await finish();
report(kills);
segment.close();
const files = readdirSync("/dev/shm").filter((file) => file.includes(name));
if (files.length > 0) problems.push(`files left: ${files}`);
removeSegment(name, { force: true });
process.stdout.write(
  `${((performance.now() - startedMs) / 1000).toFixed(1)} s, supervisor was told recovered ${recoveries} times, ` +
    `overtaken in the log ${lapped} times; seed ${seed}\n`,
);
for (const problem of problems) process.stderr.write(`soak:crash: ${problem}\n`);
process.stdout.write(
  problems.length === 0 ? "0 torn, 0 doubled, 0 acknowledged lost, lock always recovered\n" : "FAILED\n",
);
process.exit(problems.length === 0 ? 0 : 1);
