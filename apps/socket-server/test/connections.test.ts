import { once } from "node:events";
import { DEFAULT_ROOM, DisconnectCode, encode, FrameDecoder, randomMessageId, type Send } from "@parley/chat-protocol";
import { MemoryRoomLog } from "@parley/chat-room";
import { type RunningServer, type ServerOptions, startServer } from "@parley/socket-server";
import { afterEach, describe, expect, test } from "vitest";
import { connectPeer, connectText, hello, openSocket, type TcpPeer, untilEnd } from "./tcp-peer.ts";

let server: RunningServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function start(options: ServerOptions = {}): Promise<RunningServer> {
  server = await startServer({ port: 0, ...options });
  return server;
}

async function join(port: number, name: string): Promise<TcpPeer> {
  const peer = await connectPeer(port);
  peer.send(hello(name), 1);
  expect((await peer.next())?.message).toMatchObject({ type: "welcome" });
  return peer;
}

function say(text: string): Send {
  return { type: "send", messageId: randomMessageId(), room: DEFAULT_ROOM, text };
}

describe("bytes", () => {
  test("10,000 frames one byte at a time, and 1,000 in one write, are all answered in order", async () => {
    const { port } = await start();
    const peer = await join(port, "ada");
    const pings = (from: number, count: number) =>
      Buffer.concat(Array.from({ length: count }, (_, index) => encode({ type: "ping" }, from + index)));
    peer.socket.write(pings(1, 1000));
    // Each byte is a write of its own; how TCP cuts them up is its own affair, which the decoder's tests don't leave to it.
    for (const byte of pings(1001, 10_000)) {
      if (!peer.socket.write(Uint8Array.of(byte))) await once(peer.socket, "drain");
    }
    let expected = 1;
    while (expected <= 11_000) {
      const next = await peer.next();
      if (next?.message.type === "joined") continue;
      expect(next).toEqual({ message: { type: "pong" }, correlationId: expected });
      expected++;
    }
  });

  test.each([
    ["a length of 2^32 - 1 as the first bytes", [0xff, 0xff, 0xff, 0xff], DisconnectCode.FRAME_TOO_LARGE],
    ["a length just above the limit", [0, 1, 0, 0], DisconnectCode.FRAME_TOO_LARGE],
    ["a length below the header", [0, 0, 0, 1], DisconnectCode.PROTOCOL_ERROR],
    ["another version", [0, 0, 0, 8, 99, 3, 0, 0, 0, 0, 0, 0], DisconnectCode.PROTOCOL_ERROR],
  ])("%s ends that connection with its code and no other", async (_, bytes, code) => {
    const { port } = await start();
    const ada = await join(port, "ada");
    const bad = await connectPeer(port);
    bad.sendFrame(Uint8Array.from(bytes));
    expect((await untilEnd(bad)).at(-1)?.message).toMatchObject({ type: "disconnect", code: code.code });
    const welcomed = await join(port, "bo");
    welcomed.sendFrame(Uint8Array.from([0xff, 0xff, 0xff, 0xff]));
    expect((await untilEnd(welcomed)).at(-1)?.message).toMatchObject({ code: DisconnectCode.FRAME_TOO_LARGE.code });
    ada.send({ type: "ping" }, 9);
    for (let next = await ada.next(); next?.correlationId !== 9; next = await ada.next()) expect(next).toBeDefined();
  });

  test("nothing is sent before the first bytes, and who sends none in time is closed", async () => {
    const { port } = await start({ handshakeTimeoutMs: 50 });
    const silent = await connectText(port);
    expect(await silent.ended).toBe("");
  });

  test("who begins but gives no name in time is told HANDSHAKE_TIMEOUT", async () => {
    const { port } = await start({ handshakeTimeoutMs: 200 });
    const peer = await connectPeer(port);
    peer.send({ type: "ping" }, 1);
    expect((await untilEnd(peer)).map(({ message }) => message)).toMatchObject([
      { type: "pong" },
      { type: "disconnect", code: DisconnectCode.HANDSHAKE_TIMEOUT.code, temporary: true },
    ]);
  });
});

describe("connections", () => {
  test("500 at once are all greeted", async () => {
    const { port } = await start();
    const peers = await Promise.all(Array.from({ length: 500 }, (_, index) => join(port, `n${index}`)));
    expect(server?.sessionCount).toBe(500);
    for (const peer of peers) peer.vanish();
  });

  test("100 that are reset leave no session and no connection behind", async () => {
    const { port } = await start();
    const peers = await Promise.all(Array.from({ length: 100 }, (_, index) => join(port, `n${index}`)));
    for (const peer of peers) peer.vanish();
    await expect.poll(() => server?.sessionCount, { timeout: 30_000 }).toBe(0);
    await expect.poll(() => server?.connectionCount, { timeout: 30_000 }).toBe(0);
    await join(port, "n0");
  });

  test("reset while it says HELLO, a connection gives its name back", async () => {
    const { port } = await start();
    for (let round = 0; round < 50; round++) {
      const peer = await connectPeer(port);
      peer.send(hello("ada"));
      peer.vanish();
    }
    await expect.poll(() => server?.sessionCount, { timeout: 30_000 }).toBe(0);
    await join(port, "ada");
  });

  test("one that doesn't read is cut as a slow consumer; the others get everything", async () => {
    const queueLimits = { maxBytes: 64 * 1024, stallTimeoutMs: 10_000, lingerMs: 100 };
    const { port } = await start({ queueLimits, log: new MemoryRoomLog() });
    const slow = await join(port, "slow");
    slow.socket.pause();
    const reader = await join(port, "reader");
    const ada = await join(port, "ada");
    const text = "x".repeat(4000);
    let sent = 0;
    let gotten = 0;
    let isCut = false;
    // More than any socket buffer of the operating system holds; ends when the slow one was seen to leave.
    while (!isCut) {
      const batch = 20;
      for (let index = 0; index < batch; index++) ada.send(say(text), ++sent + 100);
      while (gotten < sent) {
        const next = await reader.next();
        if (next?.message.type === "message") gotten++;
        if (next?.message.type === "left") {
          expect(next.message).toMatchObject({ name: "slow", reason: "lost" });
          isCut = true;
        }
        expect(next).toBeDefined();
      }
    }
    expect(server?.sessionCount).toBe(2);
  });

  test("a write that is stuck for too long is cut, however little is queued", async () => {
    const queueLimits = { maxBytes: 1024 * 1024 * 1024, stallTimeoutMs: 100, lingerMs: 100 };
    const { port } = await start({ queueLimits });
    const slow = await join(port, "slow");
    slow.socket.pause();
    const ada = await join(port, "ada");
    const text = "x".repeat(4000);
    let hasLeft = false;
    while (!hasLeft) {
      ada.send(say(text), 5);
      const next = await ada.next();
      hasLeft = next?.message.type === "left" && next.message.name === "slow";
    }
  });

  test("one that sends without reading is not listened to, costs bounded memory, and the others go on", async () => {
    const queueLimits = { maxBytes: 16 * 1024 * 1024, stallTimeoutMs: 30_000, lingerMs: 100 };
    const { port } = await start({ queueLimits });
    const flooder = await openSocket(port);
    flooder.pause();
    flooder.write(encode(hello("flooder"), 1));
    const ping = Buffer.concat(Array.from({ length: 5000 }, () => encode({ type: "ping" }, 1)));
    let isBlocked = false;
    while (!isBlocked) {
      // A write that isn't taken in a second won't be: nobody reads on the other side.
      isBlocked = await new Promise<boolean>((resolve) => {
        const timer = setTimeout(() => resolve(true), 1000);
        flooder.write(ping, () => {
          clearTimeout(timer);
          resolve(false);
        });
      });
    }
    const ada = await join(port, "ada");
    ada.send({ type: "ping" }, 2);
    for (let next = await ada.next(); next?.correlationId !== 2; next = await ada.next()) expect(next).toBeDefined();
    // It reads at last, and is answered to the end.
    const decoder = new FrameDecoder();
    let pongs = 0;
    flooder.on("data", (chunk: Buffer) => decoder.push(chunk, (frame) => (pongs += frame.correlationId === 1 ? 1 : 0)));
    flooder.resume();
    await expect.poll(() => pongs, { timeout: 30_000 }).toBeGreaterThan(5000);
    flooder.destroy();
  });

  test("one that floods the room at full speed costs nobody else the connection or an event", async () => {
    const lines = 200_000;
    // A log that one turn's flood would overrun if the turn were allowed to take it all.
    const { port } = await start({ log: new MemoryRoomLog({ maxEvents: 4096 }) });
    const quiet = await connectText(port, "quiet\n");
    await quiet.until("welcome");
    const flooder = await openSocket(port);
    flooder.resume();
    flooder.write("flood\n");
    flooder.end("x\n".repeat(lines));
    const heard = await quiet.until("*** flood has left");
    expect(heard.match(/^flood: x$/gm)).toHaveLength(lines);
    quiet.socket.destroy();
  });
});

describe("echo mode", () => {
  test("gives every byte back in order, also to one who sends much before reading", async () => {
    const { port } = await start({ echo: true });
    const socket = await openSocket(port);
    const sent = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => index % 251));
    socket.end(sent);
    const parts: Buffer[] = [];
    for await (const part of socket) parts.push(part as Buffer);
    expect(Buffer.concat(parts).equals(sent)).toBe(true);
  });

  test("closes connections above --max-clients as they come", async () => {
    const { port } = await start({ echo: true, maxClients: 1 });
    const first = await connectText(port, "a");
    await first.until("a");
    expect(await (await connectText(port)).ended).toBe("");
    first.socket.write("b");
    await first.until("ab");
  });
});
