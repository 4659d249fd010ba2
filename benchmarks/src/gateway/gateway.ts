/**
 * An HTTP gateway to a chat room: `POST /messages` answers 201 once the room has acknowledged the message.
 *
 * - Backed by a chat client (any URL that it understands), or by nothing, to know what HTTP alone costs.
 * - Each request becomes a message with the next sequence number and a checksum, which a reader in the room verifies.
 * - The same people use the same connection: requests of all browsers share one client.
 */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { type ChatClient, connect } from "@parley/chat-client";
import { type Usage, usageBetween, usageNow } from "../rig/usage.ts";
import { composeText, monotonicNs } from "../scenarios/chat-text.ts";

const MAX_BODY_BYTES = 4_096;

let client: ChatClient | undefined;
let server: http.Server | undefined;
let sent = 0;
let acknowledged = 0;
let from: Usage | undefined;

/** Starts listening and resolves with the port. `url` null: answers without a backend. */
export async function start(url: string | null): Promise<number> {
  if (url !== null) client = await connect(url, { name: "gateway" });
  const started = http.createServer((request, response) => {
    if (request.method !== "POST" || request.url !== "/messages") {
      request.resume();
      response.writeHead(404).end();
      return;
    }
    receive(request, response);
  });
  server = started;
  await new Promise<void>((resolve, reject) => {
    started.once("error", reject);
    started.listen(0, "127.0.0.1", resolve);
  });
  return (started.address() as AddressInfo).port;
}

function receive(request: http.IncomingMessage, response: http.ServerResponse): void {
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) response.writeHead(413, { connection: "close" }).end();
  });
  request.on("end", () => {
    if (!response.headersSent) void acknowledge(response);
  });
}

async function acknowledge(response: http.ServerResponse): Promise<void> {
  try {
    const text = composeText({ last: false, sequence: sent++, sentNs: monotonicNs() });
    await client?.send(text);
    acknowledged++;
    response.writeHead(201, { "content-type": "application/json" }).end('{"acknowledged":true}');
  } catch {
    response.writeHead(503).end();
  }
}

export function beginMeasuring(): void {
  from = usageNow();
}

/** What this process spent since `beginMeasuring`. */
export function endMeasuring(): Usage {
  return usageBetween(from ?? usageNow(), usageNow());
}

/** Resolves when nothing is under way any more, with how many messages went to the room and were acknowledged. */
export async function drain(): Promise<{ readonly sent: number; readonly acknowledged: number }> {
  await client?.ping();
  return { sent, acknowledged };
}

export async function close(): Promise<void> {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
  const leaving = client;
  client = undefined;
  await leaving?.quit();
}
