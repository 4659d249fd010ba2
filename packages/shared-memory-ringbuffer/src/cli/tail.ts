/**
 * `shm tail NAME`: the newest records of a log, and with `--follow` those to come.
 *
 * It looks at the log through a read-only mapping, takes no part and wakes nobody, so following means looking again every
 * few milliseconds. What was overwritten before it could be read is said, not left out silently.
 */
import type { LogReader } from "../log-reader.ts";
import type { SegmentObserver } from "../segment-observer.ts";
import { type Action, EXIT_FINE, observed, pauseFor, UsageError, wholeNumber } from "./context.ts";
import type { Output } from "./output.ts";
import { printableBytes, utf8 } from "./printable.ts";

const DEFAULT_RECORDS = 10;
const DEFAULT_INTERVAL_MS = 100;
const MIN_INTERVAL_MS = 10;
/** Looks at a time, so that a log that grows as fast as it is read can be interrupted. */
const RECORDS_A_TURN = 1000;
const ALL_THERE_ARE: number = Number.POSITIVE_INFINITY;

interface Entry {
  readonly position: number;
  readonly bytes: Buffer;
}

export const tail: Action = async (context) => {
  const { output, options, stop } = context;
  const records = options.records === "all" ? ALL_THERE_ARE : wholeNumber(options, "records", DEFAULT_RECORDS, 0);
  const intervalMs = wholeNumber(options, "interval", DEFAULT_INTERVAL_MS, MIN_INTERVAL_MS);
  const show = (entry: Entry): void => print(output, entry, options.hex === true);
  const observer = observed(context);
  try {
    const id = chooseLog(observer, options.object as string | undefined);
    const reader = observer.logReader(id, "oldest");
    const newest: Entry[] = [];
    // To the tail as it is now: what comes later is for `--follow`.
    const keep = (entry: Entry): void => {
      // Everything is shown as it comes, not collected first.
      if (records === ALL_THERE_ARE) show(entry);
      else newest.push(entry);
      if (newest.length > records) newest.shift();
    };
    // A reader overtaken at its first look starts again at what is the oldest then.
    while (readSome(reader, output, keep, ALL_THERE_ARE));
    for (const entry of newest) show(entry);
    while (options.follow && (await pauseFor(intervalMs, stop))) {
      const isLast = observer.removed;
      while (readSome(reader, output, show, RECORDS_A_TURN) && (await pauseFor(0, stop)));
      if (!isLast) continue;
      output.remark(`shm: the segment ${observer.name} was removed`);
      break;
    }
  } finally {
    observer.close();
  }
  return EXIT_FINE;
};

function chooseLog(observer: SegmentObserver, id: string | undefined): string {
  const logs = observer.objects.filter(({ kind }) => kind === "log").map((object) => object.id);
  if (id !== undefined) {
    if (logs.includes(id)) return id;
    const there = observer.objects.find((object) => object.id === id);
    const why =
      there === undefined ? "there is none of that id" : `it is a ${there.kind}, and reading it would take part`;
    throw new UsageError(`${JSON.stringify(id)} is no log of ${observer.name}: ${why}`);
  }
  const [only, ...others] = logs;
  if (only === undefined) throw new UsageError(`${observer.name} has no log`);
  if (others.length > 0) {
    throw new UsageError(`${observer.name} has several logs, choose one with --object: ${logs.join(", ")}`);
  }
  return only;
}

/** Whether there may be more. */
function readSome(reader: LogReader, output: Output, onEntry: (entry: Entry) => void, maxRecords: number): boolean {
  const result = reader.read((bytes, position) => onEntry({ position, bytes: Buffer.from(bytes) }), {
    ...(maxRecords === ALL_THERE_ARE ? {} : { maxRecords }),
  });
  if (result.outcome === "lapped") {
    output.value({ lostBytes: result.lostBytes });
    output.line({ text: `… ${result.lostBytes} bytes were overwritten before they could be read`, style: "yellow" });
    return true;
  }
  return result.outcome === "records" && result.records >= maxRecords;
}

function print(output: Output, { position, bytes }: Entry, hex: boolean): void {
  const text = utf8(bytes);
  output.value({
    position,
    lengthBytes: bytes.length,
    ...(text === undefined ? {} : { text }),
    base64: bytes.toString("base64"),
  });
  output.line(
    { text: String(position).padStart(10), style: "dim" },
    "  ",
    hex ? bytes.toString("hex") : printableBytes(bytes),
  );
}
