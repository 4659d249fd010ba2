/**
 * Sends checksummed records between processes, 100 million by default, and checks each: `npm run soak:records`.
 *
 * - Six in ten through an SPSC ring, two through an MPSC ring with two producers, two through a log whose reader is
 *   overtaken again and again. Records that a log's reader has lost don't count.
 * - `--records N` for another number. Fails (exit code 1) at the first bad record.
 */
import { type ChildProcess, fork } from "node:child_process";
import { parseArgs } from "node:util";
import {
  createSegment,
  formatLog,
  formatMpscRing,
  formatRing,
  type LogTransaction,
  logRegionSizeBytes,
  MpscConsumer,
  MpscProducer,
  mpscRegionSizeBytes,
  openSegment,
  RingConsumer,
  RingProducer,
  ringRegionSizeBytes,
  SharedLog,
} from "../src/index.ts";

const RECORD_BYTES = 16;
const BATCH = 64;
const SLICE_MS = 100;
const MPSC_PRODUCERS = 2;
const NUMBER_STEP = 0x9e3779b1;

/** Words of a record: writer, number, and two that follow from them. */
function fill(words: Int32Array, at: number, writer: number, number: number): void {
  const sum = Math.imul(number ^ (writer << 28), NUMBER_STEP);
  words[at] = writer;
  words[at + 1] = number;
  words[at + 2] = sum;
  words[at + 3] = ~sum ^ number;
}

/** Number of a record that is whole; throws on another. */
function check(words: Int32Array, at: number, length: number, writer: number): number {
  const number = words[at + 1] as number;
  const sum = Math.imul(number ^ (writer << 28), NUMBER_STEP);
  if (length !== RECORD_BYTES || words[at] !== writer || words[at + 2] !== sum || words[at + 3] !== (~sum ^ number)) {
    throw new Error(`bad record: writer=${words[at]} number=${number} length=${length}`);
  }
  return number;
}

function work(name: string, channel: string, writer: number): void {
  const segment = openSegment(name);
  const { i32 } = segment.memory;
  let number = 0;
  if (channel === "ring") {
    const producer = new RingProducer(segment.region("ring"), segment);
    for (;;) {
      const offset = producer.tryReserve(RECORD_BYTES);
      if (offset < 0) {
        if (producer.waitForRoom(RECORD_BYTES, { timeoutMs: SLICE_MS }) === "closed") break;
        continue;
      }
      fill(i32, offset >>> 2, writer, number++);
      if (number % BATCH === 0) producer.publish();
    }
  } else if (channel === "mpsc") {
    const producer = new MpscProducer(segment.region("mpsc"), segment);
    const records = Array.from({ length: BATCH }, () => new Int32Array(RECORD_BYTES / 4));
    const bytes = records.map(({ buffer }) => new Uint8Array(buffer));
    while (!producer.closed) {
      for (const record of records) fill(record, 0, writer, number++);
      while (!producer.tryWriteBatch(bytes)) {
        if (producer.waitForRoom((RECORD_BYTES + 8) * BATCH, { timeoutMs: SLICE_MS }) === "closed") break;
      }
    }
  } else {
    const log = new SharedLog(segment.region("log"), segment);
    process.on("disconnect", () => process.exit(0));
    const append = (tx: LogTransaction): void => {
      for (let each = 0; each < BATCH; each++) {
        tx.append(RECORD_BYTES, (_bytes, offset) => fill(i32, offset >>> 2, writer, number++));
      }
    };
    const turn = (): void => {
      for (let each = 0; each < BATCH; each++) log.transaction(append);
      setImmediate(turn);
    };
    turn();
    return;
  }
  segment.close();
}

async function supervise(total: number): Promise<void> {
  const name = `soak-records-${process.pid}`;
  const segment = createSegment(name, {
    objects: {
      ring: { kind: "ring", sizeBytes: ringRegionSizeBytes(2 ** 20), format: formatRing },
      mpsc: { kind: "mpsc", sizeBytes: mpscRegionSizeBytes(2 ** 20), format: formatMpscRing },
      log: { kind: "log", sizeBytes: logRegionSizeBytes(2 ** 18), format: formatLog },
    },
  });
  const { i32 } = segment.memory;
  const children: ChildProcess[] = [];
  const start = (channel: string, writer: number): void => {
    children.push(fork(new URL(import.meta.url), ["--child", name, channel, String(writer)], { execArgv: [] }));
  };
  const stop = async (): Promise<void> => {
    for (const child of children.splice(0)) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      if (child.connected) child.disconnect();
      if (child.exitCode === null) await ended;
    }
  };
  const startedMs = performance.now();
  let checked = 0;
  const report = (what: string, count: number, extra = ""): void => {
    checked += count;
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    process.stdout.write(
      `${what}: ${count} records whole and in order${extra}; ${checked} in all after ${seconds} s\n`,
    );
  };
  try {
    const ringCount = Math.floor(total * 0.6);
    start("ring", 1);
    const ring = new RingConsumer(segment.region("ring"), segment);
    let next = 0;
    const onRing = (_bytes: Uint8Array, offset: number, length: number): void => {
      if (check(i32, offset >>> 2, length, 1) !== (next | 0)) throw new Error(`out of order: expected ${next}`);
      next++;
    };
    while (next < ringCount) ring.read(onRing, { timeoutMs: 30_000, maxRecords: ringCount - next });
    ring.close();
    await stop();
    report("SPSC ring", next);

    const mpscCount = Math.floor(total * 0.2);
    for (let writer = 0; writer < MPSC_PRODUCERS; writer++) start("mpsc", writer);
    const mpsc = new MpscConsumer(segment.region("mpsc"), segment);
    const nexts = Array.from({ length: MPSC_PRODUCERS }, () => 0);
    let received = 0;
    const onMpsc = (_bytes: Uint8Array, offset: number, length: number): void => {
      const writer = i32[offset >>> 2] as number;
      const expected = nexts[writer];
      if (expected === undefined || check(i32, offset >>> 2, length, writer) !== expected) {
        throw new Error(`out of order: writer=${writer} expected=${expected}`);
      }
      nexts[writer] = expected + 1;
      received++;
    };
    while (received < mpscCount) mpsc.read(onMpsc, { timeoutMs: 30_000, maxRecords: mpscCount - received });
    mpsc.close();
    await stop();
    report(`MPSC ring, ${MPSC_PRODUCERS} producers`, received);

    const logCount = total - ringCount - mpscCount;
    start("log", 2);
    const log = new SharedLog(segment.region("log"), segment);
    const reader = log.reader("oldest");
    let last = -1;
    let seen = 0;
    let lapped = 0;
    const waiter = segment.waiter();
    while (seen < logCount) {
      const result = reader.read((bytes) => {
        const number = check(new Int32Array(bytes.buffer, bytes.byteOffset, RECORD_BYTES / 4), 0, bytes.length, 2);
        if (number <= last) throw new Error(`out of order: ${number} after ${last}`);
        last = number;
        seen++;
      });
      if (result.outcome === "lapped") lapped++;
      else if (result.outcome === "empty") waiter.waitUntil(() => log.tail() !== reader.position, SLICE_MS);
    }
    await stop();
    report("log", seen, `, overtaken ${lapped} times`);
    process.stdout.write(`${checked} records checked, 0 bad\n`);
  } finally {
    for (const child of children) child.kill("SIGKILL");
    segment.reapDead(1000);
    segment.close();
  }
}

const { values, positionals } = parseArgs({
  options: { records: { type: "string", default: "100000000" }, child: { type: "boolean", default: false } },
  allowPositionals: true,
});
if (values.child) {
  const [name = "", channel = "", writer = "0"] = positionals;
  work(name, channel, Number(writer));
  if (channel !== "log") process.disconnect?.();
} else {
  const total = Number(values.records);
  if (!Number.isSafeInteger(total) || total < 100) {
    process.stderr.write(`soak:records: --records takes a whole number from 100, records=${values.records}\n`);
    process.exit(2);
  }
  try {
    await supervise(total);
  } catch (error) {
    process.stderr.write(`soak:records: ${(error as Error).message}\n`);
    process.exit(1);
  }
}
