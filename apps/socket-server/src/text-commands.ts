/**
 * What a person can do with a line that begins with a slash; `//` says the rest with one slash.
 *
 *     /join ROOM      go to another room
 *     /msg NAME TEXT  say something to one person alone (a name with spaces: "NAME")
 *     /me TEXT        say what you do
 *     /nick NAME      be called something else
 *     /who            who is in the room
 *     /history [N]    what was said before
 */

import { type Message, randomMessageId } from "@parley/chat-protocol";

const COMMAND = /^\/(\w+)(?:\s+(.*?))?\s*$/;
const DIRECT = /^(?:"([^"]+)"|(\S+))\s+(.+)$/;
const DEFAULT_HISTORY = 50;
const MAX_HISTORY = 500;

export const TEXT_COMMANDS_HELP = "/join ROOM, /msg NAME TEXT, /me TEXT, /nick NAME, /who, /history, /quit";

/** A request; or what is wrong with the line. Undefined: it is no command, but something to say. */
export function parseCommand(line: string, room: string): Message | { readonly problem: string } | undefined {
  if (!line.startsWith("/") || line.startsWith("//")) return undefined;
  const [, command = "", rest = ""] = COMMAND.exec(line) ?? [];
  switch (command) {
    case "join":
      return rest === "" ? { problem: "which room? /join ROOM" } : { type: "join", room: rest };
    case "nick":
      return rest === "" ? { problem: "which name? /nick NAME" } : { type: "rename", name: rest };
    case "who":
      return { type: "who", room };
    case "history": {
      const count = rest === "" ? DEFAULT_HISTORY : Number(rest);
      if (!Number.isInteger(count) || count < 1 || count > MAX_HISTORY) {
        return { problem: `how many? /history and a number from 1 to ${MAX_HISTORY}` };
      }
      return { type: "history", room, before: { epoch: 0, seq: 0 }, maxEvents: count };
    }
    case "me":
      if (rest === "") return { problem: "what do you do? /me TEXT" };
      return { type: "send", messageId: randomMessageId(), room, text: `* ${rest}` };
    case "msg": {
      const [, quoted, plain, text] = DIRECT.exec(rest) ?? [];
      const to = quoted ?? plain;
      if (to === undefined || text === undefined) return { problem: "to whom, and what? /msg NAME TEXT" };
      return { type: "sendDirect", messageId: randomMessageId(), to, text };
    }
    default:
      return { problem: `that is no command; there are ${TEXT_COMMANDS_HELP}; //… says a text with a slash` };
  }
}

/** What a line says that is no command. */
export function sayableText(line: string): string {
  return line.startsWith("//") ? line.slice(1) : line;
}
