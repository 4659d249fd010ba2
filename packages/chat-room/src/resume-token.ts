/**
 * What a client shows to go on with its session: an HMAC over session, name and the log's epoch, so that nothing has to be
 * kept for it, and every server that shares the log (and so its key) can check it.
 *
 * - `EPOCH.MAC`: the epoch in base 36 tells a token of an earlier log, which is no forgery, from a wrong one.
 */

import { createHmac, timingSafeEqual } from "node:crypto";
import type { SessionId } from "@parley/chat-protocol";
import { foldName } from "./names.ts";

export interface TokenSubject {
  readonly sessionId: SessionId;
  readonly name: string;
  readonly epoch: number;
}

/** `outdated`: of another epoch, whatever else it says. */
export type TokenVerdict = "good" | "outdated" | "bad";

const RADIX = 36;
const EPOCH_AND_MAC = /^([0-9a-z]{1,12})\.([A-Za-z0-9_-]+)$/;

export function makeResumeToken(key: Uint8Array, subject: TokenSubject): string {
  return `${subject.epoch.toString(RADIX)}.${macOf(key, subject).toString("base64url")}`;
}

export function checkResumeToken(key: Uint8Array, subject: TokenSubject, token: string): TokenVerdict {
  const [, epoch = "", mac = ""] = EPOCH_AND_MAC.exec(token) ?? [];
  if (epoch === "") return "bad";
  if (epoch !== subject.epoch.toString(RADIX)) return "outdated";
  const expected = macOf(key, subject);
  const given = Buffer.from(mac, "base64url");
  return given.length === expected.length && timingSafeEqual(given, expected) ? "good" : "bad";
}

function macOf(key: Uint8Array, { sessionId, name, epoch }: TokenSubject): Buffer {
  // The name comes last, so that no two subjects give the same text.
  return createHmac("sha256", key)
    .update(`${epoch}:${sessionId}:${foldName(name)}`)
    .digest();
}
