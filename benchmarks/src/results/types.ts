/**
 * The shape of results.json, schema version 1; `schema.json` beside this file says the same to other programs.
 *
 * - Latencies are microseconds, rates are a second, sizes bytes, other units stand in the name.
 * - What couldn't be found out is null, never a guess and never left out.
 * - In comparisons a ratio above 1 always means that the candidate did better.
 * - The reports are pure functions of this file.
 */
import type { Better } from "../stats/paired.ts";

export const SCHEMA_VERSION = 1;

export type Mode = "quick" | "default" | "thorough";
export type Grade = "A" | "B" | "C";
/** Where the two busy threads run: pinned to one CPU, pinned to two, or left to the kernel. */
export type Placement = "same-cpu" | "across-cpus" | "unpinned";
/** How a waiting side waits; null where nothing waits (a null backend). */
export type Wait = "event-loop" | "spin" | "adaptive" | "park" | null;
/** `transport`: bytes between two processes; `chat`: one person's message to another; `http`: behind a gateway. */
export type Level = "transport" | "chat" | "http";
export type Boundary = "process" | "thread";
export type Loop = "closed" | "open" | "windowed" | "sparse";
export type Params = Readonly<Record<string, string | number | boolean | null>>;

export interface Results {
  readonly schemaVersion: typeof SCHEMA_VERSION;
  readonly run: Run;
  readonly env: Environment;
  readonly quality: Quality;
  /** Every metric that cells and comparisons name. */
  readonly metrics: readonly Metric[];
  readonly contenders: readonly Contender[];
  readonly scenarios: readonly Scenario[];
  readonly designFacts: DesignFacts;
}

export interface Run {
  readonly id: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly durationMs: number;
  readonly mode: Mode;
  readonly seed: number;
  /** What to type in the repository's root to run this again. */
  readonly argv: readonly string[];
  readonly git: { readonly sha: string | null; readonly dirty: boolean | null };
  readonly skipped: readonly Skipped[];
  /** True for made-up figures (tests of the report); the report then says so at its top. */
  readonly synthetic: boolean;
}

export interface Skipped {
  readonly what: string;
  readonly why: string;
}

export interface Environment {
  readonly cpu: string | null;
  readonly cores: number | null;
  /** CPUs this process may run on, as the kernel lists them ("0-1"). */
  readonly affinity: string | null;
  readonly smt: boolean | null;
  readonly governor: string | null;
  readonly hypervisor: string | null;
  readonly clocksource: string | null;
  readonly kernel: string | null;
  /** Vulnerability → what the kernel does about it. */
  readonly mitigations: Readonly<Record<string, string>> | null;
  /** cgroup v2 cpu.max: "max 100000" means no limit. */
  readonly cgroupCpuMax: string | null;
  readonly memoryBytes: number | null;
  /** Load averages over 1, 5 and 15 minutes. */
  readonly loadBefore: readonly number[] | null;
  readonly loadAfter: readonly number[] | null;
  readonly node: string;
  readonly v8: string;
  readonly execArgv: readonly string[];
  /** Package → version of what was measured and what measured it. */
  readonly packages: Readonly<Record<string, string>>;
}

export interface Quality {
  readonly grade: Grade;
  /** The system under test against itself, for each scenario and metric that has one. */
  readonly aa: readonly AaCheck[];
  /** Worst share of CPU time stolen by the hypervisor during a block, percent. */
  readonly steal: number | null;
  /** Worst of all hiccup probes. */
  readonly hiccup: Hiccup | null;
  /** Milliseconds for which the cgroup was throttled during the run. */
  readonly throttled: number | null;
  /** Sentences for the reader about anything that may have disturbed the run. */
  readonly flags: readonly string[];
  /** What the machine did around each block. */
  readonly blocks: readonly BlockNoise[];
}

export interface AaCheck {
  readonly scenario: string;
  readonly placement: Placement;
  readonly params: Params;
  readonly metric: string;
  readonly n: number;
  readonly ratio: number | null;
  readonly lo: number | null;
  readonly hi: number | null;
  /** How far the interval reaches from 1, as a share: 0.04 means within ±4%. Null without an interval. */
  readonly halfWidth: number | null;
  readonly grade: Grade;
}

/** Gaps seen by a thread that does nothing but read the clock: time the machine took away. */
export interface Hiccup {
  readonly p99Us: number | null;
  readonly maxUs: number;
}

export interface BlockNoise {
  readonly block: number;
  readonly before: NoiseSample;
  readonly after: NoiseSample;
  readonly stealPercent: number | null;
  readonly throttledMs: number | null;
}

export interface NoiseSample {
  readonly hiccup: Hiccup | null;
  /** Share of the last ten seconds in which some task waited for a CPU, percent (PSI cpu some avg10). */
  readonly cpuPressurePercent: number | null;
  /** Jiffies since boot: stolen, and all. */
  readonly stealTicks: number | null;
  readonly totalTicks: number | null;
  /** Microseconds for which this cgroup has been throttled since it exists. */
  readonly throttledUs: number | null;
}

export interface Metric {
  readonly id: string;
  readonly label: string;
  readonly unit: string;
  readonly better: Better;
}

export interface Contender {
  readonly id: string;
  readonly label: string;
  readonly level: Level;
  readonly wait: Wait;
  readonly boundary: Boundary;
  readonly design: "socket" | "shared-memory" | "none" | "other";
  /** The contender that this one repeats, for the A/A control. */
  readonly repeats: string | null;
}

/** One scenario at one placement with one set of parameters; {id, placement, params} is unique. */
export interface Scenario {
  readonly id: string;
  readonly title: string;
  readonly question: string;
  readonly level: Level;
  readonly loop: Loop;
  readonly params: Params;
  readonly placement: Placement;
  /** Metric id. */
  readonly primaryMetric: string;
  readonly cells: readonly Cell[];
  readonly comparisons: readonly Comparison[];
}

export interface Cell {
  readonly contender: string;
  /** More busy threads than cores: the figure says what happens then, not what the transport can do. */
  readonly oversubscribed: boolean;
  readonly trials: readonly Trial[];
  readonly summary: Summary;
  /** All valid trials merged: HdrHistogram V2, compressed, base64, nanoseconds. */
  readonly histogram: string | null;
}

/** Over all valid trials; percentiles from the merged histogram. */
export interface Summary {
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  /** Present when asked for; null with fewer than 10,000 samples. */
  readonly p999?: number | null;
  readonly max: number | null;
  /** Messages (requests) received a second. */
  readonly rate: number | null;
  readonly bytesPerSecond: number | null;
  /** Both sides together. */
  readonly cpuUsPerMessage: number | null;
  readonly n: number;
  readonly lost: number;
  readonly trials: number;
  readonly invalidTrials: number;
  readonly outlierTrials: number;
  /** Set when the trials' primary metric falls in two groups. */
  readonly modes: readonly ModeShare[] | null;
  readonly extra: Readonly<Record<string, number | null>>;
}

export interface ModeShare {
  readonly value: number;
  readonly trials: number;
}

export interface Trial {
  readonly block: number;
  /** Place in its block's seeded random order, from 0. */
  readonly position: number;
  readonly valid: boolean;
  readonly invalidReason: string | null;
  readonly outlier: boolean;
  /** Messages measured, each verified by sequence number and checksum. */
  readonly n: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly corrupted: number;
  readonly warmupMessages: number;
  readonly durationMs: number;
  /** CPUs that the two sides were pinned to. */
  readonly cpus: readonly number[] | null;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
  readonly max: number | null;
  readonly rate: number | null;
  readonly bytesPerSecond: number | null;
  readonly cpuUsPerMessage: number | null;
  readonly contextSwitches: number | null;
  /** Further metrics by id (generator lag, fairness, time to the first message…). */
  readonly extra: Readonly<Record<string, number | null>>;
}

export type VerdictKind =
  | "better"
  | "worse"
  | "slightly-better"
  | "slightly-worse"
  | "no-practical-difference"
  | "no-measurable-difference"
  | "too-noisy"
  | "two-modes"
  | "indicative"
  | "not-compared";

export interface Comparison {
  readonly base: string;
  readonly candidate: string;
  readonly metric: string;
  /** Blocks in which both have a valid trial. */
  readonly n: number;
  /** Above 1: the candidate did better. Null with two modes or no pair. */
  readonly ratio: number | null;
  readonly lo: number | null;
  readonly hi: number | null;
  /** 0.1 means that nothing is claimed within ±10%. */
  readonly band: number;
  readonly grade: Grade;
  readonly verdict: VerdictKind;
  readonly text: string;
}

/** What was counted rather than timed. */
export interface DesignFacts {
  readonly linesOfCode: readonly CodeCount[];
  readonly perMessage: readonly PerMessageCount[];
}

export interface CodeCount {
  readonly design: "socket" | "shared-memory";
  /** Folder, from the repository's root. */
  readonly folder: string;
  readonly files: number;
  /** Lines that are neither blank nor comment. */
  readonly lines: number;
}

export interface PerMessageCount {
  readonly contender: string;
  /** Both sides together, one message one way, one message a publish. */
  readonly systemCalls: number | null;
  /** Times the payload is copied between the sender's buffer and the receiver's. */
  readonly copies: number | null;
  /** Whether counted by a tracer or by reading the path, and what is in it. */
  readonly how: string;
}
