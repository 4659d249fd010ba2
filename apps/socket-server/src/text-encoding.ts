/**
 * How a person at nc or telnet is spoken to: one line for each event, `*** ` before what the server says.
 *
 * - What others wrote goes through displayText: no control characters reach a terminal.
 * - One's own words are on the screen already and are not sent back. Who comes is shown the latest 50 messages.
 */

import { type ChatEvent, decode, displayText, ErrorCode, frameFrom, type Reply } from "@parley/chat-protocol";
import type { Encoding } from "@parley/chat-room";

const NOTHING = new Uint8Array(0);
const NAME_ERRORS: ReadonlySet<number> = new Set([
  ErrorCode.NAME_INVALID.code,
  ErrorCode.NAME_TAKEN.code,
  ErrorCode.NAME_TOO_LONG.code,
  ErrorCode.LOGIN_FAILED.code,
]);

export const textEncoding: Encoding = {
  label: "text",
  hidesOwnMessages: true,
  historyOnJoin: 50,
  reply(message) {
    const text = replyLine(message);
    return text === undefined ? NOTHING : Buffer.from(`*** ${displayText(text)}\n`);
  },
  events(frames) {
    let lines = "";
    for (const frame of frames) lines += eventLine(decode(frameFrom(frame)) as ChatEvent);
    return Buffer.from(lines);
  },
};

function replyLine(message: Reply): string | undefined {
  switch (message.type) {
    case "welcome":
      return `welcome, ${message.name}: you are in ${message.room}; /quit leaves`;
    case "error":
      return NAME_ERRORS.has(message.code) ? `${message.message}; try another name` : `error: ${message.message}`;
    case "disconnect":
      return message.message;
    case "named":
      return `you are ${message.name} now`;
    case "people":
      return `in ${message.room} (${message.total}): ${message.names.join(", ")}`;
    case "goingAway":
      return message.message;
    case "end":
    case "isTyping":
    case "ack":
    case "pong":
      return undefined;
  }
}

function eventLine(event: ChatEvent): string {
  const name = "name" in event ? displayText(event.name) : "";
  switch (event.type) {
    case "message":
      return `${name}: ${displayText(event.text)}\n`;
    case "joined":
      return `*** ${name} has joined the chat\n`;
    case "left":
      return `*** ${name} has left the chat\n`;
    case "renamed":
      return `*** ${name} is ${displayText(event.newName)} now\n`;
    case "direct":
      return `${name} (to you): ${displayText(event.text)}\n`;
    case "presence":
      return `*** ${event.people} people are here (${event.joined} came, ${event.left} went)\n`;
  }
}
