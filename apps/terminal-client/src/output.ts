/** What the chat tells whoever started it, as lines for people or as JSON for programs. */

import type { ChatClient, ChatClientEvent, Sent } from "@parley/chat-client";

export interface Output {
  connected(client: ChatClient, elapsedMs: number): void;
  event(event: ChatClientEvent): void;
  /** The room has the message of this line of the input. The first line is 1. */
  sent(lineNumber: number, sent: Sent): void;
  /** For the person: an answer to a command, a hint. */
  note(text: string): void;
  /** Something failed; the chat goes on or ends, that is said elsewhere. */
  problem(text: string): void;
}
