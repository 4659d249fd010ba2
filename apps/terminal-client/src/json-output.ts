/**
 * One JSON object a line on stdout, each with `event`: connected, message, joined, left, gap, ack, error, disconnect.
 *
 * - Texts are as they were sent. What could act on a terminal is escaped, so that a line is safe to look at too.
 */

import type { ChatClient, ChatClientEvent, Sent } from "@parley/chat-client";
import { displayText } from "@parley/chat-protocol";
import type { Output } from "./output.ts";

/** What displayText takes out and JSON.stringify leaves as it is. */
const ACTIVE = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

export class JsonOutput implements Output {
  connected(client: ChatClient, elapsedMs: number): void {
    const { limits, name, position, room, sessionId, url } = client;
    print({ event: "connected", url, name, room, sessionId, position, limits, elapsedMs: Math.round(elapsedMs) });
  }

  event(event: ChatClientEvent): void {
    switch (event.type) {
      case "message":
      case "joined":
      case "left": {
        const { type, timeMs, ...rest } = event;
        print({ event: type, time: isoTime(timeMs), ...rest });
        return;
      }
      case "error":
        print({ event: "error", code: event.error.code, message: event.error.message });
        return;
      case "gap":
      case "disconnect": {
        const { type, ...rest } = event;
        print({ event: type, ...rest });
        return;
      }
    }
  }

  sent(lineNumber: number, { timeMs, ...sent }: Sent): void {
    print({ event: "ack", line: lineNumber, time: isoTime(timeMs), ...sent });
  }

  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  problem(text: string): void {
    process.stderr.write(`chat: ${displayText(text)}\n`);
  }
}

function print(value: Record<string, unknown>): void {
  const line = JSON.stringify(value).replace(
    ACTIVE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  process.stdout.write(`${line}\n`);
}

/** A time that no calendar has (a peer may send any number) stays a number. */
function isoTime(timeMs: number): string | number {
  const date = new Date(timeMs);
  return Number.isNaN(date.getTime()) ? timeMs : date.toISOString();
}
