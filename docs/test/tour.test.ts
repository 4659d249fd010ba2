/**
 * docs/tour.md: every command runs, with the real programs, and prints what the document shows.
 *
 * - A block that begins with `# leave it running` gets a terminal of its own until its chapter ends; the others are tried
 *   again until they print what the `text` block after them shows, because what they look at may still be starting.
 * - A shown line holds when its words do: numbers of several digits may be others, `…` may be anything, as may blanks.
 * - Ports and segment names are this test's own, so that it can run beside anything.
 */

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { root } from "./repository.ts";

const RUNNING = "# leave it running\n";
/** Programs of the tour and the Debian package of each. */
const PACKAGES: Readonly<Record<string, string>> = {
  nc: "netcat-openbsd",
  strace: "strace",
  ss: "iproute2",
  curl: "curl",
  pgrep: "procps",
};
const PTRACE_FORBIDDEN = /ptrace\(.*(?:Operation not permitted|EPERM)/;
const DOCUMENT_PORT = "8080";
const DOCUMENT_SEGMENT = "tour";
const ATTEMPT_TIMEOUT_MS = 20_000;
/** Watchdog: nothing is expected to come near it. */
const PATIENCE_MS = 40_000;
const RETRY_MS = 100;
const TO_END_MS = 5_000;

const text = readFileSync(join(root, "docs/tour.md"), "utf8");
const chapters = text
  .split(/^## (?=\d)/m)
  .slice(1)
  .map((chapter) => ({
    title: chapter.split("\n", 1)[0] as string,
    blocks: [...chapter.matchAll(/^```(sh|text)\n([\s\S]*?)^```/gm)].map(([, kind, body]) => ({
      isShown: kind === "text",
      body: body as string,
    })),
  }));

// Made when needed: with every test filtered out nothing would remove it.
let folder: string | undefined;
afterAll(() => folder !== undefined && rmSync(folder, { recursive: true, force: true }));

test("has eight chapters, each with a command, what to see and a file to read", () => {
  expect(chapters).toHaveLength(8);
  for (const { title, blocks } of chapters) {
    expect(blocks.filter(({ isShown }) => isShown).length, title).toBeGreaterThan(0);
    expect(text.split(title)[1]?.split("\n## ")[0], title).toContain("**Read:**");
  }
});

// At the same time: most chapters wait for somebody most of the time.
test.concurrent.for(chapters)("chapter $title", async ({ title, blocks }, context) => {
  if (process.platform !== "linux") return context.skip("the tour is for Linux");
  const script = blocks.map(({ body }) => body).join("\n");
  for (const [program, debian] of Object.entries(PACKAGES)) {
    if (new RegExp(`(^|[|;(] ?|INT 3 )${program} `, "m").test(script) && !isInstalled(program)) {
      return context.skip(`needs ${program} (Debian package ${debian})`);
    }
  }
  const segment = `tour-${process.pid}-${title.split(".")[0]}`;
  const terminals: Terminal[] = [];
  let port = DOCUMENT_PORT;
  const own = (command: string): string =>
    command
      .replaceAll(DOCUMENT_PORT, port)
      .replaceAll(`--segment ${DOCUMENT_SEGMENT}`, `--segment ${segment}`)
      .replaceAll(`inspect ${DOCUMENT_SEGMENT}`, `inspect ${segment}`)
      .replaceAll(`shm-ring.${DOCUMENT_SEGMENT}`, `shm-ring.${segment}`);
  try {
    for (const [index, { isShown, body }] of blocks.entries()) {
      if (isShown) continue;
      if (body.startsWith(RUNNING)) {
        const terminal = new Terminal(own(body));
        terminals.push(terminal);
        if (body.includes("serve")) port = await terminal.listeningPort();
        continue;
      }
      const shown = blocks[index + 1];
      expect(shown?.isShown, `nothing is shown of: ${body}`).toBe(true);
      const output = await untilShown(own(body), shown?.body ?? "", segment);
      if (output !== undefined && PTRACE_FORBIDDEN.test(output)) {
        return context.skip("tracing is forbidden here (root, or sysctl kernel.yama.ptrace_scope=0, may)");
      }
      if (output !== undefined) expect.fail(output);
    }
  } finally {
    await Promise.all(terminals.map((terminal) => terminal.end()));
  }
  expect(readdirSync("/dev/shm").filter((file) => file.includes(segment))).toEqual([]);
});

/** Runs the command until it prints what is shown, in that order; resolves with a complaint when it doesn't. */
async function untilShown(command: string, shown: string, segment: string): Promise<string | undefined> {
  const wanted = shown.trimEnd().split("\n");
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const output = (await runOnce(command)).replaceAll(segment, DOCUMENT_SEGMENT);
    const missing = firstMissing(output, wanted);
    if (missing === undefined) return undefined;
    if (performance.now() > until || PTRACE_FORBIDDEN.test(output)) {
      return `no line like\n${missing}\nin the output of\n${command}which is\n${output}`;
    }
    await delay(RETRY_MS);
  }
}

function firstMissing(output: string, wanted: readonly string[]): string | undefined {
  let lines = output.split("\n");
  for (const shown of wanted) {
    const pattern = patternOf(shown);
    const at = lines.findIndex((line) => pattern.test(line));
    if (at < 0) return shown;
    lines = lines.slice(at + 1);
  }
  return undefined;
}

function patternOf(line: string): RegExp {
  const parts = line
    .trim()
    .split(/(…|\s+|\d{2,})/)
    .filter((part) => part !== "");
  const source = parts.map((part) => {
    if (part === "…") return ".*";
    if (/^\s+$/.test(part)) return "\\s*";
    return /^\d{2,}$/.test(part) ? "\\d+" : RegExp.escape(part);
  });
  return new RegExp(`^\\s*${source.join("")}`);
}

function runOnce(command: string): Promise<string> {
  return new Promise((resolve) => {
    const options = { cwd: root, timeout: ATTEMPT_TIMEOUT_MS, env: environment() };
    // As a file, so that the command's words aren't among this shell's arguments, where pgrep would find them.
    execFile("bash", [scriptFile(command)], options, (_error, stdout, stderr) => resolve(stdout + stderr));
  });
}

let scripts = 0;
function scriptFile(command: string): string {
  folder ??= mkdtempSync(join(tmpdir(), "parley-tour-"));
  const file = join(folder, `${++scripts}.sh`);
  writeFileSync(file, command);
  return file;
}

/** The server listens wherever there is room, and nothing is coloured. */
function environment(): NodeJS.ProcessEnv {
  const { FORCE_COLOR: _, ...rest } = process.env;
  return { ...rest, PARLEY_PORT: "0", NO_COLOR: "1", LC_ALL: "C" };
}

function isInstalled(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((at) => existsSync(join(at, program)));
}

/** A terminal in which a command is left running: its input stays open, and Ctrl-C ends everything that it started. */
class Terminal {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #output = "";

  constructor(command: string) {
    this.#child = spawn("bash", [scriptFile(command)], {
      cwd: root,
      detached: true,
      env: environment(),
      stdio: ["pipe", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (chunk: string) => (this.#output += chunk));
    }
    this.#ended = new Promise((resolve) => this.#child.on("close", () => resolve()));
  }

  async listeningPort(): Promise<string> {
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      const port = /port (\d+)/.exec(this.#output)?.[1];
      if (port !== undefined) return port;
      if (this.#child.exitCode !== null || performance.now() > until) {
        throw new Error(`the server doesn't listen; it said: ${this.#output}`);
      }
      await delay(RETRY_MS);
    }
  }

  async end(): Promise<void> {
    const isOver = this.#ended.then(() => true);
    for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
      this.#signalGroup(signal);
      if (await Promise.race([isOver, delay(TO_END_MS, false, { ref: false })])) break;
    }
  }

  #signalGroup(signal: NodeJS.Signals): void {
    try {
      process.kill(-(this.#child.pid as number), signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}
