/**
 * Made-up results for tests of statistics and report: plausible, seeded, and never measured.
 *
 * - The planted figures are the truth that tests hold the verdicts against.
 */
import {
  type BuiltResults,
  buildResults,
  type MeasuredRun,
  type MeasuredScenario,
  type MeasuredTrial,
} from "../src/results/build.ts";
import { CONTENDERS, planScenario, SCENARIOS, type ScenarioKind } from "../src/results/ids.ts";
import type { BlockNoise, Environment, Params, Placement } from "../src/results/types.ts";
import { seededRandom, shuffled, standardNormal } from "../src/stats/random.ts";
import { LatencyRecorder } from "../src/stats/recorder.ts";

/** What a contender truly does in a scenario. */
export interface Planted {
  /** Microseconds, or null for no latencies. */
  readonly p50Us: number | null;
  readonly rate: number | null;
  readonly cpuUs: number;
}

export interface SyntheticOptions {
  readonly seed?: number;
  readonly blocks?: number;
  /** Standard deviation of a trial's logarithm around the truth. */
  readonly trialNoise?: number;
  /** Standard deviation of a whole block's logarithm: what pairing removes. */
  readonly blockNoise?: number;
}

const SAMPLES = 1_200;
const SAMPLE_NOISE = 0.12;

export function syntheticScenario(
  kind: ScenarioKind,
  placement: Placement,
  params: Params,
  planted: Readonly<Record<string, Planted>>,
  { seed = 1, blocks = 8, trialNoise = 0.03, blockNoise = 0.1 }: SyntheticOptions = {},
): MeasuredScenario {
  const random = seededRandom(seed);
  const trials: MeasuredTrial[] = [];
  for (let block = 0; block < blocks; block++) {
    const weather = blockNoise * standardNormal(random);
    shuffled(Object.keys(planted), random).forEach((contender, position) => {
      const factor = Math.exp(weather + trialNoise * standardNormal(random));
      trials.push(syntheticTrial(contender, block, position, planted[contender] as Planted, factor, random));
    });
  }
  return { plan: planScenario(kind, placement, params), trials, oversubscribed: [] };
}

function syntheticTrial(
  contender: string,
  block: number,
  position: number,
  { p50Us, rate, cpuUs }: Planted,
  factor: number,
  random: () => number,
): MeasuredTrial {
  const recorder = new LatencyRecorder();
  let totalNs = 0;
  for (let i = 0; p50Us !== null && i < SAMPLES; i++) {
    // A long right tail, as latencies have.
    const tail = random() < 0.02 ? 2 + 3 * random() : 1;
    const ns = Math.round(1_000 * p50Us * factor * tail * Math.exp(SAMPLE_NOISE * standardNormal(random)));
    totalNs += ns;
    recorder.record(ns);
  }
  const durationMs = rate === null ? totalNs / 1e6 : 400;
  const n = rate === null ? SAMPLES : Math.round((rate / factor) * (durationMs / 1_000));
  return {
    contender,
    block,
    position,
    invalidReason: null,
    n,
    lost: 0,
    duplicated: 0,
    reordered: 0,
    corrupted: 0,
    warmupMessages: 500,
    durationMs,
    cpus: [0, 1],
    histogram: p50Us === null ? null : recorder.toHdr(),
    bytes: n * 64,
    cpuUs: n * cpuUs * factor,
    contextSwitches: n,
    extra: {},
  };
}

const TRANSPORT = {
  "across-cpus": [
    [CONTENDERS.tcp.id, 93, 26],
    [CONTENDERS.tcpAgain.id, 93, 26],
    [CONTENDERS.unixSocket.id, 86, 21],
    [CONTENDERS.shmSpin.id, 0.3, 0.6],
    [CONTENDERS.shmAdaptive.id, 0.34, 0.7],
    [CONTENDERS.shmPark.id, 77, 12],
    [CONTENDERS.shmEventLoop.id, 52, 15],
  ],
  "same-cpu": [
    [CONTENDERS.tcp.id, 12.4, 12],
    [CONTENDERS.tcpAgain.id, 12.4, 12],
    [CONTENDERS.unixSocket.id, 10.4, 10],
    [CONTENDERS.shmSpin.id, 33.5, 33],
    [CONTENDERS.shmAdaptive.id, 6.2, 6],
    [CONTENDERS.shmPark.id, 2.1, 2.1],
    [CONTENDERS.shmEventLoop.id, 9.1, 9],
  ],
} as const;

/** Batch → million messages a second. */
const RATES: readonly (readonly [string, readonly [number, number, number]])[] = [
  [CONTENDERS.tcp.id, [0.6, 5.4, 10.5]],
  [CONTENDERS.tcpAgain.id, [0.6, 5.4, 10.5]],
  [CONTENDERS.unixSocket.id, [1.0, 7.1, 13]],
  [CONTENDERS.shmSpin.id, [11, 38, 52]],
  [CONTENDERS.shmAdaptive.id, [10.5, 37, 51]],
  [CONTENDERS.shmPark.id, [5.1, 29, 46]],
  [CONTENDERS.shmEventLoop.id, [3.2, 24, 44]],
];

/** A whole run with every scenario of the first version. */
export function syntheticRun(options: SyntheticOptions = {}): MeasuredRun {
  const seed = options.seed ?? 1;
  const scenarios: MeasuredScenario[] = [];
  const next = (): SyntheticOptions => ({ ...options, seed: seed * 1_000 + scenarios.length });
  for (const placement of ["same-cpu", "across-cpus"] as const) {
    const planted = TRANSPORT[placement].map(([id, p50Us, cpuUs]): [string, Planted] => [
      id,
      { p50Us, rate: null, cpuUs },
    ]);
    const made = syntheticScenario(
      SCENARIOS.roundTrip,
      placement,
      { payloadBytes: 64 },
      Object.fromEntries(planted),
      next(),
    );
    scenarios.push(placement === "same-cpu" ? { ...made, oversubscribed: [CONTENDERS.shmSpin.id] } : made);
  }
  [1, 16, 64].forEach((batch, i) => {
    const planted = RATES.map(([id, millions]): [string, Planted] => {
      const rate = (millions[i] as number) * 1e6;
      return [id, { p50Us: null, rate, cpuUs: 1.9e6 / rate }];
    });
    const params = { payloadBytes: 64, batch };
    scenarios.push(syntheticScenario(SCENARIOS.throughput, "across-cpus", params, Object.fromEntries(planted), next()));
  });
  const chat: Record<string, Planted> = {
    [CONTENDERS.chatTcp.id]: { p50Us: 168, rate: null, cpuUs: 61 },
    [CONTENDERS.chatShm.id]: { p50Us: 58, rate: null, cpuUs: 27 },
  };
  scenarios.push(syntheticScenario(SCENARIOS.chatDelivery, "across-cpus", { payloadBytes: 64 }, chat, next()));
  const web: Record<string, Planted> = {
    [CONTENDERS.gatewayNull.id]: { p50Us: 610, rate: 15_800, cpuUs: 62 },
    [CONTENDERS.gatewayTcp.id]: { p50Us: 760, rate: 12_700, cpuUs: 78 },
    [CONTENDERS.gatewayShm.id]: { p50Us: 690, rate: 13_500, cpuUs: 72 },
  };
  scenarios.push(syntheticScenario(SCENARIOS.httpGateway, "unpinned", { connections: 10 }, web, next()));
  return {
    run: {
      startedAt: "2000-01-01T00:00:00Z",
      durationMs: 41_000,
      mode: "quick",
      seed,
      argv: ["npm", "run", "compare", "--", "--quick", "--seed", String(seed)],
      git: { sha: null, dirty: null },
      skipped: [{ what: "a made-up scenario", why: "to show how this looks" }],
      synthetic: true,
    },
    env: SYNTHETIC_ENVIRONMENT,
    blocks: Array.from({ length: options.blocks ?? 8 }, (_, block) => syntheticNoise(block)),
    contenders: Object.values(CONTENDERS),
    scenarios,
    designFacts: {
      linesOfCode: [
        { design: "socket", folder: "made/up/sockets", files: 12, lines: 1_480 },
        { design: "shared-memory", folder: "made/up/memory", files: 24, lines: 3_210 },
      ],
      perMessage: [
        { contender: CONTENDERS.tcp.id, systemCalls: 3, copies: 2, how: "made up" },
        { contender: CONTENDERS.shmSpin.id, systemCalls: 0, copies: 2, how: "made up" },
        { contender: CONTENDERS.shmEventLoop.id, systemCalls: 3, copies: 2, how: "made up" },
      ],
    },
  };
}

export function syntheticResults(options: SyntheticOptions = {}): BuiltResults {
  return buildResults(syntheticRun(options));
}

export const SYNTHETIC_ENVIRONMENT: Environment = {
  cpu: "Synthetic CPU",
  cores: 2,
  affinity: "0-1",
  smt: null,
  governor: null,
  hypervisor: "none",
  clocksource: "tsc",
  kernel: "Synthetic 0.0",
  mitigations: { meltdown: "Not affected", spectre_v2: "Mitigation: Retpolines" },
  cgroupCpuMax: null,
  memoryBytes: 8 * 2 ** 30,
  loadBefore: [0.1, 0.2, 0.3],
  loadAfter: [1.4, 0.6, 0.4],
  node: "v0.0.0",
  v8: "0.0",
  execArgv: [],
  packages: { koffi: "0.0.0" },
};

function syntheticNoise(block: number): BlockNoise {
  const sample = (at: number): BlockNoise["before"] => ({
    hiccup: { p99Us: 0.1, maxUs: 180 + 20 * at },
    cpuPressurePercent: 0.5,
    stealTicks: at,
    totalTicks: 1_000 * at,
    throttledUs: null,
  });
  return { block, before: sample(block + 1), after: sample(block + 2), stealPercent: 0.1, throttledMs: null };
}
