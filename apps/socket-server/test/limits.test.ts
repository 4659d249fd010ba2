import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { DEFAULT_ROOM, DisconnectCode, ErrorCode, encode, randomMessageId } from "@parley/chat-protocol";
import { type RunningServer, type ServerOptions, startServer } from "@parley/socket-server";
import { afterEach, describe, expect, test } from "vitest";
import { AddressGate, networkOf } from "../src/address-gate.ts";
import { RateWindow } from "../src/rate-window.ts";
import { connectPeer, connectText, hello, openSocket, type TcpPeer, textOn, untilEnd } from "./tcp-peer.ts";

let server: RunningServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function start(options: ServerOptions = {}): Promise<number> {
  server = await startServer({ port: 0, ...options });
  return server.port;
}

async function join(port: number, name: string): Promise<TcpPeer> {
  const peer = await connectPeer(port);
  peer.send(hello(name), 1);
  expect((await peer.next())?.message).toMatchObject({ type: "welcome" });
  return peer;
}

describe("requests in a second", () => {
  test("as many as allowed pass, one more gets RATE_LIMITED, the connection lives, and others are not limited by it", async () => {
    const port = await start({
      rateLimits: { maxRequestsPerSecond: 150, maxBytesPerSecond: Number.POSITIVE_INFINITY },
    });
    const other = await join(port, "other");
    const flooder = await connectPeer(port);
    const say = (id: number) =>
      encode({ type: "send", messageId: randomMessageId(), room: DEFAULT_ROOM, text: `${id}` }, id);
    // HELLO is the first of the 150.
    flooder.sendFrame(
      Buffer.concat([encode(hello("flooder"), 1), ...Array.from({ length: 150 }, (_, index) => say(index + 2))]),
    );
    other.send({ type: "ping" }, 7);
    let acknowledged = 0;
    for (;;) {
      const next = await flooder.next();
      if (next?.message.type === "ack") acknowledged++;
      if (next?.message.type !== "error") continue;
      expect(next).toMatchObject({
        correlationId: 151,
        message: { code: ErrorCode.RATE_LIMITED.code, temporary: true },
      });
      break;
    }
    while (acknowledged < 149) if ((await flooder.next())?.message.type === "ack") acknowledged++;
    // In the next second it is heard again.
    flooder.send({ type: "ping" }, 999);
    for (let next = await flooder.next(); next?.correlationId !== 999; next = await flooder.next()) {
      expect(next).toBeDefined();
    }
    for (let next = await other.next(); next?.correlationId !== 7; next = await other.next())
      expect(next).toBeDefined();
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(metrics).toContain("parley_rate_limited_total 1\n");
  });

  test("a person at nc is told in words, and by HTTP it is 429", async () => {
    const port = await start({ rateLimits: { maxRequestsPerSecond: 3, maxBytesPerSecond: Number.POSITIVE_INFINITY } });
    const al = await connectText(port, "al\none\ntwo\nthree\n");
    await al.until("*** error: too much at once");
    const http = await connectText(port, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(4));
    expect(await http.until("RATE_LIMITED")).toMatch(/(HTTP\/1\.1 200 OK[\s\S]*){3}HTTP\/1\.1 429 /);
    http.socket.destroy();
  });

  test("a window begins with the first request after the last one's end", () => {
    const rate = new RateWindow({ maxRequestsPerSecond: 2, maxBytesPerSecond: 10 });
    expect([0, 999, 999, 1000, 1000, 1500].map((nowMs) => rate.takeRequest(nowMs))).toEqual([
      ...[true, true, false],
      ...[true, true, false],
    ]);
    expect(rate.remainingMs(1500)).toBe(500);
    expect([rate.tookBytes(9, 3000), rate.tookBytes(1, 3000), rate.tookBytes(9, 4000)]).toEqual([false, true, false]);
  });
});

test("who sends more bytes than allowed is read on in the next second, and loses nothing", async () => {
  const port = await start({
    rateLimits: { maxRequestsPerSecond: Number.POSITIVE_INFINITY, maxBytesPerSecond: 100_000 },
  });
  const flooder = await join(port, "flooder");
  const count = 100;
  const text = "x".repeat(3000);
  for (let id = 0; id < count; id++) {
    flooder.send({ type: "send", messageId: randomMessageId(), room: DEFAULT_ROOM, text }, id + 10);
  }
  let acknowledged = 0;
  while (acknowledged < count) {
    const next = await flooder.next();
    expect(next?.message.type).not.toBe("error");
    if (next?.message.type === "ack") acknowledged++;
  }
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(Number(/parley_throttled_total (\d+)/.exec(metrics)?.[1])).toBeGreaterThanOrEqual(1);
});

describe("connections", () => {
  test("one more from an address is closed as it comes; when one leaves, another gets in; other addresses don't count", async () => {
    const port = await start({ host: "127.0.0.1", maxConnectionsPerAddress: 2 });
    const first = await join(port, "ada");
    await join(port, "bo");
    expect(await (await connectText(port)).ended).toBe("");
    const elsewhere = connect({ port, host: "127.0.0.1", localAddress: "127.0.0.2" });
    await once(elsewhere, "connect");
    await textOn(elsewhere, "cy\n").until("*** welcome, cy");
    first.vanish();
    await expect.poll(() => server?.connectionCount, { timeout: 30_000 }).toBe(2);
    await join(port, "dee");
    elsewhere.destroy();
  });

  test("addresses are counted by IPv4 address and by IPv6 /64", () => {
    expect(networkOf("192.0.2.1")).toBe("192.0.2.1");
    expect(networkOf("::ffff:192.0.2.1")).toBe("192.0.2.1");
    expect(networkOf("2001:db8:1:2:3:4:5:6")).toBe(networkOf("2001:db8:1:2::9"));
    expect(networkOf("2001:db8:1:2::9")).not.toBe(networkOf("2001:db8:1:3::9"));
    expect(networkOf("::1")).toBe(networkOf("::2"));
    const gate = new AddressGate({ maxConnections: 2, maxConnectionsPerAddress: 1 });
    expect([gate.enter("192.0.2.1"), gate.enter("192.0.2.1"), gate.enter(undefined), gate.enter(undefined)]).toEqual([
      ...[undefined, "too many connections from one address", undefined, "too many connections"],
    ]);
    gate.leave("192.0.2.1");
    expect(gate.enter("192.0.2.1")).toBeUndefined();
  });

  test("two ports and a Unix socket serve one room", async () => {
    const folder = mkdtempSync(joinPath(tmpdir(), "parley-"));
    const path = joinPath(folder, "chat.sock");
    server = await startServer({ listen: [{ host: "127.0.0.1", port: 0 }, { host: "127.0.0.1", port: 0 }, { path }] });
    const [one, two] = server.addresses.flatMap((address) => address.port ?? []) as [number, number];
    expect(one).not.toBe(two);
    const ada = await connectText(one, "ada\n");
    await ada.until("*** welcome");
    const bo = await connectText(two, "bo\n");
    await bo.until("*** welcome");
    const unix = connect({ path });
    await once(unix, "connect");
    const cy = textOn(unix, "cy\nhi all\n");
    await ada.until("cy: hi all\n");
    await bo.until("cy: hi all\n");
    // A second server can't have the socket while the first answers on it, but may have what a dead one left.
    await expect(startServer({ listen: [{ path }] })).rejects.toThrow(/EADDRINUSE/);
    cy.socket.destroy();
    rmSync(folder, { recursive: true });
  });
});

describe("heartbeat", () => {
  test("who is silent is asked, then cut off as HEARTBEAT_TIMEOUT; who answers stays", async () => {
    const port = await start({ heartbeatMs: 1000 });
    const answering = await join(port, "answering");
    const silent = await join(port, "silent");
    const cut = untilEnd(silent);
    let pings = 0;
    for (;;) {
      const next = await answering.next();
      if (next?.message.type === "left") {
        expect(next.message).toMatchObject({ name: "silent", reason: "lost" });
        break;
      }
      if (next?.message.type !== "ping") continue;
      pings++;
      answering.send({ type: "pong" } as never, next.correlationId);
    }
    const heard = (await cut).map(({ message }) => message);
    expect(heard.some(({ type }) => type === "ping")).toBe(true);
    expect(heard.at(-1)).toMatchObject({ code: DisconnectCode.HEARTBEAT_TIMEOUT.code, temporary: true });
    expect(pings).toBeGreaterThanOrEqual(1);
    expect(server?.sessionCount).toBe(1);
  });

  test("a person at nc may be silent for as long as they like", async () => {
    const port = await start({ heartbeatMs: 50 });
    const al = await connectText(port, "al\n");
    await al.until("*** welcome");
    const silent = await join(port, "silent");
    await untilEnd(silent);
    const bo = textOn(await openSocket(port), "bo\n");
    await al.until("bo has joined");
    bo.socket.destroy();
  });
});
