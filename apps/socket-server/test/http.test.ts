import { spawnSync } from "node:child_process";
import { DEFAULT_LIMITS } from "@parley/chat-protocol";
import { MemoryRoomLog } from "@parley/chat-room";
import { type RunningServer, type ServerOptions, startServer } from "@parley/socket-server";
import { afterEach, describe, expect, test } from "vitest";
import { connectText, openSocket, textOn } from "./tcp-peer.ts";

let server: RunningServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function start(options: ServerOptions = {}): Promise<string> {
  server = await startServer({ port: 0, ...options });
  return `http://127.0.0.1:${server.port}`;
}

function post(url: string, body: string, headers: Record<string, string> = {}, room = "lobby"): Promise<Response> {
  return fetch(`${url}/rooms/${room}/messages`, {
    method: "POST",
    headers: { "content-type": "text/plain", "x-parley-name": "bot", ...headers },
    body,
  });
}

describe("how the server is", () => {
  test("/healthz, /readyz and / answer; what isn't there is 404 and a wrong method 405, in JSON", async () => {
    const url = await start();
    for (const [path, text] of [
      ["/healthz", "ok\n"],
      ["/readyz", "ready\n"],
    ]) {
      const response = await fetch(url + path);
      expect([response.status, await response.text()]).toEqual([200, text]);
    }
    expect(await (await fetch(url)).text()).toContain("nc HOST PORT");
    const missing = await fetch(`${url}/etc/passwd`);
    expect([missing.status, await missing.json()]).toMatchObject([404, { error: { code: "NOT_FOUND" } }]);
    const wrong = await fetch(`${url}/rooms/lobby/messages`);
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "POST"]);
    await wrong.text();
  });

  test("/status and /metrics count people, connections and requests, and name nobody", async () => {
    const url = await start({ maxClients: 7 });
    const al = await connectText(server?.port ?? 0, "al-the-secretive\nhi\n");
    await al.until("*** welcome");
    const status = (await (await fetch(`${url}/status`)).json()) as Record<string, unknown>;
    expect(status).toMatchObject({
      state: "ready",
      pid: process.pid,
      sessions: 1,
      maxClients: 7,
      connectionsSinceStart: { text: 1 },
      log: { label: "memory" },
      listens: [url.slice("http://".length)],
    });
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get("content-type")).toContain("text/plain; version=0.0.4");
    const metrics = await response.text();
    expect(metrics).toContain("parley_sessions 1\n");
    expect(metrics).toContain('parley_connections_total{protocol="text"} 1\n');
    expect(metrics).toMatch(/parley_requests_total [45]\n/);
    expect(`${JSON.stringify(status)}${metrics}`).not.toContain("secretive");
  });

  test("while it drains /readyz says 503 and nothing else changes; then it ends", async () => {
    const url = await start({ drainDelayMs: 1500 });
    const al = await connectText(server?.port ?? 0, "al\n");
    await al.until("*** welcome");
    const closing = server?.close();
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await post(url, "late")).status).toBe(503);
    const bo = await connectText(server?.port ?? 0, "bo\n");
    await al.until("bo has joined");
    await closing;
    expect(await bo.ended).toContain("*** the server stops\n");
  });
});

describe("POST /rooms/{room}/messages", () => {
  test("text and JSON are heard by everybody, and answered with the position once the log has them", async () => {
    const log = new MemoryRoomLog();
    const url = await start({ log });
    const al = await connectText(server?.port ?? 0, "al\n");
    await al.until("*** welcome");
    const text = await post(url, "build 7 is green", { "x-parley-name": "bjørn" });
    expect(text.status).toBe(201);
    const { tail } = await log.bounds();
    expect(await text.json()).toMatchObject({ room: "lobby", name: "bjørn", position: tail, duplicate: false });
    const json = await post(url, JSON.stringify({ name: "Ci", text: "grüß euch" }), {
      "content-type": "application/json; charset=utf-8",
    });
    expect(json.status).toBe(201);
    expect(await al.until("Ci: ")).toContain("bjørn: build 7 is green\n");
    await al.until("Ci: grüß euch\n");
    expect(al.text).not.toMatch(/(bjørn|Ci) has (joined|left)/);
  });

  test("the same idempotency key is said once", async () => {
    const url = await start();
    const al = await connectText(server?.port ?? 0, "al\n");
    await al.until("*** welcome");
    const headers = { "idempotency-key": crypto.randomUUID() };
    const first = (await (await post(url, "once", headers)).json()) as { position: object };
    const second = await post(url, "once", headers);
    expect([second.status, await second.json()]).toMatchObject([200, { duplicate: true, position: first.position }]);
    await (await post(url, "end")).text();
    expect((await al.until("bot: end\n")).match(/once/g)).toHaveLength(1);
  });

  test("the name of somebody who is here is refused, in whatever case; many posts of one name at once are not", async () => {
    const url = await start();
    await (await connectText(server?.port ?? 0, "Al\n")).until("*** welcome");
    const taken = await post(url, "hi", { "x-parley-name": "aL" });
    expect([taken.status, await taken.json()]).toMatchObject([409, { error: { code: "NAME_TAKEN", number: 6 } }]);
    const many = await Promise.all(Array.from({ length: 20 }, (_, index) => post(url, `${index}`)));
    expect(new Set(many.map(({ status }) => status))).toEqual(new Set([201]));
    // The claim is gone with the last of them.
    await (await connectText(server?.port ?? 0, "bot\n")).until("*** welcome, bot");
  });

  const longest = "x".repeat(DEFAULT_LIMITS.maxTextBytes);
  test.each([
    ["no name", "hi", { "x-parley-name": "" }, 400, "NAME_INVALID"],
    ["a name that can't be", "hi", { "x-parley-name": "/quit" }, 400, "NAME_INVALID"],
    ["no text", "", {}, 400, "TEXT_EMPTY"],
    ["one byte too many", `${longest}x`, {}, 413, "TEXT_TOO_LONG"],
    ["a body without end", longest.repeat(10), {}, 413, "TEXT_TOO_LONG"],
    ["another type", "a=b", { "content-type": "application/x-www-form-urlencoded" }, 415, "UNSUPPORTED_MEDIA_TYPE"],
    ["broken JSON", "{", { "content-type": "application/json" }, 400, "MALFORMED"],
    ["JSON without text", '{"name":"x"}', { "content-type": "application/json" }, 400, "MALFORMED"],
    ["a bad message id", "hi", { "idempotency-key": "7" }, 400, "MALFORMED"],
    ["a foreign page", "hi", { origin: "https://evil.example" }, 403, "ORIGIN_REFUSED"],
  ])("%s is refused with its code in JSON", async (_, body, headers, status, code) => {
    const response = await post(await start(), body, headers);
    expect([response.status, await response.json()]).toMatchObject([status, { error: { code, temporary: false } }]);
  });

  test("text at the limit passes, and a room that isn't there is 404", async () => {
    const url = await start();
    expect((await post(url, longest)).status).toBe(201);
    const elsewhere = await post(url, "hi", {}, "else%20where");
    expect([elsewhere.status, await elsewhere.json()]).toMatchObject([404, { error: { code: "NOT_IN_ROOM" } }]);
  });
});

test("a request that doesn't arrive whole in time loses its connection, on a connection that was fine before too", async () => {
  await start({ handshakeTimeoutMs: 2000 });
  const port = server?.port ?? 0;
  const slow = await connectText(port, "POST /rooms/lobby/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
  const idle = await connectText(port, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  await idle.until("ok\n");
  idle.socket.write("GET /healthz HT");
  expect(await slow.ended).not.toContain("201");
  expect((await idle.ended).match(/200 OK/g)).toHaveLength(1);
});

test("bytes that are no HTTP behind a request line end that connection with 400", async () => {
  await start();
  const bad = textOn(await openSocket(server?.port ?? 0), "GET / HTTP/1.1\r\nbad header\r\n\r\n");
  expect(await bad.ended).toMatch(/^HTTP\/1\.1 400 /);
});

const hasCurl = spawnSync("curl", ["--version"]).error === undefined;

test.skipIf(!hasCurl)(`curl posts a message${hasCurl ? "" : " (skipped: install curl)"}`, async () => {
  const url = await start();
  const al = await connectText(server?.port ?? 0, "al\n");
  await al.until("*** welcome");
  const { spawn } = await import("node:child_process");
  const child = spawn("curl", [
    ...["-sS", "-H", "X-Parley-Name: bjørn", "-H", "Content-Type: text/plain", "--data-binary", "hi from curl"],
    `${url}/rooms/lobby/messages`,
  ]);
  await al.until("bjørn: hi from curl\n");
  await new Promise((resolve) => child.on("close", resolve));
});
