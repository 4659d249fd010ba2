/**
 * What the machine does to a thread that wants nothing but the clock: the noise floor around each block.
 *
 * - `sampleNoise` blocks its thread for `HICCUP_PROBE_MS`: call it between trials, never during one.
 * - Unknown values are null; nothing here throws. Grades and flags are made of the samples in results/quality.ts.
 */
import { cgroupFile, readText } from "./env.ts";
import type { BlockNoise, Hiccup, NoiseSample } from "./results/types.ts";
import { percentileUs } from "./stats/histogram.ts";
import { LatencyRecorder } from "./stats/recorder.ts";

export const HICCUP_PROBE_MS = 300;
const NS_PER_MS = 1_000_000;
const NS_PER_US = 1_000;
/** Columns of the "cpu" line of /proc/stat: user nice system idle iowait irq softirq steal. */
const STAT_COLUMNS = 8;
const STEAL_COLUMN = 7;

/** One sample of the machine's noise. */
export function sampleNoise(): NoiseSample {
  const ticks = cpuTicks();
  return {
    hiccup: probeHiccups(HICCUP_PROBE_MS),
    cpuPressurePercent: cpuPressure(),
    stealTicks: ticks?.steal ?? null,
    totalTicks: ticks?.total ?? null,
    throttledUs: throttledUs(),
  };
}

/** What happened between the two samples of a block. */
export function blockNoise(block: number, before: NoiseSample, after: NoiseSample): BlockNoise {
  const stolen = difference(before.stealTicks, after.stealTicks);
  const all = difference(before.totalTicks, after.totalTicks);
  const throttled = difference(before.throttledUs, after.throttledUs);
  return {
    block,
    before,
    after,
    stealPercent: stolen === null || all === null || all === 0 ? null : (100 * stolen) / all,
    throttledMs: throttled === null ? null : throttled / 1_000,
  };
}

/** Reads the clock for `durationMs` and records each gap: a thread that is never interrupted sees none. */
export function probeHiccups(durationMs: number): Hiccup {
  const gaps = new LatencyRecorder();
  const endMs = performance.now() + durationMs;
  let lastMs = performance.now();
  let worstNs = 0;
  while (lastMs < endMs) {
    const nowMs = performance.now();
    const gapNs = (nowMs - lastMs) * NS_PER_MS;
    if (gapNs > worstNs) worstNs = gapNs;
    gaps.record(gapNs);
    lastMs = nowMs;
  }
  return { p99Us: percentileUs(gaps.toHdr(), 99), maxUs: worstNs / NS_PER_US };
}

function cpuTicks(): { steal: number; total: number } | null {
  const line = readText("/proc/stat")?.split("\n")[0];
  if (line === undefined || !line.startsWith("cpu ")) return null;
  const columns = line
    .split(/\s+/)
    .slice(1, 1 + STAT_COLUMNS)
    .map(Number);
  const steal = columns[STEAL_COLUMN];
  if (steal === undefined) return null;
  return { steal, total: columns.reduce((sum, ticks) => sum + ticks, 0) };
}

function cpuPressure(): number | null {
  const match = /^some avg10=([\d.]+)/m.exec(readText("/proc/pressure/cpu") ?? "");
  return match === null ? null : Number(match[1]);
}

function throttledUs(): number | null {
  const match = /^throttled_usec (\d+)/m.exec(cgroupFile("cpu.stat") ?? "");
  return match === null ? null : Number(match[1]);
}

function difference(before: number | null, after: number | null): number | null {
  return before === null || after === null ? null : Math.max(0, after - before);
}
