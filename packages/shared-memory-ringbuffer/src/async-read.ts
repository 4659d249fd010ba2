/**
 * Reading and writing on an event loop: `for await` over records, and promises for one read or write.
 *
 * - Fair: after so many records without a pause the loop gets a turn, so sockets and timers are served however fast the
 *   others write. A `for await` alone would not: its awaits are microtasks, which go before all of those.
 * - A ring's record is taken when it is handed out: leaving the loop early leaves the rest to the next reader.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { checkTimeout, type LockOptions } from "./async-lock.ts";
import { ArgumentError } from "./errors.ts";
import type { EventLoopWaits } from "./event-loop-waits.ts";
import type { LogReader } from "./log-reader.ts";

export interface RecordsOptions {
  /** Ends the iteration, by throwing the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Records handed out before the event loop gets a turn. Default 256. */
  readonly maxRecordsPerTurn?: number;
}

export interface ReadAsyncOptions extends LockOptions {
  readonly maxRecords?: number;
}

/** A log's records come with their positions, between what was lost. */
export type LogItem =
  | { readonly outcome: "record"; readonly bytes: Uint8Array; readonly position: number }
  /** `lostBytes` were overwritten before they were read; what comes next starts after `position`. */
  | { readonly outcome: "lapped"; readonly lostBytes: number; readonly position: number }
  /** The position asked for is none of this log's; what comes next starts after `position`, the oldest. */
  | { readonly outcome: "invalid"; readonly position: number };

const DEFAULT_RECORDS_PER_TURN = 256;

/** A consumer of either ring. */
export interface AsyncSource {
  readonly ended: boolean;
  arm(): boolean;
  disarm(): void;
  drain(onRecord: (bytes: Uint8Array, offset: number, length: number) => void, maxRecords?: number): number;
}

export function requireWaits(waits: EventLoopWaits | undefined): EventLoopWaits {
  if (waits !== undefined) return waits;
  throw new ArgumentError("waiting on an event loop needs `eventLoop`: give the segment to the handle");
}

/** Copies of a ring's records, until it ends. */
export async function* ringRecords(
  source: AsyncSource,
  waits: EventLoopWaits,
  options: RecordsOptions = {},
): AsyncGenerator<Uint8Array, void, void> {
  const { signal } = options;
  const perTurn = checkPerTurn(options.maxRecordsPerTurn);
  let copy: Uint8Array | undefined;
  const keep = (bytes: Uint8Array, offset: number, length: number): void => {
    copy = bytes.slice(offset, offset + length);
  };
  for (let inTurn = 0; ; ) {
    signal?.throwIfAborted();
    if (source.drain(keep, 1) === 1) {
      yield copy as Uint8Array;
      if (++inTurn < perTurn) continue;
      await nextTurn();
    } else {
      if (source.ended) return;
      await waitForSource(source, waits, { signal });
    }
    inTurn = 0;
  }
}

/** Waits, then drains once. The number of records, never 0, or why there are none. */
export async function readRingAsync(
  source: AsyncSource,
  waits: EventLoopWaits,
  onRecord: (bytes: Uint8Array, offset: number, length: number) => void,
  options: ReadAsyncOptions = {},
): Promise<number | "timed-out" | "closed"> {
  const deadlineMs = performance.now() + checkTimeout(options.timeoutMs);
  for (;;) {
    options.signal?.throwIfAborted();
    const records = source.drain(onRecord, options.maxRecords);
    if (records > 0) return records;
    if (source.ended) return "closed";
    const timeoutMs = Math.max(0, deadlineMs - performance.now());
    if (!(await waitForSource(source, waits, { signal: options.signal, timeoutMs })) && !source.ended)
      return "timed-out";
  }
}

async function waitForSource(source: AsyncSource, waits: EventLoopWaits, options: LockOptions): Promise<boolean> {
  try {
    // Arming tells the producers to ring, and says whether there is something to read already.
    return await waits.waitAsync(() => !source.arm(), options);
  } finally {
    source.disarm();
  }
}

/** What was appended to a log, as it comes. Never ends by itself. */
export async function* logItems(
  reader: LogReader,
  hasMore: () => boolean,
  waits: EventLoopWaits,
  options: RecordsOptions = {},
): AsyncGenerator<LogItem, void, void> {
  const { signal } = options;
  const maxRecords = checkPerTurn(options.maxRecordsPerTurn);
  for (;;) {
    signal?.throwIfAborted();
    const items: LogItem[] = [];
    const result = reader.read((bytes, position) => items.push({ outcome: "record", bytes: bytes.slice(), position }), {
      maxRecords,
    });
    const { position } = reader;
    if (result.outcome === "lapped") items.push({ outcome: "lapped", lostBytes: result.lostBytes, position });
    else if (result.outcome === "invalid") items.push({ outcome: "invalid", position });
    for (const item of items) {
      signal?.throwIfAborted();
      yield item;
    }
    if (items.length > 0) await nextTurn();
    else await waits.waitAsync(hasMore, { signal });
  }
}

/** Tries, then waits for room and tries again. `tryWrite` is asked once more for each time that there seems to be room. */
export async function writeAsync(
  producer: {
    readonly closed: boolean;
    armForRoom(lengthBytes: number): boolean;
    tryWrite(bytes: Uint8Array): boolean;
  },
  waits: EventLoopWaits,
  bytes: Uint8Array,
  options: LockOptions = {},
): Promise<"written" | "timed-out" | "closed"> {
  const { signal } = options;
  const deadlineMs = performance.now() + checkTimeout(options.timeoutMs);
  for (;;) {
    signal?.throwIfAborted();
    if (producer.tryWrite(bytes)) return "written";
    if (producer.closed) return "closed";
    const timeoutMs = Math.max(0, deadlineMs - performance.now());
    const hasRoom = await waits.waitAsync(() => !producer.armForRoom(bytes.length), { signal, timeoutMs });
    if (!hasRoom) return "timed-out";
  }
}

function checkPerTurn(maxRecordsPerTurn: number = DEFAULT_RECORDS_PER_TURN): number {
  if (Number.isInteger(maxRecordsPerTurn) && maxRecordsPerTurn >= 1) return maxRecordsPerTurn;
  throw new ArgumentError(`maxRecordsPerTurn must be 1 or more: maxRecordsPerTurn=${maxRecordsPerTurn}`, {
    maxRecordsPerTurn,
  });
}
