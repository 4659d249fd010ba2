/**
 * Opens and closes a segment 10,000 times, and sweeps 1,000 participants that crashed, and checks that nothing grows:
 * memory, descriptors, address space, files in /dev/shm. `npm run soak:leaks -- --cycles 10000 --crashes 1000`.
 *
 * - What a run-time needs at most once (compiled code, heaps) is let in by measuring after the first tenth.
 */
import { fork } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { createSegment, EventLoopDoorbell, openSegment, RingConsumer, RingProducer } from "../src/index.ts";
import { SPEC } from "./crash-shared.ts";

const { values } = parseArgs({
  options: {
    cycles: { type: "string", default: "10000" },
    crashes: { type: "string", default: "1000" },
    child: { type: "string" },
  },
});
/** Participants that one process leaves behind: it opens so many and is killed. */
const PARTICIPANTS_A_CRASH = 10;
const ALLOWED_GROWTH_BYTES = 64 * 2 ** 20;
const KIB = 1024;

interface Usage {
  readonly residentBytes: number;
  readonly addressBytes: number;
  readonly descriptors: number;
  readonly mappings: number;
  readonly files: number;
}

function usage(name: string): Usage {
  const status = readFileSync("/proc/self/status", "latin1");
  const sizeOf = (field: string): number => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) * KIB;
  return {
    residentBytes: sizeOf("VmRSS"),
    addressBytes: sizeOf("VmSize"),
    descriptors: readdirSync("/proc/self/fd").length,
    mappings: readFileSync("/proc/self/maps", "latin1")
      .split("\n")
      .filter((line) => line.includes("/dev/shm/")).length,
    files: readdirSync("/dev/shm").filter((file) => file.includes(name)).length,
  };
}

async function supervise(cycles: number, crashes: number): Promise<string[]> {
  const name = `soak-leaks-${process.pid}`;
  const problems: string[] = [];
  const home = createSegment(name, SPEC);
  const compare = (what: string, before: Usage): void => {
    const after = usage(name);
    process.stdout.write(`${what}: ${JSON.stringify(before)} -> ${JSON.stringify(after)}\n`);
    for (const field of ["descriptors", "mappings", "files"] as const) {
      if (after[field] > before[field])
        problems.push(`${what}: ${field} grew from ${before[field]} to ${after[field]}`);
    }
    for (const field of ["residentBytes", "addressBytes"] as const) {
      const grown = after[field] - before[field];
      if (grown > ALLOWED_GROWTH_BYTES) problems.push(`${what}: ${field} grew by ${grown}`);
    }
  };

  const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  let before = usage(name);
  for (let cycle = 0; cycle < cycles; cycle++) {
    if (cycle === Math.floor(cycles / 10)) before = usage(name);
    const guest = openSegment(name);
    new RingProducer(guest.region("ring"), guest).tryWrite(new Uint8Array(8));
    new RingConsumer(guest.region("ring"), guest).drain(() => {});
    const bell = new EventLoopDoorbell(guest, { hasWork: () => false, onRing: () => {} });
    bell.arm();
    guest.close();
    openSegment(name, { readOnly: true }).close();
    if (cycle % 10 === 0) await nextTurn();
  }
  await nextTurn();
  compare(`${cycles} opened and closed`, before);

  before = usage(name);
  for (let crashed = 0; crashed < crashes; crashed += PARTICIPANTS_A_CRASH) {
    const child = fork(new URL(import.meta.url), ["--child", name], { execArgv: [] });
    await new Promise((resolve) => child.once("exit", resolve));
    home.reapDead(10_000);
    const left = home.participants().length;
    if (left !== 1) problems.push(`${left - 1} dead participants were not swept`);
  }
  compare(`${crashes} crashed`, before);
  home.close();
  const files = usage(name).files;
  if (files > 0) problems.push(`${files} files left`);
  return problems;
}

if (values.child !== undefined) {
  const name = values.child;
  const guests = Array.from({ length: PARTICIPANTS_A_CRASH }, () => openSegment(name));
  for (const guest of guests) new EventLoopDoorbell(guest, { hasWork: () => false, onRing: () => {} }).arm();
  guests[0]?.mutex.lock();
  process.kill(process.pid, "SIGKILL");
} else {
  const problems = await supervise(Number(values.cycles), Number(values.crashes));
  for (const problem of problems) process.stderr.write(`soak:leaks: ${problem}\n`);
  process.stdout.write(problems.length === 0 ? "nothing grew\n" : "FAILED\n");
  process.exitCode = problems.length === 0 ? 0 : 1;
}
