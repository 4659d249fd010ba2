/**
 * A chat message that can be verified by whoever gets it: kind, sequence number, time of sending, filler, checksum, always
 * {@link TEXT_LENGTH} characters of ASCII.
 */

export const TEXT_LENGTH = 64;
const CHECK_LENGTH = 8;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

export interface ChatText {
  /** The last one of a conversation. */
  readonly last: boolean;
  readonly sequence: number;
  /** CLOCK_MONOTONIC, nanoseconds. */
  readonly sentNs: number;
}

export function composeText({ last, sequence, sentNs }: ChatText): string {
  const body = `${last ? "end" : "say"} ${sequence} ${sentNs} `.padEnd(TEXT_LENGTH - CHECK_LENGTH, "abcdefghijklmnop");
  return body + checksum(body);
}

/** Undefined for a text that isn't as it was composed. */
export function parseText(text: string): ChatText | undefined {
  const body = text.slice(0, -CHECK_LENGTH);
  if (text.length !== TEXT_LENGTH || text.slice(-CHECK_LENGTH) !== checksum(body)) return undefined;
  const [kind, sequence, sentNs] = body.split(" ", 3);
  return { last: kind === "end", sequence: Number(sequence), sentNs: Number(sentNs) };
}

/** Now, on the clock that all processes of a Linux machine share. Nanoseconds since boot stay exact for 104 days. */
export function monotonicNs(): number {
  return Number(process.hrtime.bigint());
}

/** FNV-1a, 32 bits, in hexadecimal. */
function checksum(text: string): string {
  let hash = FNV_OFFSET;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  return (hash >>> 0).toString(16).padStart(CHECK_LENGTH, "0");
}
