/** One worker of the crash soak: does its role until told to stop, or until it is killed. Exits with 1 on anything wrong. */
import { MpscConsumer, MpscProducer, openSegment, RingConsumer, RingProducer, SharedLog } from "../src/index.ts";
import {
  ACKNOWLEDGED,
  ATTEMPT,
  checkRecord,
  LEFT,
  makeRecord,
  note,
  RIGHT,
  type Role,
  STOP,
  WRITERS,
  wordIndex,
  writerWord,
} from "./crash-shared.ts";

const SLICE_MS = 50;
const TURNS_A_NAP = 200;
const NAP_MS = 2;
const [name = "", role = "count"] = process.argv.slice(2) as [string, Role];
const segment = openSegment(name);
const { i32 } = segment.memory;
const stopping = (): boolean => Atomics.load(i32, wordIndex(segment, STOP)) !== 0;

const never = new Int32Array(new SharedArrayBuffer(4));
function nap(): void {
  Atomics.wait(never, 0, 0, NAP_MS);
}

/** Writes until told to stop. What can't be known after a kill is noted before the write, what is sure after it. */
function write(writer: number, tryWrite: (bytes: Uint8Array) => boolean): void {
  const attempt = writerWord(segment, writer, ATTEMPT);
  const acknowledged = writerWord(segment, writer, ACKNOWLEDGED);
  for (let number = i32[attempt] as number; !stopping(); number++) {
    const record = makeRecord(writer, number);
    Atomics.store(i32, attempt, number + 1);
    while (!tryWrite(record)) if (stopping()) return;
    Atomics.store(i32, acknowledged, number + 1);
    if (number % TURNS_A_NAP === 0) nap();
  }
}

function writeTo(writer: number): void {
  if (WRITERS[writer] === "log") {
    const log = new SharedLog(segment.region("log"), segment);
    write(writer, (bytes) => log.append(bytes, { timeoutMs: SLICE_MS }).ok);
    return;
  }
  const producer =
    WRITERS[writer] === "mpsc"
      ? new MpscProducer(segment.region("mpsc"), segment)
      : new RingProducer(segment.region("ring"), segment);
  write(writer, (bytes) => producer.write(bytes, { timeoutMs: SLICE_MS }) === "written");
}

/** Reads a ring. Only what its dead predecessor had read and not released may come again, and before all else. */
function readFrom(consumer: RingConsumer | MpscConsumer): void {
  const fresh = new Set<number>();
  const onRecord = (bytes: Uint8Array, offset: number, length: number): void => {
    const { writer, number } = checkRecord(bytes, offset, length);
    if (note(segment, writer, number)) fresh.add(writer);
    else if (fresh.has(writer)) throw new Error(`doubled record: writer=${writer} number=${number}`);
  };
  // To the last one: the writers have stopped before.
  for (;;) {
    const read = consumer.read(onRecord, { timeoutMs: SLICE_MS });
    if (read === "timed-out" && stopping()) return;
  }
}

function count(): void {
  const [left, right] = [wordIndex(segment, LEFT), wordIndex(segment, RIGHT)];
  for (let turn = 1; !stopping(); turn++) {
    // Leaves the CPU to the others now and then: there are more workers than CPUs.
    if (turn % TURNS_A_NAP === 0) nap();
    segment.mutex.withLock(({ recovered }) => {
      if (recovered) i32[right] = i32[left] as number;
      if (i32[left] !== i32[right]) throw new Error(`words differ: ${i32[left]} and ${i32[right]}`);
      i32[left] = ((i32[left] as number) + 1) | 0;
      i32[right] = ((i32[right] as number) + 1) | 0;
    });
  }
}

function tail(): void {
  const log = new SharedLog(segment.region("log"), segment);
  const reader = log.reader("oldest");
  const waiter = segment.waiter();
  while (!stopping()) {
    const result = reader.read((bytes) => void checkRecord(bytes, 0, bytes.length), { maxRecords: 10_000 });
    if (result.outcome === "invalid") throw new Error("the log refused its own position");
    if (result.outcome === "empty") waiter.waitUntil(() => log.tail() !== reader.position, SLICE_MS);
  }
}

process.send?.("ready");
if (role.startsWith("write:")) writeTo(Number(role.slice("write:".length)));
else if (role === "read:mpsc") readFrom(new MpscConsumer(segment.region("mpsc"), segment));
else if (role === "read:ring") readFrom(new RingConsumer(segment.region("ring"), segment));
else if (role === "count") count();
else tail();
segment.close();
