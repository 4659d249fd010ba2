/**
 * Everything in a results file that is a ratio within one run, which is all that two runs may be compared by.
 *
 * - The run's own comparisons, to the sockets of their own scenario.
 * - And the scenarios that sockets and memory only appear in as whole programs (chat, HTTP), each contender against the raw TCP
 *   round trip of the same run and placement: otherwise a chat server that became slower would only make others look better.
 * - A control (TCP against itself) is marked: it says how far to trust the rest, and is no result.
 */
import { blockValues, modesOf } from "../results/cells.ts";
import { CONTENDERS, METRICS, SCENARIOS, scenarioKey } from "../results/ids.ts";
import { worstGrade } from "../results/quality.ts";
import type { AaCheck, Grade, Results, Scenario } from "../results/types.ts";
import { practicalBand } from "../results/verdicts.ts";
import { pairedRatio } from "../stats/paired.ts";

export interface Relation {
  /** The same in two runs for the same question. */
  readonly key: string;
  readonly scenario: Scenario;
  readonly base: string;
  readonly candidate: string;
  readonly metric: string;
  readonly isControl: boolean;
  /** Above 1: the candidate did better. Null with two modes or nothing to pair. */
  readonly ratio: number | null;
  /** Ends of the 95% interval; null with too few blocks. */
  readonly lo: number | null;
  readonly hi: number | null;
  /** Blocks in which both have a value. */
  readonly n: number;
  readonly hasTwoModes: boolean;
  /** 0.1 means that nothing is claimed within ±10%. */
  readonly band: number;
  readonly grade: Grade;
}

export function relationsOf(results: Results): Relation[] {
  const controls = new Set(results.contenders.filter(({ repeats }) => repeats !== null).map(({ id }) => id));
  const own = results.scenarios.flatMap((scenario) =>
    scenario.comparisons.map(({ base, candidate, metric, ratio, lo, hi, n, verdict, band, grade }) => ({
      ...{ key: keyOf(scenario, base, candidate, metric), scenario, base, candidate, metric },
      ...{ isControl: controls.has(candidate), hasTwoModes: verdict === "two-modes" },
      ...{ ratio, lo, hi, n, band, grade },
    })),
  );
  return [...own, ...againstRawTcp(results)];
}

function keyOf(scenario: Scenario, base: string, candidate: string, metric: string): string {
  return `${scenarioKey(scenario)}: ${candidate} against ${base}, ${metric}`;
}

const RAW_METRICS: readonly string[] = [METRICS.p50.id, METRICS.cpuUsPerMessage.id];

function againstRawTcp(results: Results): Relation[] {
  const tcp = CONTENDERS.tcp.id;
  const better = new Map(results.metrics.map((metric) => [metric.id, metric.better]));
  return results.scenarios
    .filter((scenario) => scenario.level !== "transport")
    .flatMap((scenario) => {
      const raw = results.scenarios
        .find(({ id, placement }) => id === SCENARIOS.roundTrip.id && placement === scenario.placement)
        ?.cells.find(({ contender }) => contender === tcp);
      if (raw === undefined) return [];
      return scenario.cells.flatMap((cell) =>
        RAW_METRICS.flatMap((metric): Relation[] => {
          const base = blockValues(raw, metric);
          const candidate = blockValues(cell, metric);
          if (base.length === 0 || candidate.length === 0) return [];
          const hasTwoModes = modesOf(raw, metric) !== null || modesOf(cell, metric) !== null;
          const { n, ratio, lo, hi } = pairedRatio(base, candidate, better.get(metric) ?? "lower");
          const checks = results.quality.aa.filter((check) => isRawTcp(check, scenario, metric));
          const reaches = checks.map(({ halfWidth }) => halfWidth).filter((reach) => reach !== null);
          return [
            {
              ...{ key: keyOf(scenario, tcp, cell.contender, metric), scenario, base: tcp, candidate: cell.contender },
              ...{ metric, isControl: false, hasTwoModes, n },
              ...(hasTwoModes ? { ratio: null, lo: null, hi: null } : { ratio, lo, hi }),
              band: practicalBand(reaches.length === 0 ? null : Math.max(...reaches)),
              grade: worstGrade(checks.map(({ grade }) => grade)),
            },
          ];
        }),
      );
    });
}

function isRawTcp(check: AaCheck, { placement }: Scenario, metric: string): boolean {
  return check.scenario === SCENARIOS.roundTrip.id && check.placement === placement && check.metric === metric;
}
