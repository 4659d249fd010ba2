/** Advice: what each need does to it, where it comes from, and the command line, on a terminal and off it. */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { type Needs, QUESTIONS } from "../src/advise/needs.ts";
import { recommend } from "../src/advise/recommend.ts";
import { View } from "../src/report/view.ts";
import { CONTENDERS } from "../src/results/ids.ts";
import { temporaryFolder } from "./fixtures/tiny-run.ts";
import { syntheticResults } from "./synthetic.ts";

const { results } = syntheticResults();
const view = new View(results);
const USUAL: Needs = {
  sameMachine: true,
  messageBytes: 64,
  messagesPerSecond: 10_000,
  spareCores: 1,
  trust: true,
  surviveKill: false,
};
const adviceFor = (needs: Partial<Needs>) => recommend(view, { ...USUAL, ...needs });
const BROKEN = /NaN|undefined|\bnull\b|Infinity|\[object/;

describe("the recommendation", () => {
  test("is TCP when the sides may be on different machines, whatever was measured", () => {
    const { contender, isMeasured, figures } = adviceFor({ sameMachine: false, spareCores: 8 });
    expect({ contender, isMeasured }).toEqual({ contender: CONTENDERS.tcp.id, isMeasured: false });
    expect(figures.map((figure) => figure.contender)).toEqual([CONTENDERS.tcp.id]);
  });

  test("is a socket when peers don't trust each other", () => {
    for (const spareCores of [0, 1, 2]) {
      for (const messagesPerSecond of [10, 10_000, 5e6]) {
        const { contender, notes } = adviceFor({ trust: false, spareCores, messagesPerSecond });
        expect(view.contender(contender).design).toBe("socket");
        expect(notes.join(" ")).toContain("forge");
      }
    }
  });

  test("spins only with two cores to spare, and says that it burns them", () => {
    const rich = adviceFor({ spareCores: 2 });
    expect(rich.contender).toBe(CONTENDERS.shmSpin.id);
    expect(rich.because).toContain("Burns a core");
    for (const spareCores of [0, 1]) {
      expect(["event-loop", "park"]).toContain(view.contender(adviceFor({ spareCores }).contender).wait);
    }
  });

  test("says what to use on an event loop, where what it names blocks a thread", () => {
    expect(adviceFor({ spareCores: 0 }).contender).toBe(CONTENDERS.shmPark.id);
    expect(adviceFor({ spareCores: 0 }).notes.join(" ")).toContain("On an event loop");
    expect(adviceFor({ spareCores: 0 }).measuredAt).toContain("sharing one core");
  });

  test("goes by throughput where TCP one by one would be more than half busy, in batches that suffice", () => {
    const planted = { one: 0.6e6, all: 52e6 };
    expect(adviceFor({ messagesPerSecond: planted.one / 4 }).measuredAt).toContain("Round trip");
    const busy = adviceFor({ messagesPerSecond: planted.one });
    expect(busy.measuredAt).toContain("Throughput");
    expect(busy.batch).toBe(1);
    expect(adviceFor({ messagesPerSecond: planted.all / 3 }).batch).toBe(64);
    expect(adviceFor({ messagesPerSecond: planted.all * 2 }).notes.join(" ")).toContain("Not enough");
  });

  test("says when it buys next to nothing", () => {
    expect(adviceFor({ messagesPerSecond: 10 }).notes.join(" ")).toContain("take TCP");
    expect(adviceFor({ messagesPerSecond: 50_000 }).notes.join(" ")).not.toContain("take TCP");
  });

  test("says what kill -9 does, by design for sockets and measured or not for memory", () => {
    expect(adviceFor({ surviveKill: true }).notes.join(" ")).toContain("not measured in this run");
    expect(adviceFor({ surviveKill: true, trust: false }).notes.join(" ")).toContain("closes a dead peer's connection");
    expect(adviceFor({ surviveKill: false }).notes.join(" ")).not.toContain("kill");
  });

  test("says that a size far from what was measured is a guess", () => {
    expect(adviceFor({ messageBytes: 100_000 }).notes.join(" ")).toContain("a guess");
    expect(adviceFor({ messageBytes: 128 }).notes.join(" ")).not.toContain("a guess");
  });

  test("holds without any one scenario, and with none", () => {
    const ids = new Set(results.scenarios.map(({ id }) => id));
    for (const scenarios of [[], ...[...ids].map((without) => results.scenarios.filter(({ id }) => id !== without))]) {
      for (const messagesPerSecond of [1, 1e6, 1e9]) {
        const advice = recommend(new View({ ...results, scenarios }), { ...USUAL, messagesPerSecond });
        expect([advice.use, advice.because, ...advice.notes].join(" ")).not.toMatch(BROKEN);
      }
    }
  });
});

test.each([
  ["--size", "4k", 4096],
  ["--size", "1.5 KiB", 1536],
  ["--size", "64B", 64],
  ["--rate", "10k", 10_000],
  ["--rate", "2m", 2_000_000],
  ["--rate", "1,500", 1_500],
  ["--trust", "No", false],
  ["--spare-cores", "0", 0],
])("%s %s is read as %j", (flag, text, value) => {
  expect(QUESTIONS.find((each) => each.flag.startsWith(`${flag} `))?.read(text)).toBe(value);
});

const PROGRAM = new URL("../src/advise/main.ts", import.meta.url).pathname;
const ALL = ["--same-machine=yes", "--size=64", "--rate=10k", "--spare-cores=1", "--trust=yes", "--survive-kill=yes"];

function run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: "1" };
  delete env.FORCE_COLOR;
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ["ignore", "pipe", "pipe"], env });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, stdout, stderr })));
}

function reportsWith(...kinds: string[]): string {
  const reports = temporaryFolder();
  for (const kind of kinds) {
    mkdirSync(path.join(reports, kind));
    writeFileSync(path.join(reports, kind, "results.json"), JSON.stringify(results));
  }
  return reports;
}

describe("the command", () => {
  test("answers from latest, else from the example and says so, else that there is none", async () => {
    const latest = await run("--reports", reportsWith("latest", "example"), ...ALL);
    expect(latest.code).toBe(0);
    expect(latest.stdout).toMatch(/^Use: Shared memory/);
    expect(latest.stdout).not.toContain("committed example");
    expect((await run("--reports", reportsWith("example"), ...ALL)).stdout).toContain("committed example");
    const none = await run("--reports", reportsWith(), ...ALL);
    expect([none.code, none.stderr.trim().split("\n").length]).toEqual([1, 1]);
    expect(none.stderr).toContain("npm run compare");
  });

  test("--json prints one object with the needs, the figures and where they come from", async () => {
    const { code, stdout } = await run("--json", "--reports", reportsWith("latest"), ...ALL);
    expect(code).toBe(0);
    const advice = JSON.parse(stdout) as { needs: Needs; source: { run: string }; figures: unknown[]; use: string };
    expect(advice.needs).toEqual({ ...USUAL, surviveKill: true });
    expect(advice.source.run).toBe(results.run.id);
    expect(advice.figures.length).toBeGreaterThan(1);
  });

  test("without a terminal it names what is missing instead of waiting", async () => {
    const { code, stderr } = await run("--size", "64");
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: --same-machine, --rate, [^\n]+ must be given[^\n]+\n$/);
  });

  test.each([
    [["--size", "big"], "big"],
    [["--rate", "-1"], "-1"],
    [["--trust", "maybe"], "maybe"],
    [["surplus"], "too many arguments"],
  ])("the mistake %j is told, with exit code 2", async (args, text) => {
    const { code, stdout, stderr } = await run(...args, ...ALL.slice(0, 1));
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(text);
  });

  test("a report that can't be read is one line and exit code 1", async () => {
    const reports = reportsWith("latest");
    writeFileSync(path.join(reports, "latest/results.json"), "{}");
    const { code, stderr } = await run("--reports", reports, ...ALL);
    expect([code, stderr.trim().split("\n").length]).toEqual([1, 1]);
  });

  test("on a terminal it asks for what no flag says, again after a mistake", (context) => {
    if (spawnSync("script", ["--version"]).error !== undefined) {
      return context.skip("needs script (Debian package bsdutils)");
    }
    const log = path.join(temporaryFolder(), "typescript");
    const command = [process.execPath, PROGRAM, "--reports", reportsWith("latest"), ...ALL.slice(2)].join(" ");
    // Answers: yes by Enter, a mistake, then a size.
    const { status } = spawnSync("script", ["-qec", command, log], { input: "\nhuge\n64\n", encoding: "utf8" });
    const shown = readFileSync(log, "utf8");
    expect(status, shown).toBe(0);
    expect(shown).toContain("same machine?");
    expect(shown).toContain('"huge" is no size');
    expect(shown).toContain("Use: ");
    expect(shown).not.toContain("How many messages a second");
    // Ctrl-D in front of the last answer.
    expect(spawnSync("script", ["-qec", command, log], { input: "\n\u0004" }).status).toBe(130);
  });
});
