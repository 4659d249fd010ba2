/**
 * Cuts bytes from nc or telnet into lines of text.
 *
 * - A line ends with LF or CR LF; a CR before the LF, and a NUL after a CR (telnet's bare CR), are not part of it.
 * - Telnet commands (RFC 854: IAC, option negotiation, subnegotiation) are stripped, wherever a chunk ends.
 * - At most `maxLineBytes` are kept, and room is made as a line needs it: most connections are idle, most lines short.
 *   A longer line is dropped up to its end and given as undefined.
 * - Bytes that are no UTF-8 become U+FFFD.
 */

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const NUL = 0x00;
const FIRST_ROOM_BYTES = 128;

const IAC = 255;
const SUBNEGOTIATION_END = 240;
const SUBNEGOTIATION = 250;
const WILL = 251;
const DONT = 254;

/** `option`: one more byte to skip. `inside`: a subnegotiation; `insideIac`: an IAC in it. */
type TelnetState = "text" | "iac" | "option" | "inside" | "insideIac";

export class LineReader {
  readonly #maxKeptBytes: number;
  #line = new Uint8Array(FIRST_ROOM_BYTES);
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #bytes = 0;
  #isTooLong = false;
  #hasText = false;
  #telnet: TelnetState = "text";

  constructor(maxLineBytes: number) {
    // One more than the limit: the CR before the LF.
    this.#maxKeptBytes = maxLineBytes + 1;
  }

  /** Gives each line that `chunk` completes to `onLine`; undefined for one that was too long. */
  push(chunk: Uint8Array, onLine: (line: string | undefined) => void): void {
    for (const byte of chunk) {
      if (this.#telnet !== "text" || byte === IAC) this.#telnetByte(byte);
      else if (byte === LINE_FEED) this.#endLine(onLine);
      else this.#keep(byte);
    }
  }

  /** The peer will send nothing more: what came after the last line's end is a line too. */
  end(onLine: (line: string | undefined) => void): void {
    if (this.#hasText) this.#endLine(onLine);
  }

  #keep(byte: number): void {
    this.#hasText = true;
    if (byte === NUL && this.#line[this.#bytes - 1] === CARRIAGE_RETURN) return;
    if (this.#bytes === this.#maxKeptBytes) {
      this.#isTooLong = true;
      return;
    }
    if (this.#bytes === this.#line.length) this.#makeRoom();
    this.#line[this.#bytes++] = byte;
  }

  #makeRoom(): void {
    const larger = new Uint8Array(Math.min(2 * this.#line.length, this.#maxKeptBytes));
    larger.set(this.#line);
    this.#line = larger;
  }

  #endLine(onLine: (line: string | undefined) => void): void {
    let end = this.#bytes;
    if (end > 0 && this.#line[end - 1] === CARRIAGE_RETURN) end--;
    const isTooLong = this.#isTooLong || end === this.#maxKeptBytes;
    this.#bytes = 0;
    this.#isTooLong = false;
    this.#hasText = false;
    onLine(isTooLong ? undefined : this.#decoder.decode(this.#line.subarray(0, end)));
  }

  #telnetByte(byte: number): void {
    switch (this.#telnet) {
      case "text":
        this.#telnet = "iac";
        return;
      case "iac":
        if (byte >= WILL && byte <= DONT) this.#telnet = "option";
        else if (byte === SUBNEGOTIATION) this.#telnet = "inside";
        else {
          this.#telnet = "text";
          // A doubled IAC is the byte itself.
          if (byte === IAC) this.#keep(byte);
        }
        return;
      case "option":
        this.#telnet = "text";
        return;
      case "inside":
        if (byte === IAC) this.#telnet = "insideIac";
        return;
      case "insideIac":
        this.#telnet = byte === SUBNEGOTIATION_END ? "text" : "inside";
        return;
    }
  }
}
