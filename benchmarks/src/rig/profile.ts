/**
 * How long a run takes and what it is made of: quick, default, thorough.
 *
 * - Times are for one phase of one trial; `budgetMs` bounds all blocks together (the schedule trims to it).
 * - The headline (round trips) never has fewer than five blocks, below which there is no interval.
 */
import type { Mode } from "../results/types.ts";

export interface PhaseTimes {
  readonly warmupMs: number;
  readonly measureMs: number;
}

/** One size and batch of the throughput scenario. */
export interface StreamShape {
  readonly bytes: number;
  /** Messages a publish. */
  readonly batch: number;
}

export interface Profile {
  readonly mode: Mode;
  readonly blocks: number;
  /** For all blocks, process starts included. */
  readonly budgetMs: number;
  readonly roundTrip: PhaseTimes;
  readonly throughput: PhaseTimes;
  /** The first is the last to be trimmed. */
  readonly shapes: readonly StreamShape[];
  readonly chat: PhaseTimes;
  readonly gateway: PhaseTimes;
  readonly gatewayConnections: number;
  /** How many times the crash-recovery trial kills a lock holder, in each block. */
  readonly recoveries: number;
  /** Messages after which a phase ends even before its time. */
  readonly maxMessages: number;
}

const SHAPES: readonly StreamShape[] = [
  { bytes: 64, batch: 1 },
  { bytes: 64, batch: 64 },
  { bytes: 1_024, batch: 1 },
  { bytes: 1_024, batch: 64 },
  { bytes: 64, batch: 16 },
  { bytes: 1_024, batch: 16 },
];

export const PROFILES: Readonly<Record<Mode, Profile>> = {
  quick: {
    mode: "quick",
    blocks: 5,
    budgetMs: 44_000,
    roundTrip: { warmupMs: 30, measureMs: 80 },
    throughput: { warmupMs: 25, measureMs: 50 },
    shapes: SHAPES.slice(0, 2),
    chat: { warmupMs: 60, measureMs: 100 },
    gateway: { warmupMs: 150, measureMs: 250 },
    gatewayConnections: 8,
    recoveries: 1,
    maxMessages: 20_000_000,
  },
  default: {
    mode: "default",
    blocks: 8,
    budgetMs: 235_000,
    roundTrip: { warmupMs: 100, measureMs: 350 },
    throughput: { warmupMs: 60, measureMs: 160 },
    shapes: SHAPES,
    chat: { warmupMs: 200, measureMs: 400 },
    gateway: { warmupMs: 400, measureMs: 800 },
    gatewayConnections: 8,
    recoveries: 2,
    maxMessages: 50_000_000,
  },
  thorough: {
    mode: "thorough",
    blocks: 20,
    budgetMs: 1_500_000,
    roundTrip: { warmupMs: 300, measureMs: 1_500 },
    throughput: { warmupMs: 200, measureMs: 600 },
    shapes: SHAPES,
    chat: { warmupMs: 500, measureMs: 1_500 },
    gateway: { warmupMs: 1_000, measureMs: 3_000 },
    gatewayConnections: 8,
    recoveries: 5,
    maxMessages: 500_000_000,
  },
};
