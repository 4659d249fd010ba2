import { DisconnectCode, ErrorCode, encode, type Message } from "@parley/chat-protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ChatClient, type ChatClientEvent, type ConnectOptions, connect } from "../src/node.ts";
import { FrameServer, idOf, messageAt, type Peer, WELCOME } from "./fixtures/frame-server.ts";

let server: FrameServer;
const open = new Set<{ close(): void }>();

beforeEach(async () => {
  server = await FrameServer.start();
});

afterEach(() => {
  for (const each of open) each.close();
  open.clear();
  server.stop();
});

/** A client and the server's end of its connection, welcomed. */
async function joined(
  options: Partial<ConnectOptions> = {},
  welcome: Partial<typeof WELCOME> = {},
  ...behind: Message[]
): Promise<{ client: ChatClient; peer: Peer; events: ChatClientEvent[] }> {
  const [client, peer] = await Promise.all([
    connect(server.url, { name: "ada", ...options }),
    (async () => {
      const peer = await server.peer();
      await peer.welcome(welcome, ...behind);
      return peer;
    })(),
  ]);
  open.add(client);
  const events: ChatClientEvent[] = [];
  for (const type of ["message", "joined", "left", "gap", "error", "disconnect"] as const) {
    client.on(type, (event) => events.push(event));
  }
  // Timers of the same length run in order: the client's, which lets events through, was set before this one.
  await new Promise((resolve) => setTimeout(resolve, 0));
  return { client, peer, events };
}

/** Everything the server sent so far has been looked at. */
async function caughtUp(client: ChatClient, peer: Peer): Promise<void> {
  const round = client.ping();
  const { correlationId } = await peer.next("ping");
  peer.send([{ type: "pong" }, correlationId]);
  await round;
}

const ownJoined: Message = {
  type: "joined",
  position: WELCOME.position,
  prev: 3,
  timeMs: 1,
  messageId: idOf(10),
  room: "lobby",
  name: "ada",
};

describe("joining", () => {
  test("says who it is and learns what the server decided", async () => {
    const connecting = connect(server.url, { name: "Ada", token: "s3cret", client: "test/1" });
    const peer = await server.peer();
    const { message, correlationId } = await peer.next("hello");
    expect(message).toMatchObject({ name: "Ada", token: "s3cret", client: "test/1", protocolMin: 1, protocolMax: 1 });
    expect(correlationId).not.toBe(0);
    peer.send([{ ...WELCOME, name: "ada", room: "den" }, correlationId]);
    const client = await connecting;
    open.add(client);
    expect(client).toMatchObject({ name: "ada", room: "den", sessionId: WELCOME.sessionId, limits: WELCOME.limits });
    expect(client.url).toBe(server.url);
    expect(client.position).toEqual(WELCOME.position);
  });

  test("events in the same bytes as WELCOME reach listeners that are added after `await connect`", async () => {
    const { client, peer, events } = await joined({}, {}, ownJoined, messageAt(12, 10, "hi"));
    await caughtUp(client, peer);
    await expect
      .poll(() => events)
      .toMatchObject([
        { type: "joined", own: true },
        { type: "message", text: "hi" },
      ]);
  });

  test("a refusal has the server's code and text, and the connection is closed", async () => {
    const connecting = connect(server.url, { name: "ada" });
    const peer = await server.peer();
    const { correlationId } = await peer.next("hello");
    const { code } = ErrorCode.NAME_TAKEN;
    peer.send([{ type: "error", code, temporary: false, message: "ada is taken" }, correlationId]);
    await expect(connecting).rejects.toMatchObject({
      name: "ChatClientError",
      code: "NAME_TAKEN",
      temporary: false,
      message: "ada is taken",
    });
    await peer.ended();
  });

  test("a full server says that it may be worth another try; codes of a later version are shown by number", async () => {
    for (const [code, name] of [
      [ErrorCode.SERVER_FULL.code, "SERVER_FULL"],
      [999, "UNKNOWN(999)"],
    ] as const) {
      const connecting = connect(server.url, { name: "ada" });
      const peer = await server.peer();
      const { correlationId } = await peer.next("hello");
      peer.send([{ type: "error", code, temporary: true, message: "" }, correlationId]);
      await expect(connecting).rejects.toMatchObject({ code: name, temporary: true, message: name });
    }
  });

  test("DISCONNECT, or the end of the connection, instead of WELCOME", async () => {
    const first = connect(server.url, { name: "ada" });
    const { code } = DisconnectCode.SHUTTING_DOWN;
    (await server.peer()).send({ type: "disconnect", code, temporary: true, message: "the server stops" });
    await expect(first).rejects.toMatchObject({ code: "SHUTTING_DOWN", temporary: true });

    const second = connect(server.url, { name: "ada" });
    (await server.peer()).socket.end();
    await expect(second).rejects.toMatchObject({
      code: "CONNECTION_LOST",
      message: `cannot join at ${server.url}: the other side ended the connection`,
    });
  });

  test("something that isn't a chat server is recognized", async () => {
    const connecting = connect(server.url, { name: "ada" });
    (await server.peer()).socket.write("HTTP/1.1 400 Bad Request\r\n\r\n");
    await expect(connecting).rejects.toMatchObject({ code: "NOT_A_CHAT_SERVER" });
  });

  test("is given up after the timeout, and the connection is closed", async () => {
    const connecting = connect(server.url, { name: "ada", connectTimeoutMs: 20 });
    const peer = await server.peer();
    await expect(connecting).rejects.toMatchObject({
      code: "CONNECT_TIMEOUT",
      message: `cannot reach ${server.url}: no answer within 20 ms`,
    });
    await peer.ended();
  });

  test("is given up at the caller's signal: before it begins, and in its midst", async () => {
    const cause = new Error("changed my mind");
    const before = connect(server.url, { name: "ada", signal: AbortSignal.abort(cause) });
    await expect(before).rejects.toMatchObject({ code: "ABORTED", cause });

    const controller = new AbortController();
    const connecting = connect(server.url, { name: "ada", signal: controller.signal });
    const peer = await server.peer();
    await peer.next("hello");
    controller.abort(cause);
    await expect(connecting).rejects.toMatchObject({ code: "ABORTED", cause });
    await peer.ended();
  });
});

describe("sending", () => {
  test("resolves with the ACK; the own event that comes later isn't shown", async () => {
    const { client, peer, events } = await joined();
    const sending = client.send("hello");
    const { message, correlationId } = await peer.next("send");
    expect(message).toMatchObject({ room: "lobby", text: "hello" });
    const position = { epoch: 7, seq: 12 };
    peer.send([{ type: "ack", position, timeMs: 5, duplicate: false }, correlationId]);
    await expect(sending).resolves.toEqual({ messageId: message.messageId, position, timeMs: 5, duplicate: false });
    peer.send(messageAt(12, 10, "hello", message.messageId));
    await caughtUp(client, peer);
    expect(events).toEqual([]);
    expect(client.position).toEqual(position);
  });

  test("resolves with the own event when that comes first; the ACK that comes later changes nothing", async () => {
    const { client, peer, events } = await joined();
    const sending = client.send("hello");
    const { message, correlationId } = await peer.next("send");
    peer.send(messageAt(12, 10, "hello", message.messageId));
    await expect(sending).resolves.toMatchObject({ position: { epoch: 7, seq: 12 }, timeMs: 1012, duplicate: false });
    peer.send([{ type: "ack", position: { epoch: 7, seq: 12 }, timeMs: 1012, duplicate: false }, correlationId]);
    await caughtUp(client, peer);
    expect(events).toEqual([]);
    expect(client.pendingCount).toBe(0);
  });

  test.each(["ack first", "event first"])(
    "with `echo` the own message comes as an own event, once (%s)",
    async (order) => {
      const { client, peer, events } = await joined({ echo: true });
      const sending = client.send("hello");
      const { message, correlationId } = await peer.next("send");
      const event = messageAt(12, 10, "hello", message.messageId);
      const ack: [Message, number] = [
        { type: "ack", position: event.position, timeMs: event.timeMs, duplicate: false },
        correlationId,
      ];
      if (order === "ack first") peer.send(ack, event, event);
      else peer.send(event, ack, event);
      await sending;
      await caughtUp(client, peer);
      expect(events).toMatchObject([{ type: "message", text: "hello", own: true }]);
    },
  );

  test("many under way at once are told apart", async () => {
    const { client, peer } = await joined();
    const sending = Array.from({ length: 100 }, (_, index) => client.send(`${index}`));
    const requests = [];
    for (let index = 0; index < 100; index++) requests.push(await peer.next("send"));
    expect(requests.map(({ message }) => message.text)).toEqual(sending.map((_, index) => `${index}`));
    expect(new Set(requests.map(({ message }) => message.messageId)).size).toBe(100);
    for (const { message, correlationId } of requests.reverse()) {
      const position = { epoch: 7, seq: 100 + Number(message.text) };
      peer.send([{ type: "ack", position, timeMs: 0, duplicate: false }, correlationId]);
    }
    const sent = await Promise.all(sending);
    expect(sent.map(({ position }) => position.seq)).toEqual(sent.map((_, index) => 100 + index));
  });

  test("a refusal rejects that message only, and names it so that it can be repeated", async () => {
    const { client, peer } = await joined();
    const refused = client.send("one");
    const taken = client.send("two");
    const first = await peer.next("send");
    const second = await peer.next("send");
    const { code } = ErrorCode.OVERLOADED;
    peer.send(
      [{ type: "error", code, temporary: true, message: "the queue is full" }, first.correlationId],
      [{ type: "ack", position: { epoch: 7, seq: 12 }, timeMs: 0, duplicate: false }, second.correlationId],
    );
    await expect(refused).rejects.toMatchObject({
      code: "OVERLOADED",
      temporary: true,
      messageId: first.message.messageId,
    });
    await taken;

    const again = client.send("one", { messageId: first.message.messageId });
    const repeated = await peer.next("send");
    expect(repeated.message.messageId).toBe(first.message.messageId);
    peer.send([{ type: "ack", position: { epoch: 7, seq: 11 }, timeMs: 0, duplicate: true }, repeated.correlationId]);
    await expect(again).resolves.toMatchObject({ duplicate: true, position: { seq: 11 } });
  });

  test("repeated while its event is still to come, a message is settled by its ACK and still known as an own one", async () => {
    const { client, peer, events } = await joined();
    const messageId = idOf(99);
    const sending = client.send("hello", { messageId });
    const { correlationId } = await peer.next("send");
    const event = messageAt(12, 10, "hello", messageId);
    const { position, timeMs } = event;
    peer.send([{ type: "ack", position, timeMs, duplicate: true }, correlationId], event);
    await expect(sending).resolves.toEqual({ messageId, position, timeMs, duplicate: true });
    await caughtUp(client, peer);
    expect(events).toEqual([]);
  });

  test("what the limits forbid isn't sent", async () => {
    const { client } = await joined({}, { limits: { ...WELCOME.limits, maxTextBytes: 8 } });
    await expect(client.send("")).rejects.toMatchObject({ code: "TEXT_EMPTY" });
    await expect(client.send("éééée")).rejects.toMatchObject({
      code: "TEXT_TOO_LONG",
      message: "the text has 9 bytes; at most 8 are allowed",
    });
    expect(client.pendingCount).toBe(0);
  });

  test("more under way than `maxPending` are refused at once", async () => {
    const { client } = await joined({ maxPending: 2 });
    const under = [client.send("1"), client.send("2")];
    await expect(client.send("3")).rejects.toMatchObject({ code: "TOO_MANY_PENDING", temporary: true });
    client.close();
    await Promise.allSettled(under);
  });

  test("without an answer in time, at an abort, or when the connection ends, nobody knows what became of it", async () => {
    const { client, peer } = await joined({ requestTimeoutMs: 20 });
    await expect(client.send("a")).rejects.toMatchObject({ code: "REQUEST_TIMEOUT", messageId: expect.any(String) });
    const controller = new AbortController();
    const aborted = client.send("b", { signal: controller.signal });
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ code: "ABORTED", messageId: expect.any(String) });
    expect(client.pendingCount).toBe(0);

    const lost = client.send("c");
    peer.socket.destroy();
    await expect(lost).rejects.toMatchObject({ code: "CONNECTION_LOST", messageId: expect.any(String) });
    await client.closed;
    await expect(client.send("d")).rejects.toMatchObject({ code: "CLOSED" });
  });
});

describe("the room's order", () => {
  test("an event seen before is dropped, a gap is told in front of the event that shows it", async () => {
    const { client, peer, events } = await joined({}, {}, ownJoined);
    peer.send(
      messageAt(12, 10, "a"),
      messageAt(12, 10, "a"),
      ownJoined,
      messageAt(30, 20, "b"),
      messageAt(31, 30, "c"),
    );
    await caughtUp(client, peer);
    expect(events).toMatchObject([
      { type: "joined" },
      { type: "message", text: "a" },
      { type: "gap", after: { seq: 12 }, before: { seq: 30 } },
      { type: "message", text: "b" },
      { type: "message", text: "c" },
    ]);
  });

  test("another epoch is a gap", async () => {
    const { client, peer, events } = await joined();
    peer.send({ ...messageAt(1, 0, "new life"), position: { epoch: 8, seq: 1 } });
    await caughtUp(client, peer);
    expect(events).toMatchObject([{ type: "gap", before: { epoch: 8, seq: 1 } }, { type: "message" }]);
  });

  test("an event of a type that isn't known is skipped, and is no gap", async () => {
    const { client, peer, events } = await joined();
    const unknown = encode(messageAt(12, 10, "?"));
    unknown[5] = 0x6f;
    peer.socket.write(unknown);
    peer.send(messageAt(13, 12, "known"));
    await caughtUp(client, peer);
    expect(events).toMatchObject([{ type: "message", text: "known" }]);
  });

  test("own coming and going is marked", async () => {
    const { client, peer, events } = await joined({}, {}, ownJoined);
    const left = { ...messageAt(12, 10, ""), type: "left", name: "bo", reason: "died" } as const;
    peer.send(left, { ...left, position: { epoch: 7, seq: 13 }, prev: 12, name: "ada", reason: "quit" });
    await caughtUp(client, peer);
    expect(events).toMatchObject([
      { type: "joined", own: true },
      { type: "left", name: "bo", reason: "died", own: false },
      { type: "left", name: "ada", reason: "quit", own: true },
    ]);
  });
});

describe("the rest of a conversation", () => {
  test("ping measures a round trip, and the server's PING is answered", async () => {
    const { client, peer } = await joined();
    const round = client.ping();
    const { correlationId } = await peer.next("ping");
    peer.send([{ type: "pong" }, correlationId], [{ type: "ping" }, 77]);
    expect(await round).toBeGreaterThanOrEqual(0);
    expect((await peer.next("pong")).correlationId).toBe(77);
  });

  test("an idle client lets itself be heard as the server asked; one whose PING isn't answered gives up", async () => {
    const { client, peer } = await joined({}, { heartbeatMs: 40 });
    const { correlationId } = await peer.next("ping");
    peer.send([{ type: "pong" }, correlationId]);
    await peer.next("ping");
    await expect(client.closed).resolves.toMatchObject({
      by: "transport",
      temporary: true,
      message: "no answer to a heartbeat",
    });
  });

  test("unknown types are skipped; a reply or an event that can't be read is told, and the connection lives", async () => {
    const { client, peer, events } = await joined();
    peer.socket.write(new Uint8Array([0, 0, 0, 8, 1, 0x3e, 0, 0, 0, 0, 0, 0]));
    peer.socket.write(new Uint8Array([0, 0, 0, 8, 1, 0x40, 0, 0, 0, 0, 0, 0]));
    const { code } = ErrorCode.INTERNAL;
    peer.send({ type: "error", code, temporary: true, message: "oops" });
    await caughtUp(client, peer);
    expect(events).toMatchObject([
      { type: "error", error: { code: "MALFORMED" } },
      { type: "error", error: { code: "INTERNAL", message: "oops" } },
    ]);

    const sending = client.send("hi");
    const { correlationId } = await peer.next("send");
    peer.socket.write(new Uint8Array([0, 0, 0, 8, 1, 0x10, 0, 0, 0, 0, 0, correlationId]));
    await expect(sending).rejects.toMatchObject({ code: "MALFORMED" });
  });

  test("bytes that are no frame end the connection", async () => {
    const { client, peer } = await joined();
    peer.socket.write(new Uint8Array([0xff, 0xff, 0xff, 0xff]));
    await expect(client.closed).resolves.toMatchObject({ code: "FRAME_TOO_LARGE", temporary: false });
    await peer.ended();
  });

  test.each([
    [100_000, true],
    [2 ** 32 - 1, true],
    [65_536, false],
  ])(
    "frames of up to what the server advertised (%i) are taken, but never of 2^24 bytes",
    async (maxFrameBytes, longer) => {
      const { client, peer } = await joined({}, { limits: { ...WELCOME.limits, maxFrameBytes } });
      peer.socket.write(new Uint8Array([0, 1, 0x80, 0, 1, 0x3e, 0, 0, 0, 0, 0, 0, ...new Uint8Array(0x1_8000 - 8)]));
      if (longer) {
        await caughtUp(client, peer);
        peer.socket.write(new Uint8Array([1, 0, 0, 0]));
      }
      await expect(client.closed).resolves.toMatchObject({ code: "FRAME_TOO_LARGE" });
    },
  );

  test("a listener that throws harms no other", async () => {
    const { client, peer, events } = await joined();
    const thrown: unknown[] = [];
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", (error) => thrown.push(error));
    try {
      const off = client.on("message", () => {
        throw new Error("listener");
      });
      peer.send(messageAt(12, 10, "a"));
      await caughtUp(client, peer);
      off();
      peer.send(messageAt(13, 12, "b"));
      await caughtUp(client, peer);
    } finally {
      process.removeAllListeners("uncaughtException");
      for (const other of others) process.on("uncaughtException", other);
    }
    expect(events).toHaveLength(2);
    expect(thrown).toHaveLength(1);
  });
});

describe("the end", () => {
  test("quit: what was sent before is answered, then DISCONNECT BYE", async () => {
    const { client, peer, events } = await joined();
    const sending = client.send("last words");
    const quitting = client.quit();
    const send = await peer.next("send");
    const quit = await peer.next("quit");
    const { code } = DisconnectCode.BYE;
    peer.send(
      [{ type: "ack", position: { epoch: 7, seq: 12 }, timeMs: 0, duplicate: false }, send.correlationId],
      [{ type: "disconnect", code, temporary: false, message: "goodbye" }, quit.correlationId],
    );
    await sending;
    const end = { type: "disconnect", by: "client", code: "BYE", temporary: false, message: "goodbye" };
    await expect(quitting).resolves.toEqual(end);
    await expect(client.quit()).resolves.toEqual(end);
    expect(events).toEqual([end]);
    await peer.ended();
  });

  test("quit without an answer ends all the same", async () => {
    const { client } = await joined({ requestTimeoutMs: 20 });
    await expect(client.quit()).resolves.toMatchObject({ by: "client", code: undefined });
  });

  test.each([
    ["SHUTTING_DOWN", true],
    ["PROTOCOL_ERROR", false],
  ] as const)("the server's %s says whether to come back", async (name, temporary) => {
    const { client, peer } = await joined();
    peer.send({ type: "disconnect", code: DisconnectCode[name].code, temporary, message: "why" });
    await expect(client.closed).resolves.toEqual({
      type: "disconnect",
      by: "server",
      code: name,
      temporary,
      message: "why",
    });
  });

  test("a connection that breaks off is worth another try", async () => {
    const { client, peer } = await joined();
    peer.socket.resetAndDestroy();
    await expect(client.closed).resolves.toMatchObject({
      by: "transport",
      code: undefined,
      temporary: true,
      message: "connection reset by the other side",
    });
  });

  test("close ends at once, once", async () => {
    const { client, peer, events } = await joined();
    client.close();
    client.close();
    await expect(client.closed).resolves.toMatchObject({ by: "client", temporary: false });
    await peer.ended();
    expect(events.filter(({ type }) => type === "disconnect")).toHaveLength(1);
  });
});

describe("async iteration", () => {
  test("gives the events in order and ends with disconnect", async () => {
    const { client, peer } = await joined();
    peer.send(messageAt(12, 10, "a"), messageAt(13, 12, "b"));
    const { code } = DisconnectCode.SHUTTING_DOWN;
    peer.send({ type: "disconnect", code, temporary: true, message: "" });
    const seen: string[] = [];
    for await (const event of client) seen.push(event.type === "message" ? event.text : event.type);
    expect(seen).toEqual(["a", "b", "disconnect"]);
    for await (const _ of client) expect.unreachable();
  });

  test("leaving the loop stops it, not the client; two iterators each get everything", async () => {
    const { client, peer } = await joined();
    const first = client[Symbol.asyncIterator]();
    const second = client[Symbol.asyncIterator]();
    const waiting = [first.next(), first.next()];
    peer.send(messageAt(12, 10, "a"), messageAt(13, 12, "b"));
    await expect(Promise.all(waiting)).resolves.toMatchObject([{ value: { text: "a" } }, { value: { text: "b" } }]);
    await expect(second.next()).resolves.toMatchObject({ value: { text: "a" } });
    await second.return?.();
    await expect(second.next()).resolves.toEqual({ done: true, value: undefined });
    await caughtUp(client, peer);
  });

  test("an owner who doesn't read is told, and memory stays bounded", async () => {
    const { client, peer } = await joined();
    const iterator = client[Symbol.asyncIterator]();
    let seq = 11;
    for (let batch = 0; batch < 66; batch++) {
      peer.send(...Array.from({ length: 1000 }, () => messageAt(++seq, seq - 1, "x")));
    }
    await caughtUp(client, peer);
    await expect(iterator.next()).rejects.toMatchObject({ code: "READER_TOO_SLOW" });
    await expect(iterator.next()).resolves.toMatchObject({ done: true });
  });
});
