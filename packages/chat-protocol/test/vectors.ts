/** The golden frames of `vectors.json`, typed. Another implementation can test itself against the same file. */

import { readFileSync } from "node:fs";
import type { Frame, Message } from "../src/index.ts";
import { DEFAULT_LIMITS, FrameDecoder } from "../src/index.ts";

export interface Vector {
  readonly name: string;
  readonly message: Message;
  readonly correlationId: number;
  readonly hex: string;
}

export interface InvalidVector {
  readonly name: string;
  readonly hex: string;
  readonly code: string;
  readonly fatal: boolean;
  readonly maxFrameBytes: number;
}

export interface VectorFile {
  readonly protocol: number;
  readonly valid: readonly Vector[];
  readonly lenient: readonly Vector[];
  readonly invalid: readonly InvalidVector[];
  readonly incomplete: readonly { readonly name: string; readonly hex: string; readonly maxFrameBytes: number }[];
}

export const vectors: VectorFile = JSON.parse(
  readFileSync(new URL("../vectors.json", import.meta.url), "utf8"),
) as VectorFile;

export function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, "hex"));
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** A frame whose bytes stay what they are when the chunk it came in is used again. */
export function ownCopy(frame: Frame): Frame {
  return { ...frame, bytes: new Uint8Array(frame.bytes) };
}

/** Every frame that `chunks` complete. */
export function framesIn(
  chunks: Iterable<Uint8Array>,
  maxFrameBytes: number = DEFAULT_LIMITS.maxFrameBytes,
): { frames: Frame[]; decoder: FrameDecoder } {
  const decoder = new FrameDecoder(maxFrameBytes);
  const frames: Frame[] = [];
  for (const chunk of chunks) decoder.push(chunk, (frame) => frames.push(ownCopy(frame)));
  return { frames, decoder };
}
