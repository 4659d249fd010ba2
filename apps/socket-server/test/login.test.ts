import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ErrorCode } from "@parley/chat-protocol";
import { type LoginStore, type RunningServer, startServer, TokenFile } from "@parley/socket-server";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hashedLine } from "../src/token-file.ts";
import { run, startListening } from "./server-process.ts";
import { connectPeer, connectText, hello } from "./tcp-peer.ts";

let folder: string;
let server: RunningServer | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-"));
});

afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true });
});

async function start(loginStore: LoginStore, loginTimeoutMs = 5000): Promise<number> {
  server = await startServer({ port: 0, loginStore, loginTimeoutMs });
  return server.port;
}

/** The answer to HELLO. */
async function login(port: number, name: string, token?: string) {
  const peer = await connectPeer(port);
  peer.send(token === undefined ? hello(name) : { ...hello(name), token }, 1);
  return (await peer.next())?.message;
}

function error(code: keyof typeof ErrorCode) {
  return { type: "error", code: ErrorCode[code].code, temporary: ErrorCode[code].temporary };
}

async function tokenFile(lines: Record<string, string>): Promise<string> {
  const path = join(folder, "tokens");
  const hashed = await Promise.all(Object.entries(lines).map(([name, token]) => hashedLine(name, token)));
  writeFileSync(path, `# who may come in\n\n${hashed.join("\n")}\n`);
  return path;
}

describe("token file", () => {
  test("a name needs its token, each failure has its own code, and another may be tried", async () => {
    const port = await start(new TokenFile(await tokenFile({ Ada: "correct horse", "*": "anybody" })));
    expect(await login(port, "ada")).toMatchObject(error("LOGIN_REQUIRED"));
    expect(await login(port, "ada", "wrong")).toMatchObject(error("LOGIN_FAILED"));
    expect(await login(port, "bo", "correct horse")).toMatchObject(error("LOGIN_FAILED"));
    expect(await login(port, "aDA", "correct horse")).toMatchObject({ type: "welcome", name: "aDA" });
    expect(await login(port, "bo", "anybody")).toMatchObject({ type: "welcome" });
    const al = await connectText(port, "al\n");
    await al.until("*** error: a token is needed here");
    al.socket.write("TOKEN:wrong\nal\n");
    await al.until("doesn't belong to al; try another name");
    al.socket.write("TOKEN:anybody\nal\n");
    await al.until("*** welcome, al");
    const post = (headers: Record<string, string>) =>
      fetch(`http://127.0.0.1:${port}/rooms/lobby/messages`, {
        method: "POST",
        headers: { "content-type": "text/plain", "x-parley-name": "bot", ...headers },
        body: "hi",
      }).then(({ status }) => status);
    expect([await post({}), await post({ authorization: "Bearer no" })]).toEqual([401, 403]);
    expect(await post({ authorization: "Bearer anybody" })).toBe(201);
  });

  test("a line that is none is named by its number and not repeated: it may be a token", () => {
    const path = join(folder, "tokens");
    writeFileSync(path, "# fine\nada hunter2\n");
    expect(() => new TokenFile(path)).toThrow(`${path}: line 2 is no line of`);
    expect(() => new TokenFile(path)).not.toThrow(/hunter2/);
    // 2^40 bytes of memory for one login.
    writeFileSync(path, "scrypt$1073741824$8$1$AAAA$AAAA ada\n");
    expect(() => new TokenFile(path)).toThrow(/line 1/);
  });

  test("hash-token makes a line that works with --token-file, and no token is ever logged", async () => {
    const main = fileURLToPath(new URL("../src/hash-token.ts", import.meta.url));
    const child = spawn(process.execPath, [main, "ada"], { stdio: ["pipe", "pipe", "inherit"] });
    child.stdin.end("a-secret-token\n");
    let line = "";
    for await (const part of child.stdout.setEncoding("utf8")) line += part;
    expect(line).toMatch(/^scrypt\$16384\$8\$1\$[\w-]+\$[\w-]+ ada\n$/);
    const path = join(folder, "tokens");
    writeFileSync(path, line);
    const started = await startListening(["--token-file", path, "--log-level", "trace"]);
    expect(await login(started.port, "ada", "not-a-secret-token")).toMatchObject(error("LOGIN_FAILED"));
    expect(await login(started.port, "ada", "a-secret-token")).toMatchObject({ type: "welcome" });
    started.child.kill("SIGTERM");
    expect((await started.finished).stderr).not.toContain("secret");
    const missing = await run(["--port", "0", "--token-file", join(folder, "missing")]);
    expect([missing.exitCode, missing.stderr]).toEqual([1, expect.stringMatching(/^socket-server: [^\n]*missing'\n$/)]);
  });
});

describe("any store", () => {
  test("one that takes its time delays nobody else's chat, and what came behind HELLO waits", async () => {
    let decide: (isRight: boolean) => void = () => {};
    const asked: string[] = [];
    const port = await start({
      check({ name }) {
        asked.push(name);
        return name === "slow" ? new Promise((resolve) => (decide = resolve)) : Promise.resolve(true);
      },
    });
    const slow = await connectText(port, "TOKEN:x\nslow\nI am here\n");
    await expect.poll(() => asked).toEqual(["slow"]);
    const al = await connectText(port, "TOKEN:x\nal\n");
    await al.until("*** welcome");
    const bo = await connectText(port, "TOKEN:x\nbo\nhi\n");
    await al.until("bo: hi\n");
    decide(true);
    await al.until("*** slow has joined the chat\nslow: I am here\n");
    slow.socket.destroy();
    bo.socket.destroy();
  });

  test("one that never answers, or rejects, is a refusal for now", async () => {
    const port = await start({ check: () => new Promise(() => {}) }, 50);
    expect(await login(port, "ada", "x")).toMatchObject(error("OVERLOADED"));
    await server?.close();
    const other = await start({ check: () => Promise.reject(new Error("the database is gone")) });
    expect(await login(other, "ada", "x")).toMatchObject(error("OVERLOADED"));
  });

  test("is asked by a few at once, and an address that fails too often is not asked about any more", async () => {
    let running = 0;
    let most = 0;
    let asked = 0;
    const port = await start({
      async check() {
        most = Math.max(most, ++running);
        asked++;
        await new Promise((resolve) => setTimeout(resolve, 5));
        running--;
        return false;
      },
    });
    const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => login(port, `n${index}`, "x")));
    expect(new Set(answers.map((answer) => answer?.type))).toEqual(new Set(["error"]));
    expect(most).toBeLessThanOrEqual(8);
    const before = asked;
    expect(await login(port, "again", "x")).toMatchObject(error("RATE_LIMITED"));
    expect(asked).toBe(before);
  });
});
