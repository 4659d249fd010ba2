/** Positional reading and writing of the protocol's primitive fields. Both refuse what doesn't fit. */

import { ProtocolError } from "./errors.ts";
import { STRING_LENGTH_BYTES } from "./layout.ts";

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const MAX_U8 = 0xff;
const MAX_U16 = 0xffff;
const MAX_U32 = 0xffff_ffff;
const TWO_TO_32 = 0x1_0000_0000;

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Bytes of `text` in UTF-8; lone surrogates become U+FFFD. */
export function utf8Length(text: string): number {
  let bytes = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(index + 1) & 0xfc00) === 0xdc00) {
      bytes += 4;
      index++;
    } else bytes += 3;
  }
  return bytes;
}

/**
 * Writes fields one after the other into a buffer that is large enough. A value outside its field's range is
 * ProtocolError MALFORMED: wrapped round in silence it would be another value to the peer.
 */
export class FieldWriter {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  offset: number;

  constructor(bytes: Uint8Array, offset = 0) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.offset = offset;
  }

  u8(value: number): void {
    assertInteger(value, MAX_U8);
    this.#view.setUint8(this.offset, value);
    this.offset += 1;
  }

  u16(value: number): void {
    assertInteger(value, MAX_U16);
    this.#view.setUint16(this.offset, value);
    this.offset += 2;
  }

  u32(value: number): void {
    assertInteger(value, MAX_U32);
    this.#view.setUint32(this.offset, value);
    this.offset += 4;
  }

  /** `value` is a safe integer, at least 0. */
  u64(value: number): void {
    writeU64(this.#view, this.offset, value);
    this.offset += 8;
  }

  /** `hex` is two digits a byte. */
  fixed(hex: string, sizeBytes: number): void {
    if (hex.length !== 2 * sizeBytes || !/^[0-9a-f]*$/.test(hex)) {
      throw new ProtocolError(
        "MALFORMED",
        `an id must be ${2 * sizeBytes} hexadecimal digits, not ${JSON.stringify(hex)}`,
      );
    }
    for (let index = 0; index < sizeBytes; index++) {
      this.bytes[this.offset + index] = Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16);
    }
    this.offset += sizeBytes;
  }

  string(text: string): void {
    const target = this.bytes.subarray(this.offset + STRING_LENGTH_BYTES);
    const { read, written } = utf8Encoder.encodeInto(text, target);
    if (read < text.length || written > MAX_U16) {
      throw new ProtocolError("MALFORMED", `a string of ${utf8Length(text)} bytes does not fit`);
    }
    this.u16(written);
    this.offset += written;
  }
}

/** Reads fields one after the other; a field past the end is ProtocolError MALFORMED. */
export class FieldReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset: number;

  constructor(bytes: Uint8Array, offset = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#offset = offset;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  u64(): number {
    return readU64(this.#view, this.#take(8));
  }

  fixed(sizeBytes: number): string {
    return hexAt(this.#bytes, this.#take(sizeBytes), sizeBytes);
  }

  string(): string {
    const sizeBytes = this.u16();
    const start = this.#take(sizeBytes);
    try {
      return utf8Decoder.decode(this.#bytes.subarray(start, start + sizeBytes));
    } catch {
      throw new ProtocolError("MALFORMED", "a string is not UTF-8");
    }
  }

  #take(sizeBytes: number): number {
    const start = this.#offset;
    if (start + sizeBytes > this.#bytes.length) {
      throw new ProtocolError(
        "MALFORMED",
        `a field of ${sizeBytes} bytes at ${start} passes the end at ${this.#bytes.length}`,
      );
    }
    this.#offset = start + sizeBytes;
    return start;
  }
}

function assertInteger(value: number, max: number): void {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new ProtocolError("MALFORMED", `${value} is no whole number from 0 to ${max}`);
  }
}

export function hexAt(bytes: Uint8Array, offset: number, sizeBytes: number): string {
  let hex = "";
  for (let index = offset; index < offset + sizeBytes; index++) hex += HEX[bytes[index] as number];
  return hex;
}

export function readU64(view: DataView, offset: number): number {
  const high = view.getUint32(offset);
  if (high >= 0x20_0000) throw new ProtocolError("MALFORMED", "a 64-bit number is above 2^53 - 1");
  return high * TWO_TO_32 + view.getUint32(offset + 4);
}

export function writeU64(view: DataView, offset: number, value: number): void {
  assertInteger(value, Number.MAX_SAFE_INTEGER);
  view.setUint32(offset, Math.floor(value / TWO_TO_32));
  view.setUint32(offset + 4, value >>> 0);
}
