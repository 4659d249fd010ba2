/**
 * How far a run can be trusted: the A/A control and what the machine did meanwhile.
 *
 * - Grade A: the A/A interval stays within ±5%; B: within ±15%; C: anything else, or no interval at all.
 * - The run's grade is the worst over the headline scenario's A/A checks; each comparison has that or, if worse, its own scenario's.
 * - Flags are sentences; they don't change the grade, because the A/A interval already contains what they describe.
 */
import type { AaCheck, BlockNoise, Environment, Grade, Hiccup, Quality } from "./types.ts";

const GRADE_A_REACH = 0.05;
const GRADE_B_REACH = 0.15;
const STEAL_FLAG_PERCENT = 1;
const HICCUP_FLAG_US = 10_000;
const PRESSURE_FLAG_PERCENT = 20;
const GRADES: readonly Grade[] = ["A", "B", "C"];

/** How far an interval reaches from 1, as a share: [0.97, 1.02] reaches 0.031. Null without an interval. */
export function intervalReach(lo: number | null, hi: number | null): number | null {
  return lo === null || hi === null ? null : Math.max(hi, 1 / lo) - 1;
}

export function gradeOf(reach: number | null): Grade {
  if (reach === null) return "C";
  if (reach <= GRADE_A_REACH) return "A";
  return reach <= GRADE_B_REACH ? "B" : "C";
}

export function worstGrade(grades: readonly Grade[]): Grade {
  return grades.length === 0 ? "C" : (GRADES[Math.max(...grades.map((grade) => GRADES.indexOf(grade)))] as Grade);
}

/** @param headline the A/A checks whose worst grade becomes the run's */
export function assessQuality(
  aa: readonly AaCheck[],
  headline: readonly AaCheck[],
  blocks: readonly BlockNoise[],
  env: Environment,
): Quality {
  const steal = worst(blocks.map((block) => block.stealPercent));
  const throttledEach = blocks.map((block) => block.throttledMs).filter((ms) => ms !== null);
  const throttled = throttledEach.length === 0 ? null : throttledEach.reduce((sum, ms) => sum + ms, 0);
  const samples = blocks.flatMap((block) => [block.before, block.after]);
  const hiccup = samples.map((sample) => sample.hiccup).reduce(worseHiccup, null);
  // After a block the pressure is the benchmark's own; only what was there before it comes from outside.
  const pressure = worst(blocks.slice(0, 1).map((block) => block.before.cpuPressurePercent));
  const flags: string[] = [];
  if (headline.length === 0) flags.push("There was no A/A control for the headline, so the run is graded C.");
  if (steal !== null && steal > STEAL_FLAG_PERCENT) {
    flags.push(`The hypervisor took up to ${steal.toFixed(1)}% of the CPU time of a block for others.`);
  }
  if (throttled !== null && throttled > 0) {
    flags.push(`The container's CPU quota stopped the run for ${throttled.toFixed(0)} ms in all.`);
  }
  if (hiccup !== null && hiccup.maxUs > HICCUP_FLAG_US) {
    flags.push(`A thread that only reads the clock was away for up to ${(hiccup.maxUs / 1_000).toFixed(1)} ms.`);
  }
  if (pressure !== null && pressure > PRESSURE_FLAG_PERCENT) {
    flags.push(`Tasks were already waiting for a CPU ${pressure.toFixed(0)}% of the time when the run began.`);
  }
  const load = env.loadBefore?.[0];
  if (load !== undefined && env.cores !== null && load > env.cores / 2) {
    flags.push(`The load average was ${load.toFixed(1)} on ${env.cores} cores when the run began.`);
  }
  if (env.cores !== null && env.cores < 4) {
    flags.push(
      `With ${env.cores} ${env.cores === 1 ? "core" : "cores"}, two busy sides leave none for the rest of the system.`,
    );
  }
  return { grade: worstGrade(headline.map((check) => check.grade)), aa, steal, hiccup, throttled, flags, blocks };
}

function worst(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
}

function worseHiccup(a: Hiccup | null, b: Hiccup | null): Hiccup | null {
  if (a === null || b === null) return a ?? b;
  return b.maxUs > a.maxUs ? b : a;
}
