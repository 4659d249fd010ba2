/**
 * Lines for people: `ada: hello`, `*** bo has joined the chat`.
 *
 * - What others wrote goes through displayText.
 * - The room on stdout, what concerns this client alone on stderr. Colours only on a terminal, and not with NO_COLOR.
 */

import { styleText } from "node:util";
import type { ChatClient, ChatClientEvent } from "@parley/chat-client";
import { displayText } from "@parley/chat-protocol";
import type { Output } from "./output.ts";

type Style = Parameters<typeof styleText>[0];

const LEFT_TEXTS = {
  quit: "has left the chat",
  lost: "has left the chat (connection lost)",
  died: "has left the chat (process died)",
} as const;

export class LineOutput implements Output {
  connected(client: ChatClient, elapsedMs: number): void {
    const name = displayText(client.name);
    note(`connected to ${client.url} as ${name} (${Math.max(1, Math.round(elapsedMs))} ms)`, "green");
    if (process.stdin.isTTY) note(`you are in ${displayText(client.room)}; /help shows the commands`, "dim");
  }

  event(event: ChatClientEvent): void {
    switch (event.type) {
      case "message":
        show(`${style(`${displayText(event.name)}:`, event.own ? "green" : "cyan")} ${displayText(event.text)}`);
        return;
      case "joined":
        if (!event.own) show(style(`*** ${displayText(event.name)} has joined the chat`, "dim"));
        return;
      case "left":
        if (!event.own) show(style(`*** ${displayText(event.name)} ${LEFT_TEXTS[event.reason]}`, "dim"));
        return;
      case "gap":
        show(style("*** messages are missing here", "yellow"));
        return;
      case "error":
        this.problem(event.error.message);
        return;
      case "disconnect":
        if (event.by === "client" && event.code === "BYE") note("left the chat", "dim");
        return;
    }
  }

  sent(): void {
    // A line that arrived is no news to who typed it.
  }

  note(text: string): void {
    note(text, "dim");
  }

  problem(text: string): void {
    note(`chat: ${displayText(text)}`, "red");
  }
}

function style(text: string, format: Style): string {
  return styleText(format, text, { stream: process.stdout });
}

function show(line: string): void {
  process.stdout.write(`${line}\n`);
}

function note(text: string, format: Style): void {
  process.stderr.write(`${styleText(format, text, { stream: process.stderr })}\n`);
}
