import { once } from "node:events";
import { readdirSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { DEFAULT_ROOM, DisconnectCode, encode, type Position, randomMessageId } from "@parley/chat-protocol";
import { expect, test } from "vitest";
import { readableLine } from "../src/logging.ts";
import { run, startListening, startProcess } from "./server-process.ts";
import { connectPeer, connectText, hello, openSocket, type TcpPeer } from "./tcp-peer.ts";

async function join(port: number, name: string): Promise<TcpPeer> {
  const peer = await connectPeer(port);
  peer.send(hello(name), 1);
  await peer.next();
  return peer;
}

test("SIGTERM under load: exit 0, everybody is told, and every acknowledged message was delivered", async () => {
  const server = await startListening(["--log-level", "error"]);
  const reader = await join(server.port, "reader");
  const writers = [await join(server.port, "w1"), await join(server.port, "w2")];
  const seen = new Set<number>();
  let lastOfReader: unknown;
  let seenEnough: () => void = () => {};
  const underLoad = new Promise<void>((resolve) => {
    seenEnough = resolve;
  });
  const reading = (async () => {
    for (let next = await reader.next(); next !== undefined; next = await reader.next()) {
      lastOfReader = next.message;
      if (next.message.type === "message") seen.add(next.message.position.seq);
      if (seen.size > 2000) seenEnough();
    }
  })();
  const acknowledged: Position[] = [];
  const writing = writers.map(async (writer) => {
    const say = () =>
      writer.send({ type: "send", messageId: randomMessageId(), room: DEFAULT_ROOM, text: "x".repeat(50) }, 2);
    for (let index = 0; index < 64; index++) say();
    for (let next = await writer.next(); next !== undefined; next = await writer.next()) {
      if (next.message.type !== "ack") continue;
      acknowledged.push(next.message.position);
      if (!writer.socket.destroyed) say();
    }
  });
  await underLoad;
  server.child.kill("SIGTERM");
  expect(await server.finished).toMatchObject({ exitCode: 0, signal: null, stderr: "" });
  await Promise.all([reading, ...writing]);
  expect(acknowledged.length).toBeGreaterThan(1000);
  expect(acknowledged.filter((position) => !seen.has(position.seq))).toEqual([]);
  expect(lastOfReader).toMatchObject({ type: "disconnect", code: DisconnectCode.SHUTTING_DOWN.code, temporary: true });
});

test("a peer that doesn't read delays the stop by no more than the grace; a text peer is told in words", async () => {
  const server = await startListening(["--grace-ms", "300"]);
  const stuck = await join(server.port, "stuck");
  stuck.socket.pause();
  const al = await connectText(server.port, "al\n");
  await al.until("welcome");
  server.child.kill("SIGINT");
  expect(await al.ended).toContain("*** the server stops\n");
  expect((await server.finished).exitCode).toBe(0);
  stuck.socket.destroy();
});

const MARK = "what is said, marked";
const LONGEST_CUT = MARK.length - 1;

/**
 * In the chat, and not decoding what they hear: a thousand people joining is half a million events in this process.
 * They say their names at once, so that the server tells of many in one turn.
 */
async function idleInChat(port: number, count: number): Promise<Socket[]> {
  const sockets = await Promise.all(Array.from({ length: count }, () => openSocket(port)));
  const heard = sockets.map((socket) => once(socket, "data"));
  for (const [index, socket] of sockets.entries()) {
    socket.on("error", () => {});
    socket.write(encode(hello(`n${index}`)));
  }
  await Promise.all(heard);
  return sockets.map((socket) => socket.resume());
}

test("1,000 idle connections take no thread, others are served, and a reset gives every file descriptor back", async () => {
  const server = await startListening(["--log-level", "error"]);
  const entries = (folder: string) => readdirSync(`/proc/${server.child.pid}/${folder}`).length;
  await (await connectText(server.port, "al\n")).until("welcome");
  const [threads, descriptors] = [entries("task"), entries("fd")];
  const idle = await idleInChat(server.port, 1000);
  expect(entries("fd")).toBe(descriptors + 1000);
  expect(entries("task")).toBe(threads);
  await (await connectText(server.port, "bo\n")).until("welcome");
  for (const socket of idle) socket.resetAndDestroy();
  await expect.poll(() => entries("fd"), { timeout: 30_000 }).toBe(descriptors + 1);
  server.child.kill("SIGTERM");
  expect((await server.finished).exitCode).toBe(0);
});

test("SIGTERM with 1,000 clients and talk: each gets every message that was acknowledged, then DISCONNECT; exit 0 in time", async () => {
  const server = await startListening(["--log-level", "error"]);
  const idle = await idleInChat(server.port, 1000);
  const tails = idle.map((socket) => {
    // What is said is marked; the rest of the events isn't looked at. A read may cut a mark in two.
    const heard = { marks: 0, last: "" };
    socket.on("data", (part: Buffer) => {
      heard.last = heard.last.slice(-LONGEST_CUT) + part.toString("latin1");
      heard.marks += heard.last.split(MARK).length - 1;
    });
    return { heard, closed: once(socket, "close") };
  });
  const writer = await join(server.port, "writer");
  const say = () => writer.send({ type: "send", messageId: randomMessageId(), room: DEFAULT_ROOM, text: MARK }, 2);
  let acknowledged = 0;
  for (let index = 0; index < 8; index++) say();
  for (let next = await writer.next(); next !== undefined; next = await writer.next()) {
    if (next.message.type !== "ack") continue;
    if (++acknowledged === 100) server.child.kill("SIGTERM");
    if (!writer.socket.destroyed) say();
  }
  expect(await server.finished).toMatchObject({ exitCode: 0, stderr: "" });
  await Promise.all(tails.map(({ closed }) => closed));
  expect(acknowledged).toBeGreaterThanOrEqual(100);
  for (const { heard } of tails) {
    expect(heard.marks).toBeGreaterThanOrEqual(acknowledged);
    expect(heard.last).toContain("the server stops");
  }
});

test("a second signal exits at once", async () => {
  const server = await startListening(["--grace-ms", "600000"]);
  const stuck = await join(server.port, "stuck");
  stuck.socket.pause();
  stuck.socket.on("end", () => {});
  let log = "";
  const stopping = new Promise<void>((resolve) => {
    server.child.stderr?.on("data", (text: string) => {
      log += text;
      if (log.includes("stopping")) resolve();
    });
  });
  server.child.kill("SIGTERM");
  await stopping;
  server.child.kill("SIGTERM");
  expect((await server.finished).exitCode).toBe(1);
  stuck.socket.destroy();
});

test("it says where it listens, and gives lines to copy", async () => {
  const server = startProcess(["--port", "0"]);
  const greeting = await new Promise<string>((resolve) => {
    let text = "";
    server.child.stdout?.on("data", (part: string) => {
      text += part;
      if (text.includes("/quit leaves.")) resolve(text);
    });
  });
  const port = /port (\d+)/.exec(greeting)?.[1];
  expect(greeting).toContain(`  nc 127.0.0.1 ${port}\n`);
  expect(greeting).toContain(`  npm run -s chat -- tcp://127.0.0.1:${port} --name ada\n`);
  server.child.kill("SIGTERM");
  expect((await server.finished).exitCode).toBe(0);
});

test("--json tells host, port and pid in one line, and the log has no words of anybody", async () => {
  const server = await startListening();
  const al = await connectText(server.port, "al\n");
  await al.until("welcome");
  al.socket.write("a secret\n/quit\n");
  await al.ended;
  server.child.kill("SIGTERM");
  const { stdout, stderr } = await server.finished;
  expect(JSON.parse(stdout)).toEqual({
    event: "listening",
    host: "127.0.0.1",
    port: server.port,
    pid: server.child.pid,
    listens: [`127.0.0.1:${server.port}`],
  });
  const log = stderr
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(log.map((line) => line.msg)).toEqual(expect.arrayContaining(["joined", "left"]));
  expect(stderr).not.toContain("secret");
});

test("--max-clients refuses one more with SERVER_FULL", async () => {
  const server = await startListening(["--max-clients", "1"]);
  const al = await connectText(server.port, "al\n");
  await al.until("welcome");
  await (await connectText(server.port, "bo\n")).until("*** error: no more than 1 may be here at once");
  server.child.kill("SIGTERM");
  await server.finished;
});

test("--help shows examples and exits with 0", async () => {
  const { exitCode, stdout } = await run(["--help"]);
  expect(exitCode).toBe(0);
  expect(stdout).toContain("--max-clients");
  expect(stdout).toContain("Examples:");
});

test.each([
  [["--bogus"], "--bogus"],
  [["--port", "x"], "'x'"],
  [["--port", "65536"], "'65536'"],
  [["--max-clients", "0"], "'0'"],
  [["--log-level", "loud"], "'loud'"],
  [["extra"], "too many arguments"],
])("the usage mistake %j is one line on stderr and exit 2", async (args, mentioned) => {
  const { exitCode, stdout, stderr } = await run(args);
  expect(exitCode).toBe(2);
  expect(stdout).toBe("");
  expect(stderr).toMatch(/^socket-server: [^\n]+\n$/);
  expect(stderr).toContain(mentioned);
});

test("a port in use and an address that isn't here are one line on stderr and exit 1", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  for (const [args, mentioned] of [
    [["--port", `${port}`], `port ${port} on 127.0.0.1 is in use`],
    [["--host", "203.0.113.7", "--port", "0"], "203.0.113.7 is not an address of this machine"],
  ] as const) {
    const { exitCode, stderr } = await run(args);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^socket-server: [^\n]+\n$/);
    expect(stderr).toContain(mentioned);
  }
  other.close();
});

test("a log line on a terminal is readable and can't be used to play tricks on it", () => {
  const line = readableLine(
    JSON.stringify({ level: 30, time: 0, msg: "joined", name: "a\u001b[2Jda", peer: "127.0.0.1:1" }),
  );
  expect(line).toContain("joined name=ada peer=127.0.0.1:1\n");
});
