/**
 * What a new connection speaks, told from its first bytes: one port serves everything.
 *
 * - A frame's length is below 16 MiB, so binary begins with 0x00, which no text does. 0xff 0xff begins neither text nor
 *   a telnet command, but a frame length that is refused with its code.
 * - TLS begins with 0x16 0x03; what it carries is told by its own first bytes again.
 * - HTTP is a whole request line; anything else that begins like one is text.
 * - To add a protocol: a case here, a file that handles it, and its line in `accepted-connection.ts`.
 */

export type SpokenProtocol = "binary" | "http" | "text" | "tls";

/** A request line longer than this is taken for text. */
const MAX_REQUEST_LINE_BYTES = 2048;
const REQUEST_LINE = /^[A-Z]+ \S+ HTTP\/1\.[01]\r?$/;
const NEWLINE = 0x0a;
const IAC = 0xff;
/** A TLS record of the handshake, and the major version that all of TLS has in it. */
const TLS_HANDSHAKE = 0x16;
const TLS_MAJOR = 0x03;

/** `first`: all bytes so far, at least one. Undefined: more are needed to tell. */
export function sniff(first: Buffer): SpokenProtocol | undefined {
  const byte = first[0] as number;
  if (byte === 0) return "binary";
  if (byte === IAC) return first.length < 2 ? undefined : first[1] === IAC ? "binary" : "text";
  if (byte === TLS_HANDSHAKE) return first.length < 2 ? undefined : first[1] === TLS_MAJOR ? "tls" : "text";
  if (!isUpperCaseLetter(byte)) return "text";
  const end = first.indexOf(NEWLINE);
  if (end < 0) return first.length > MAX_REQUEST_LINE_BYTES ? "text" : undefined;
  return REQUEST_LINE.test(first.toString("latin1", 0, end)) ? "http" : "text";
}

function isUpperCaseLetter(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a;
}
