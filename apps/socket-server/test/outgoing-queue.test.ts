import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DEFAULT_QUEUE_LIMITS, OutgoingQueue, TurnFlusher } from "../src/outgoing-queue.ts";

let server: Server;
let socket: Socket;
let peer: Socket;
let outstanding = 0;
let mostOutstanding = 0;
const writes: Buffer[] = [];

beforeEach(async () => {
  server = createServer({ noDelay: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection");
  peer = connect((server.address() as AddressInfo).port, "127.0.0.1");
  [socket] = (await accepted) as [Socket];
  socket.on("error", () => {});
  peer.on("error", () => {});
  outstanding = 0;
  mostOutstanding = 0;
  writes.length = 0;
  const write = socket.write.bind(socket) as (bytes: Uint8Array, callback: (error?: Error | null) => void) => boolean;
  vi.spyOn(socket, "write").mockImplementation(((bytes: Uint8Array, callback: (error?: Error | null) => void) => {
    writes.push(Buffer.from(bytes));
    mostOutstanding = Math.max(mostOutstanding, ++outstanding);
    return write(bytes, (error) => {
      outstanding--;
      callback(error);
    });
  }) as typeof socket.write);
});

afterEach(() => {
  socket.destroy();
  peer.destroy();
  server.close();
});

function queueFor(limits: Partial<typeof DEFAULT_QUEUE_LIMITS> = {}, onSlow: () => void = () => {}): OutgoingQueue {
  return new OutgoingQueue(socket, new TurnFlusher(), { ...DEFAULT_QUEUE_LIMITS, ...limits }, onSlow);
}

async function readAll(): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of peer) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

test("1,000 sends of one turn are one write, in order", async () => {
  const queue = queueFor();
  for (let index = 0; index < 1000; index++) queue.send(Buffer.from(`${index},`));
  expect(writes).toHaveLength(0);
  queue.end();
  const expected = Array.from({ length: 1000 }, (_, index) => `${index},`).join("");
  expect((await readAll()).toString()).toBe(expected);
  expect(writes).toHaveLength(1);
});

test("a single buffer is written as it is, not copied", async () => {
  const queue = queueFor();
  const shared = Buffer.from("shared by many");
  queue.send(shared);
  queue.end();
  await readAll();
  expect(vi.mocked(socket.write).mock.calls[0]?.[0]).toBe(shared);
});

test("at most one write is outstanding, and what is queued meanwhile goes in the next", async () => {
  const queue = queueFor();
  peer.pause();
  const block = Buffer.alloc(1024, "x");
  let sent = 0;
  // Until the operating system takes no more.
  while (queue.pendingBytes < 64 * 1024) {
    for (let index = 0; index < 16; index++, sent++) queue.send(block);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const writesBefore = writes.length;
  for (let turn = 0; turn < 20; turn++, sent++) {
    queue.send(block);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(writes.length).toBe(writesBefore);
  queue.end();
  expect((await readAll()).length).toBe(sent * block.length);
  expect(mostOutstanding).toBe(1);
  expect(writes.length).toBe(writesBefore + 1);
});

test("past the bound onSlow is called once, not from within send, and only what it sends is added", async () => {
  let isSending = false;
  const onSlow = vi.fn(() => {
    expect(isSending).toBe(false);
    queue.send(Buffer.from("last"));
    queue.end();
    queue.send(Buffer.from("after the end"));
  });
  const queue = queueFor({ maxBytes: 32 * 1024 }, onSlow);
  peer.pause();
  while (onSlow.mock.calls.length === 0) {
    isSending = true;
    queue.send(Buffer.alloc(16 * 1024, "x"));
    isSending = false;
    await new Promise((resolve) => setImmediate(resolve));
  }
  const received = (await readAll()).toString();
  expect(received).toMatch(/^x+last$/);
  expect(onSlow).toHaveBeenCalledTimes(1);
});

test("one turn may bring more than the bound to a peer that keeps up", async () => {
  const onSlow = vi.fn();
  const queue = queueFor({ maxBytes: 1000 }, onSlow);
  for (let index = 0; index < 100; index++) queue.send(Buffer.alloc(100, "x"));
  queue.end();
  expect((await readAll()).length).toBe(10_000);
  expect(onSlow).not.toHaveBeenCalled();
});

test("a peer that doesn't take what is left after the end loses the connection", async () => {
  const queue = queueFor({ lingerMs: 50 });
  peer.pause();
  while (queue.pendingBytes < 64 * 1024) {
    queue.send(Buffer.alloc(64 * 1024));
    await new Promise((resolve) => setImmediate(resolve));
  }
  queue.end();
  await once(socket, "close");
});
