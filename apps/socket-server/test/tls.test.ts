import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { type RunningServer, startServer } from "@parley/socket-server";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { certificateFromFiles } from "../src/tls.ts";
import { run, startListening } from "./server-process.ts";
import { connectPeer, connectText, hello, openSocket, textOn } from "./tcp-peer.ts";
import { openTls, secureContext } from "./tls-peer.ts";
import { connectWebSocket } from "./websocket-peer.ts";

let server: RunningServer;

beforeEach(async () => {
  server = await startServer({ port: 0, secureContext });
});

afterEach(() => server.close());

describe("inside TLS", () => {
  test("text lines, WebSocket and HTTP are told apart as they are outside, in one chat with those outside", async () => {
    const outside = await connectText(server.port, "outside\n");
    await outside.until("*** welcome");
    const text = textOn(await openTls(server.port), "al\nhi\n");
    await text.until("*** welcome, al");
    const websocket = await connectWebSocket(`wss://127.0.0.1:${server.port}`, { rejectUnauthorized: false });
    websocket.send(hello("wes"));
    const all = await outside.until("*** wes has joined the chat\n");
    expect(all).toContain("*** al has joined the chat\nal: hi\n");
    const status = await new Promise((resolve, reject) => {
      request({ port: server.port, path: "/healthz", rejectUnauthorized: false, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on("error", reject)
        .end();
    });
    expect(status).toBe(200);
    websocket.vanish();
    text.socket.destroy();
  });

  test("a second TLS inside the first is refused, and the chat goes on", async () => {
    const socket = await openTls(server.port);
    socket.write(Uint8Array.of(0x16, 0x03, 0x01, 0x00));
    expect(await textOn(socket).ended).toContain("\u0015\u0003");
    await (await connectText(server.port, "al\n")).until("*** welcome");
  });

  test("garbage in the handshake ends that connection and no other", async () => {
    const al = await connectText(server.port, "al\n");
    await al.until("*** welcome");
    const bad = await connectText(server.port, Buffer.from([0x16, 0x03, 0x01, 0x00, 0x05, 1, 2, 3, 4, 5]));
    await bad.ended;
    const bo = await connectText(server.port, "bo\n");
    await al.until("bo has joined");
    bo.socket.destroy();
  });

  test("the time for a name holds inside TLS too", async () => {
    await server.close();
    server = await startServer({ port: 0, secureContext, handshakeTimeoutMs: 300 });
    const silent = textOn(await openSocket(server.port), Uint8Array.of(0x16, 0x03));
    // Whether or not its handshake is through by then, which a busy machine decides.
    const shaken = textOn(connect({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false }));
    await Promise.all([silent.ended, shaken.ended]);
    await expect.poll(() => server.connectionCount, { timeout: 30_000 }).toBe(0);
  });
});

test("without a certificate a TLS client gets an alert at once, not silence", async () => {
  await server.close();
  server = await startServer({ port: 0 });
  await expect(openTls(server.port)).rejects.toThrow(/handshake failure/);
  await connectPeer(server.port);
});

const hasOpenssl = spawnSync("openssl", ["version"]).error === undefined;

describe.skipIf(!hasOpenssl)(`openssl${hasOpenssl ? "" : " (skipped: install openssl)"}`, () => {
  test("s_client talks to somebody at a plain socket", async () => {
    const bo = await connectText(server.port, "bo\n");
    await bo.until("*** welcome");
    const child = spawn("openssl", ["s_client", "-quiet", "-connect", `127.0.0.1:${server.port}`], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      output += text;
    });
    const closed = new Promise((resolve) => child.on("close", resolve));
    child.stdin.write("al\nhi from openssl\n");
    await bo.until("al: hi from openssl\n");
    bo.socket.write("hi al\n");
    await expect.poll(() => output, { timeout: 30_000 }).toContain("bo: hi al\n");
    child.stdin.write("/quit\n");
    await closed;
    expect(output).toContain("*** goodbye\n");
  });

  test("--tls-cert and --tls-key serve a certificate that can be verified, and SIGHUP brings in its successor", async () => {
    const folder = mkdtempSync(join(tmpdir(), "parley-"));
    const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    const make = (name: string) =>
      spawnSync("openssl", [
        ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj".split(" "),
        `/CN=${name}`,
        ...["-keyout", key, "-out", cert],
      ]);
    const subject = (port: number) =>
      spawnSync("openssl", ["s_client", "-connect", `127.0.0.1:${port}`, "-CAfile", cert], {
        input: "",
        encoding: "utf8",
        timeout: 20_000,
      }).stdout;
    make("first");
    const started = await startListening(["--tls-cert", cert, "--tls-key", key]);
    expect(subject(started.port)).toMatch(/CN ?= ?first[\s\S]*Verify return code: 0 \(ok\)/);
    make("second");
    const again = new Promise<void>((resolve) => {
      started.child.stderr?.on("data", (text: string) => text.includes("read again") && resolve());
    });
    started.child.kill("SIGHUP");
    await again;
    expect(subject(started.port)).toMatch(/CN ?= ?second/);
    started.child.kill("SIGTERM");
    expect((await started.finished).exitCode).toBe(0);
    writeFileSync(cert, "nonsense");
    expect(() => certificateFromFiles({ certPath: cert, keyPath: key })).toThrow(/no certificate with its key/);
    rmSync(folder, { recursive: true });
  });
});

test("a certificate that isn't there is one line on stderr and exit 1", async () => {
  const { exitCode, stderr } = await run([
    "--port",
    "0",
    "--tls-cert",
    "/nowhere/cert.pem",
    "--tls-key",
    "/nowhere/key",
  ]);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^socket-server: [^\n]*\/nowhere\/cert\.pem[^\n]*\n$/);
});
