import { once } from "node:events";
import { DEFAULT_LIMITS, DEFAULT_ROOM, DisconnectCode, encode, randomMessageId } from "@parley/chat-protocol";
import { type RunningServer, type ServerOptions, startServer } from "@parley/socket-server";
import { afterEach, expect, test } from "vitest";
import { type ClientOptions, WebSocket as WsWebSocket } from "ws";
import { websocketMessage } from "../src/websocket-encoding.ts";
import { connectPeer, connectText, hello, untilEnd } from "./tcp-peer.ts";
import { connectWebSocket, type WebSocketPeer } from "./websocket-peer.ts";

let server: RunningServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function start(options: ServerOptions = {}): Promise<string> {
  server = await startServer({ port: 0, ...options });
  return `ws://127.0.0.1:${server.port}`;
}

async function join(url: string, name: string): Promise<WebSocketPeer> {
  const peer = await connectWebSocket(url);
  peer.send(hello(name), 1);
  expect((await peer.next())?.message).toMatchObject({ type: "welcome" });
  return peer;
}

function say(text: string) {
  return { type: "send", messageId: randomMessageId(), room: DEFAULT_ROOM, text } as const;
}

/** The status with which a handshake is refused. */
async function refusedWith(url: string, options: ClientOptions): Promise<number | undefined> {
  const websocket = new WsWebSocket(url, options);
  websocket.on("error", () => {});
  const [, response] = await once(websocket, "unexpected-response");
  response.resume();
  websocket.terminate();
  return response.statusCode;
}

test("Node's own WebSocket, which is a browser's, chats with somebody at nc", async () => {
  const url = await start();
  const al = await connectText(server?.port ?? 0, "al\n");
  await al.until("*** welcome");
  const browser = new WebSocket(url);
  await once(browser, "open");
  browser.send(encode(hello("bea")));
  await al.until("bea has joined");
  browser.send(Buffer.concat([encode(say("one")), encode(say("two"))]));
  await al.until("bea: one\nbea: two\n");
  const closed = once(browser, "close");
  browser.send(encode({ type: "quit" }));
  expect((await closed)[0]).toMatchObject({ code: 1000, wasClean: true });
});

test("a turn's events come in one message", async () => {
  const url = await start();
  const reader = await join(url, "reader");
  const binary = await connectPeer(server?.port ?? 0);
  const count = 50;
  binary.sendFrame(Buffer.concat([encode(hello("al")), ...Array.from({ length: count }, () => encode(say("hi")))]));
  for (let heard = 0; heard < count; ) if ((await reader.next())?.message.type === "message") heard++;
  expect(Math.max(...reader.framesPerMessage)).toBeGreaterThan(1);
});

test.each([
  ["text", (peer: WebSocketPeer) => peer.websocket.send("hello")],
  ["half a frame", (peer: WebSocketPeer) => peer.sendFrame(encode(hello("x")).subarray(0, 10))],
])("a message of %s ends that connection with PROTOCOL_ERROR", async (_, send) => {
  const url = await start();
  const ada = await join(url, "ada");
  const peer = await connectWebSocket(url);
  send(peer);
  expect((await untilEnd(peer)).at(-1)?.message).toMatchObject({ code: DisconnectCode.PROTOCOL_ERROR.code });
  expect(await peer.closed).toBe(1000);
  ada.send({ type: "ping" }, 9);
  while ((await ada.next())?.correlationId !== 9);
});

test("a message longer than several frames is refused before it has arrived, with 1009", async () => {
  const url = await start();
  const peer = await join(url, "ada");
  peer.sendFrame(new Uint8Array(5 * DEFAULT_LIMITS.maxFrameBytes));
  expect(await peer.closed).toBe(1009);
  await expect.poll(() => server?.sessionCount, { timeout: 30_000 }).toBe(0);
});

test("compression is not agreed to", async () => {
  const peer = await connectWebSocket(await start(), { perMessageDeflate: true });
  expect(peer.websocket.extensions).toBe("");
  peer.vanish();
});

test("a page of another origin is refused with 403; one of the same host, a program, and what is allowed are let in", async () => {
  const url = await start({ allowedOrigins: ["same-host", "https://chat.example.org"] });
  const { port } = new URL(url);
  expect(await refusedWith(url, { origin: "https://evil.example" })).toBe(403);
  expect(await refusedWith(url, { origin: "null" })).toBe(403);
  expect(await refusedWith(url, { origin: `http://127.0.0.1:${Number(port) + 1}` })).toBe(403);
  // A name of the attacker's that was made to point to this machine.
  expect(
    await refusedWith(url, { origin: `http://evil.example:${port}`, headers: { host: `evil.example:${port}` } }),
  ).toBe(403);
  for (const options of [{}, { origin: `http://127.0.0.1:${port}` }, { origin: "https://chat.example.org" }]) {
    (await connectWebSocket(url, options)).vanish();
  }
  await server?.close();
  const open = await start({ allowedOrigins: ["*"] });
  (await connectWebSocket(open, { origin: "https://evil.example" })).vanish();
});

test("one that doesn't read is cut as a slow consumer; the others get everything", async () => {
  const url = await start({ queueLimits: { maxBytes: 64 * 1024, stallTimeoutMs: 10_000, lingerMs: 100 } });
  const slow = await join(url, "slow");
  slow.websocket.pause();
  const reader = await join(url, "reader");
  const text = "x".repeat(4000);
  let isCut = false;
  while (!isCut) {
    for (let index = 0; index < 20; index++) reader.send(say(text));
    for (let heard = 0; heard < 20; ) {
      const next = await reader.next();
      expect(next).toBeDefined();
      if (next?.message.type === "message") heard++;
      if (next?.message.type === "left") isCut = true;
    }
  }
  expect(server?.sessionCount).toBe(1);
  slow.vanish();
});

test("who connects and gives no name is told HANDSHAKE_TIMEOUT, and drained ones that the server stops", async () => {
  const url = await start({ handshakeTimeoutMs: 2000 });
  const silent = await connectWebSocket(url);
  const ada = await join(url, "ada");
  expect((await untilEnd(silent)).map(({ message }) => message)).toMatchObject([
    { type: "disconnect", code: DisconnectCode.HANDSHAKE_TIMEOUT.code },
  ]);
  const end = untilEnd(ada);
  await server?.close();
  expect((await end).at(-1)?.message).toMatchObject({ code: DisconnectCode.SHUTTING_DOWN.code });
  expect(await ada.closed).toBe(1000);
});

test.each([
  [0, []],
  [125, [0x82, 125]],
  [126, [0x82, 126, 0, 126]],
  [65_535, [0x82, 126, 255, 255]],
  [65_536, [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]],
])("a payload of %i bytes has the header of RFC 6455", (length, header) => {
  const message = websocketMessage(new Uint8Array(length));
  expect([...message.subarray(0, header.length)]).toEqual(header);
  expect(message.length).toBe(length === 0 ? 0 : header.length + length);
});
