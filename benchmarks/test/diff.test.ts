/** Comparing two runs: what is claimed, what isn't, and the command line. */
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { type Change, compareRuns } from "../src/diff/changes.ts";
import { buildResults } from "../src/results/build.ts";
import { CONTENDERS, SCENARIOS } from "../src/results/ids.ts";
import type { Results } from "../src/results/types.ts";
import { temporaryFolder } from "./fixtures/tiny-run.ts";
import { type SyntheticOptions, syntheticRun, syntheticScenario } from "./synthetic.ts";

interface Made extends SyntheticOptions {
  /** Contender → times slower than usual. */
  readonly slower?: Readonly<Record<string, number>>;
  /** Everything is slower by this: another machine. */
  readonly machine?: number;
}

const P50_US: Readonly<Record<string, number>> = { tcp: 90, "tcp-again": 90, "unix-socket": 80, "shm-park": 60 };
const CHAT_P50_US: Readonly<Record<string, number>> = { "chat-tcp": 160, "chat-shm": 60 };

/** Round trips and chat, small enough to make many. */
function made({ slower = {}, machine = 1, ...options }: Made = {}): Results {
  const planted = (p50: Readonly<Record<string, number>>) =>
    Object.fromEntries(
      Object.entries(p50).map(([id, us]) => {
        const p50Us = us * machine * (slower[id] ?? 1);
        return [id, { p50Us, rate: null, cpuUs: p50Us / 3 }];
      }),
    );
  const size = { payloadBytes: 64 };
  const seed = options.seed ?? 1;
  const noise = { trialNoise: 0.04, ...options };
  return buildResults({
    ...syntheticRun({ blocks: 1 }),
    scenarios: [
      syntheticScenario(SCENARIOS.roundTrip, "across-cpus", size, planted(P50_US), { ...noise, seed: seed * 10 }),
      syntheticScenario(SCENARIOS.chatDelivery, "across-cpus", size, planted(CHAT_P50_US), {
        ...noise,
        seed: seed * 10 + 1,
      }),
    ],
  }).results;
}

const claims = (changes: readonly Change[]): string[] =>
  changes
    .filter(({ kind }) => kind === "better" || kind === "worse")
    .map(({ kind, after }) => `${after.candidate} ${after.metric} against ${after.base}: ${kind}`);

describe("what is claimed", () => {
  const seeds = Array.from({ length: 20 }, (_, i) => i + 1);

  test("1.5 times slower is called worse in at least 19 of 20 pairs of runs, and only that", () => {
    const found = seeds.map((seed) => {
      const { changes } = compareRuns(made({ seed }), made({ seed: seed + 100, slower: { "shm-park": 1.5 } }));
      return claims(changes);
    });
    const park = `${CONTENDERS.shmPark.id} p50 against ${CONTENDERS.tcp.id}: worse`;
    expect(found.filter((list) => list.includes(park)).length).toBeGreaterThanOrEqual(19);
    const others = found.filter((list) => list.some((claim) => !claim.startsWith(CONTENDERS.shmPark.id)));
    expect(others.length, JSON.stringify(others)).toBeLessThanOrEqual(1);
  });

  test("two runs of the same code differ in nothing, in at least 19 of 20 pairs", () => {
    const found = seeds.map((seed) => claims(compareRuns(made({ seed }), made({ seed: seed + 200 })).changes));
    expect(found.filter((list) => list.length > 0).length, JSON.stringify(found)).toBeLessThanOrEqual(1);
  });

  test("a machine that is three times slower changes nothing: times are never compared", () => {
    expect(claims(compareRuns(made(), made({ seed: 2, machine: 3 })).changes)).toEqual([]);
  });

  test("a slower chat server is called worse, and not merely the room better", () => {
    const found = claims(compareRuns(made(), made({ seed: 2, slower: { "chat-tcp": 2 } })).changes);
    expect(found).toContain(`${CONTENDERS.chatTcp.id} p50 against ${CONTENDERS.tcp.id}: worse`);
    expect(found).toContain(`${CONTENDERS.chatShm.id} p50 against ${CONTENDERS.chatTcp.id}: better`);
  });

  test("slower than before and faster than before are each other's opposite", () => {
    const [a, b] = [made(), made({ seed: 2, slower: { "unix-socket": 2 } })];
    const opposite = claims(compareRuns(b, a).changes).map((claim) => claim.replace("better", "worse"));
    expect(claims(compareRuns(a, b).changes)).toEqual(opposite);
  });

  test("fewer than five blocks give no interval, so nothing is claimed", () => {
    const few = compareRuns(made({ blocks: 4 }), made({ blocks: 4, slower: { "shm-park": 5 } })).changes;
    expect(claims(few)).toEqual([]);
    expect(few.some(({ kind }) => kind === "no-interval")).toBe(true);
  });

  test("what only one of the runs has is told, not compared", () => {
    const [whole, part] = [made(), made()];
    const without = { ...part, scenarios: part.scenarios.filter(({ level }) => level === "transport") };
    expect(compareRuns(whole, without).onlyBefore.map(({ scenario }) => scenario.id)).toContain("chat-delivery");
    expect(compareRuns(without, whole).onlyAfter.length).toBe(compareRuns(whole, without).onlyBefore.length);
  });
});

const PROGRAM = new URL("../src/diff/main.ts", import.meta.url).pathname;

function run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: "1" };
  delete env.FORCE_COLOR;
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ["ignore", "pipe", "pipe"], env });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, stdout, stderr })));
}

/** A reports folder with these runs in its history, oldest first. */
function reportsWith(...runs: readonly unknown[]): { reports: string; paths: string[] } {
  const reports = temporaryFolder();
  const paths = runs.map((results, i) => {
    const folder = path.join(reports, "history", `2000010${i + 1}T000000Z-nogit-quick`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, "results.json"), JSON.stringify(results));
    return folder;
  });
  return { reports, paths };
}

describe("the command", () => {
  const good = made();
  const bad = made({ seed: 2, slower: { "shm-park": 2 } });

  test("takes the two newest runs, and --gate exits 1 when something became worse", async () => {
    const { reports } = reportsWith(bad, good, bad);
    const { code, stdout } = await run("--gate", "--reports", reports);
    expect(stdout).toMatch(/Worse, beyond the band: [1-3]\n {2}Round trip, on two cores, 64 B: Shared memory, park/);
    expect(code).toBe(1);
    expect((await run("--reports", reports)).code).toBe(0);
  });

  test("--gate exits 0 when nothing became worse, and 2 when nothing could be judged", async () => {
    const { paths } = reportsWith(bad, good, made({ blocks: 3 }));
    expect((await run("--gate", paths[0] as string, paths[1] as string)).code).toBe(0);
    const few = await run("--gate", paths[2] as string, paths[2] as string);
    expect(few.code).toBe(2);
    expect(few.stderr).toContain("nothing to judge by");
  });

  test("--json prints one object: files or folders, and runs by name", async () => {
    const { reports, paths } = reportsWith(good, bad);
    const args = [path.join(paths[0] as string, "results.json"), "20000102T000000Z-nogit-quick"];
    const { code, stdout } = await run("--json", "--reports", reports, ...args);
    expect(code).toBe(0);
    const { changes, counts } = JSON.parse(stdout) as { changes: { kind: string }[]; counts: Record<string, number> };
    expect(counts.worse).toBe(changes.filter(({ kind }) => kind === "worse").length);
    expect(counts.worse).toBeGreaterThan(0);
  });

  test("another machine, software or mode is a warning", async () => {
    const { paths } = reportsWith(good, {
      ...good,
      env: { ...good.env, cpu: "Another CPU", cores: 64, node: "v1.0.0" },
      run: { ...good.run, mode: "thorough" },
    });
    const { code, stdout } = await run(...paths);
    expect(code).toBe(0);
    expect(stdout).toContain("warning: Different machines: processor Synthetic CPU before, Another CPU after; cores 2");
    expect(stdout).toContain("warning: Different software: node v0.0.0 → v1.0.0");
    expect(stdout).toContain("warning: Different modes: quick before, thorough after");
  });

  test.each([
    ["another schema version", [made(), { ...made(), schemaVersion: 2 }], "schema version 1 in"],
    ["a later schema version in both", [{ schemaVersion: 9 }, { schemaVersion: 9 }], "not a results file of schema"],
    ["a history of one", [made()], "has 1 of the two runs needed"],
  ])("%s is refused in one line with exit code 2", async (_what, runs, text) => {
    const { reports, paths } = reportsWith(...runs);
    const { code, stdout, stderr } = await run("--reports", reports, ...(paths.length === 2 ? paths : []));
    expect({ code, stdout, lines: stderr.trim().split("\n").length }).toEqual({ code: 2, stdout: "", lines: 1 });
    expect(stderr).toContain(text);
  });

  test.each([
    [["nowhere", "no-place"], 'no run "nowhere"'],
    [["only-one"], "two are compared"],
    [["a", "b", "c"], "too many arguments"],
    [["--gates"], "unknown option"],
  ])("the mistake %j is told, with exit code 2", async (args, text) => {
    const { code, stderr } = await run(...args);
    expect(code).toBe(2);
    expect(stderr).toContain(text);
  });
});
