/**
 * Turns an interval into a sentence, by rule, so that no claim depends on who reads the figures.
 *
 * - The band is max(10%, reach of the A/A interval): inside it nothing is claimed.
 * - Grade C claims nothing under 1.5×; fewer than five blocks or grade C is at most "Indicative only".
 * - Two modes give both figures and no ratio.
 * - A ratio above 1 means that the candidate did better; the words follow the metric's direction.
 */
import { MIN_BLOCKS_FOR_INTERVAL, type PairedRatio } from "../stats/paired.ts";
import { formatQuantity, formatTimes } from "./quantities.ts";
import type { Contender, Grade, Level, Metric, ModeShare, Placement, VerdictKind } from "./types.ts";

export const MIN_BAND = 0.1;
/** What grade C must exceed before anything is claimed, as a band: 1.5×. */
export const GRADE_C_BAND = 0.5;
/** An interval whose half-width is more than this many bands (on logarithms) says too little to act on. */
const WIDE_IN_BANDS = 2;

export interface VerdictInput {
  readonly base: Contender;
  readonly candidate: Contender;
  readonly metric: Metric;
  readonly placement: Placement;
  readonly estimate: PairedRatio;
  readonly band: number;
  readonly grade: Grade;
  readonly baseModes: readonly ModeShare[] | null;
  readonly candidateModes: readonly ModeShare[] | null;
}

export interface Verdict {
  readonly verdict: VerdictKind;
  readonly text: string;
}

/** The practical band for a metric, from how far its A/A interval reaches (null: no interval). */
export function practicalBand(aaHalfWidth: number | null): number {
  return Math.max(MIN_BAND, aaHalfWidth ?? 0);
}

export function judge(input: VerdictInput): Verdict {
  const { estimate, grade } = input;
  const against = `${subject(input.candidate, input.placement)} against ${input.base.label}${words(input).tail}`;
  if (input.baseModes !== null || input.candidateModes !== null) return judgeModes(input, against);
  const { n, ratio, lo, hi } = estimate;
  if (ratio === null) return { verdict: "not-compared", text: `Not compared, no block has both: ${against}` };
  if (lo === null || hi === null) {
    const blocks = `${n} of at least ${MIN_BLOCKS_FOR_INTERVAL} blocks`;
    return { verdict: "indicative", text: `Indicative only (${blocks}): ${claim(input, ratio, null)}` };
  }
  const band = grade === "C" ? Math.max(GRADE_C_BAND, input.band) : input.band;
  const above = 1 + band;
  const below = 1 / above;
  if (lo > above) return { verdict: "better", text: claim(input, ratio, [lo, hi]) };
  if (hi < below) return { verdict: "worse", text: claim(input, ratio, [lo, hi]) };
  if (grade === "C") {
    const why = "noisy run, grade C: nothing is claimed under 1.5×";
    const what = lo <= 1 && hi >= 1 ? `no measurable difference: ${against}` : claim(input, ratio, [lo, hi]);
    return { verdict: "indicative", text: `Indicative only (${why}): ${what}` };
  }
  if (lo >= below && hi <= above) {
    return {
      verdict: "no-practical-difference",
      text: `No practical difference (within ±${percent(band)}): ${against}`,
    };
  }
  const crossesBoth = lo < below && hi > above;
  if (crossesBoth || Math.log(hi / lo) / 2 > WIDE_IN_BANDS * Math.log(above)) {
    return { verdict: "too-noisy", text: `Too noisy to tell (95% CI ${interval(lo, hi)}×): ${against}` };
  }
  if (lo <= 1 && hi >= 1) {
    return { verdict: "no-measurable-difference", text: `No measurable difference on this machine: ${against}` };
  }
  const better = lo > 1;
  const [size, from, to] = better ? [ratio, lo, hi] : [1 / ratio, 1 / hi, 1 / lo];
  const amount = `about ${percent(size - 1)}, 95% CI ${percent(from - 1, "")}–${percent(to - 1)}`;
  const adjective = better ? words(input).better : words(input).worse;
  return {
    verdict: better ? "slightly-better" : "slightly-worse",
    text: `Slightly ${adjective} (${amount}): ${against}`,
  };
}

/** A contender with its wait strategy and where it ran: "Shared memory (spin, two cores)". */
export function subject(contender: Contender, placement: Placement): string {
  const comma = contender.label.indexOf(", ");
  const name = comma < 0 ? contender.label : contender.label.slice(0, comma);
  const detail = comma < 0 ? [] : [contender.label.slice(comma + 2)];
  return `${name} (${[...detail, placementPhrase(placement)].join(", ")})`;
}

export function placementPhrase(placement: Placement): string {
  return { "same-cpu": "one core", "across-cpus": "two cores", unpinned: "unpinned" }[placement];
}

/** What arrives in a scenario of this level. */
export function noun(level: Level): string {
  return level === "http" ? "requests" : "messages";
}

function judgeModes(input: VerdictInput, against: string): Verdict {
  const list = (who: string, modes: readonly ModeShare[] | null): string[] =>
    modes === null
      ? []
      : [
          `${who} ${modes.map((m) => `${formatQuantity(m.value, input.metric.unit)} in ${m.trials} trials`).join(", ")}`,
        ];
  const both = [...list(input.candidate.label, input.candidateModes), ...list(input.base.label, input.baseModes)];
  const start = input.placement === "unpinned" ? "Depends on placement" : "Two modes, so no ratio";
  return { verdict: "two-modes", text: `${start}: ${both.join("; ")} (${against})` };
}

function claim(input: VerdictInput, ratio: number, ci: readonly [number, number] | null): string {
  const { verb, better, worse, tail } = words(input);
  const isBetter = ratio >= 1;
  const size = isBetter ? ratio : 1 / ratio;
  const ends = ci === null ? "" : ` (95% CI ${isBetter ? interval(ci[0], ci[1]) : interval(1 / ci[1], 1 / ci[0])})`;
  const who = subject(input.candidate, input.placement);
  return `${who} ${verb} ${formatTimes(size)}${ends} ${isBetter ? better : worse} than ${input.base.label}${tail}`;
}

interface Words {
  readonly verb: string;
  readonly better: string;
  readonly worse: string;
  readonly tail: string;
}

function words({ metric, candidate }: VerdictInput): Words {
  if (metric.id === "cpuUsPerMessage") {
    const what = `CPU a ${noun(candidate.level).slice(0, -1)}`;
    return { verb: "needs", better: `less ${what}`, worse: `more ${what}`, tail: "" };
  }
  if (metric.id === "rate") {
    return { verb: "is", better: "faster", worse: "slower", tail: ` in ${noun(candidate.level)} a second` };
  }
  if (metric.better === "lower" && metric.unit === "µs") {
    return { verb: "is", better: "faster", worse: "slower", tail: ` at ${metric.label}` };
  }
  return { verb: "is", better: "better", worse: "worse", tail: ` in ${metric.label}` };
}

function interval(lo: number, hi: number): string {
  return `${formatTimes(lo).slice(0, -1)}–${formatTimes(hi).slice(0, -1)}`;
}

function percent(share: number, sign = "%"): string {
  return `${Math.round(share * 100)}${sign}`;
}
