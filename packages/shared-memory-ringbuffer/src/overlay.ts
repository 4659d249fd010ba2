/**
 * A real SharedArrayBuffer over a mapped file, which can be posted to worker threads.
 *
 * JavaScript can't make one over given memory, but a shared WebAssembly.Memory has its bytes at a fixed address that
 * never moves, and `mmap` with MAP_FIXED puts the file's pages in their place.
 *
 * - Lengths are multiples of 64 KiB, WebAssembly's page.
 * - The address range belongs to the engine: it is never unmapped. `release` covers it with anonymous pages, and the
 *   collector frees it; another thread that still looks sees zeros, not a crash.
 * - Before the first use a self-test proves that file and buffer are the same bytes; where it fails, callers fall
 *   back to koffi's view.
 * - Each shared Memory reserves 8 GiB of address space: for a handful of segments, not for thousands.
 */
import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { CAPACITY_UNIT_BYTES } from "./layout.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, native, O_TMPFILE, PROT_READ_WRITE } from "./native.ts";
import { segmentDirectory } from "./segment-name.ts";

export interface Overlay {
  readonly buffer: SharedArrayBuffer;
  readonly address: number;
  release(): void;
}

/** The part of WebAssembly's interface used here; its types come with browsers' types only. */
interface WebAssemblyMemory {
  readonly Memory: new (size: {
    shared: true;
    initial: number;
    maximum: number;
  }) => { readonly buffer: SharedArrayBuffer };
}

let selfTestPassed: boolean | undefined;

/** Lays a SharedArrayBuffer over an open file. `undefined` where that doesn't work. */
export function overlayFile(fd: number, sizeBytes: number): Overlay | undefined {
  selfTestPassed ??= selfTest();
  return selfTestPassed ? layOver(fd, sizeBytes) : undefined;
}

function layOver(fd: number, sizeBytes: number): Overlay | undefined {
  const { mmap, addressOf } = native();
  let buffer: SharedArrayBuffer;
  try {
    const pages = sizeBytes / CAPACITY_UNIT_BYTES;
    const { Memory } = (globalThis as unknown as { WebAssembly: WebAssemblyMemory }).WebAssembly;
    buffer = new Memory({ shared: true, initial: pages, maximum: pages }).buffer;
  } catch {
    return undefined;
  }
  if (buffer.byteLength !== sizeBytes) return undefined;
  const address = addressOf(buffer);
  if (mmap(address, sizeBytes, PROT_READ_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) !== address) return undefined;
  return {
    buffer,
    address,
    release: () => {
      mmap(address, sizeBytes, PROT_READ_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
    },
  };
}

/** Writes through the file and reads through the buffer, and the other way round. */
function selfTest(): boolean {
  const SAMPLE = 0x5ab1e;
  const bytes = Buffer.alloc(Int32Array.BYTES_PER_ELEMENT);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, 1);
  let fd: number | undefined;
  let overlay: Overlay | undefined;
  try {
    fd = openSync(segmentDirectory(), O_TMPFILE | constants.O_RDWR, 0o600);
    if (native().posixFallocate(fd, 0, CAPACITY_UNIT_BYTES) !== 0) return false;
    overlay = layOver(fd, CAPACITY_UNIT_BYTES);
    if (overlay === undefined) return false;
    const view = new Int32Array(overlay.buffer);
    words[0] = SAMPLE;
    writeSync(fd, bytes, 0, bytes.length, 0);
    if (Atomics.compareExchange(view, 0, SAMPLE, ~SAMPLE) !== SAMPLE) return false;
    readSync(fd, bytes, 0, bytes.length, 0);
    return words[0] === ~SAMPLE;
  } catch {
    return false;
  } finally {
    overlay?.release();
    if (fd !== undefined) closeSync(fd);
  }
}
