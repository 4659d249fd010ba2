/**
 * Cuts a stream of bytes into frames, however the bytes arrive.
 *
 * - A length below the header or above the limit is refused before anything is allocated for it.
 * - At most one incomplete frame is kept, so memory is bounded by `maxFrameBytes`; what is kept grows with the bytes
 *   that arrive, not with the length that was announced.
 * - After an error the stream can't be followed: every later call throws the same error.
 */

import type { Frame } from "./codec.ts";
import { ProtocolError } from "./errors.ts";
import {
  CORRELATION_ID_OFFSET,
  FLAGS_OFFSET,
  HEADER_BYTES,
  LENGTH_FIELD_BYTES,
  LENGTH_OFFSET,
  MIN_LENGTH,
  TYPE_OFFSET,
  VERSION_OFFSET,
} from "./layout.ts";
import { DEFAULT_LIMITS, PROTOCOL_VERSION } from "./limits.ts";

export class FrameDecoder {
  /** Longest frame taken. A client raises it when WELCOME advertises more than the default. */
  maxFrameBytes: number;
  /** The start of a frame whose end has not arrived; `#pendingBytes` of it are filled. */
  #pending: Uint8Array = new Uint8Array(0);
  #pendingBytes = 0;
  /** Size of the pending frame once its length field is complete, else 0. */
  #pendingFrameBytes = 0;
  #failure: ProtocolError | undefined;

  constructor(maxFrameBytes: number = DEFAULT_LIMITS.maxFrameBytes) {
    this.maxFrameBytes = maxFrameBytes;
  }

  /** Bytes kept of a frame that is not complete. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /**
   * Takes the next bytes and gives each frame they complete to `onFrame`, in order. The frame's bytes may be a view of
   * `chunk`: copy what must outlive the call. What `onFrame` throws passes through, with the rest of `chunk` unread.
   * Throws ProtocolError (fatal): FRAME_TOO_LARGE or PROTOCOL_ERROR.
   */
  push(chunk: Uint8Array, onFrame: (frame: Frame) => void): void {
    if (this.#failure !== undefined) throw this.#failure;
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#pendingBytes > 0) {
        offset = this.#continuePending(chunk, offset, onFrame);
        continue;
      }
      const available = chunk.length - offset;
      if (available >= LENGTH_FIELD_BYTES) {
        const frameBytes = this.#frameBytesAt(chunk, offset);
        if (available >= frameBytes) {
          const frame = this.#frameOf(chunk.subarray(offset, offset + frameBytes));
          offset += frameBytes;
          onFrame(frame);
          continue;
        }
      }
      this.#keep(chunk.subarray(offset));
      return;
    }
  }

  /** Adds to the pending frame; gives it out when it is complete. Returns the offset reached in `chunk`. */
  #continuePending(chunk: Uint8Array, offset: number, onFrame: (frame: Frame) => void): number {
    const wanted = this.#pendingFrameBytes || LENGTH_FIELD_BYTES;
    const take = Math.min(wanted - this.#pendingBytes, chunk.length - offset);
    this.#growPending(this.#pendingBytes + take, wanted);
    this.#pending.set(chunk.subarray(offset, offset + take), this.#pendingBytes);
    this.#pendingBytes += take;
    if (this.#pendingBytes === wanted) {
      if (this.#pendingFrameBytes === 0) {
        this.#pendingFrameBytes = this.#frameBytesAt(this.#pending, 0);
      } else {
        const complete = this.#pending.subarray(0, wanted);
        this.#pending = new Uint8Array(0);
        this.#pendingBytes = 0;
        this.#pendingFrameBytes = 0;
        onFrame(this.#frameOf(complete));
      }
    }
    return offset + take;
  }

  #keep(rest: Uint8Array): void {
    this.#pendingFrameBytes = rest.length >= LENGTH_FIELD_BYTES ? this.#frameBytesAt(rest, 0) : 0;
    // Not `slice`: a Node Buffer's is a view of the chunk, which its owner may use again.
    this.#pending = new Uint8Array(rest);
    this.#pendingBytes = rest.length;
  }

  /** Makes room for `neededBytes` of a frame of `frameBytes`, doubling so that single bytes stay cheap. */
  #growPending(neededBytes: number, frameBytes: number): void {
    if (neededBytes <= this.#pending.length) return;
    const grown = new Uint8Array(Math.min(frameBytes, Math.max(neededBytes, 2 * this.#pending.length)));
    grown.set(this.#pending.subarray(0, this.#pendingBytes));
    this.#pending = grown;
  }

  #frameBytesAt(bytes: Uint8Array, offset: number): number {
    const length = readU32(bytes, offset + LENGTH_OFFSET);
    const frameBytes = length + LENGTH_FIELD_BYTES;
    if (length < MIN_LENGTH) this.#fail("PROTOCOL_ERROR", `a frame length of ${length} is below ${MIN_LENGTH}`);
    if (frameBytes > this.maxFrameBytes) {
      this.#fail("FRAME_TOO_LARGE", `a frame of ${frameBytes} bytes is above the limit of ${this.maxFrameBytes}`);
    }
    return frameBytes;
  }

  #frameOf(bytes: Uint8Array): Frame {
    const version = bytes[VERSION_OFFSET] as number;
    if (version !== PROTOCOL_VERSION)
      this.#fail("PROTOCOL_ERROR", `frame version ${version} is not ${PROTOCOL_VERSION}`);
    return frameFrom(bytes);
  }

  #fail(code: "PROTOCOL_ERROR" | "FRAME_TOO_LARGE", message: string): never {
    this.#failure = new ProtocolError(code, message, true);
    this.#pending = new Uint8Array(0);
    this.#pendingBytes = 0;
    throw this.#failure;
  }
}

/** The header fields of one whole frame that is known to be valid, such as a record of the log. */
export function frameFrom(bytes: Uint8Array): Frame {
  if (bytes.length < HEADER_BYTES) throw new ProtocolError("MALFORMED", `${bytes.length} bytes are no whole frame`);
  return {
    bytes,
    version: bytes[VERSION_OFFSET] as number,
    type: bytes[TYPE_OFFSET] as number,
    flags: ((bytes[FLAGS_OFFSET] as number) << 8) | (bytes[FLAGS_OFFSET + 1] as number),
    correlationId: readU32(bytes, CORRELATION_ID_OFFSET),
  };
}

function readU32(bytes: Uint8Array, offset: number): number {
  return (
    (((bytes[offset] as number) << 24) |
      ((bytes[offset + 1] as number) << 16) |
      ((bytes[offset + 2] as number) << 8) |
      (bytes[offset + 3] as number)) >>>
    0
  );
}
