/** Somebody in the room while web users post: reads every message and verifies its sequence number and checksum. */
import { type ChatClient, connect } from "@parley/chat-client";
import { IntegrityChecker, type IntegrityCounts } from "../rig/integrity.ts";
import { type Usage, usageBetween, usageNow } from "../rig/usage.ts";
import { parseText } from "../scenarios/chat-text.ts";

const POLL_MS = 5;

const heard = new IntegrityChecker();
let client: ChatClient | undefined;
let received = 0;
let from: Usage | undefined;

export async function join(url: string): Promise<void> {
  client = await connect(url, { name: "reader" });
  client.on("message", ({ text }) => {
    received++;
    const message = parseText(text);
    if (message === undefined) heard.damaged();
    else heard.accept(message.sequence);
  });
}

export function beginMeasuring(): void {
  from = usageNow();
}

export function endMeasuring(): Usage {
  return usageBetween(from ?? usageNow(), usageNow());
}

/** Waits until `sent` messages have come, or `timeoutMs`, and says what came. */
export async function verify(sent: number, timeoutMs: number): Promise<IntegrityCounts> {
  const endMs = performance.now() + timeoutMs;
  while (received < sent && performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  return heard.finish(sent);
}

export async function close(): Promise<void> {
  const leaving = client;
  client = undefined;
  await leaving?.quit();
}
