/**
 * "Can I trust this?": the A/A control, the trials themselves, the machine's noise, and how the headline could be wrong.
 */
import { metricValue } from "../../results/cells.ts";
import { METRICS } from "../../results/ids.ts";
import { formatCount, formatTimes, formatUs } from "../../results/quantities.ts";
import { qualityText } from "../answer.ts";
import { type Block, columns, type Section, table, text } from "../document.ts";
import { onPlacement, scenarioPhrase, type View } from "../view.ts";

export function trustSection(view: View): Section {
  const { quality, run, scenarios } = view.results;
  const trials = scenarios.flatMap((scenario) => scenario.cells.flatMap((cell) => cell.trials));
  const invalid = trials.filter((trial) => !trial.valid);
  const verified = trials.filter((trial) => trial.valid).reduce((sum, trial) => sum + trial.n, 0);
  const warmup = trials.reduce((sum, trial) => sum + trial.warmupMessages, 0);
  const blocks: Block[] = [
    text(`**Grade ${quality.grade}**: ${qualityText(view)}.`),
    {
      kind: "list",
      items: [
        `${inWords(verified)} messages measured in ${trials.length} trials, each message verified by sequence number and checksum; ${inWords(warmup)} more warmed up and were not counted.`,
        invalid.length === 0
          ? "No trial was invalid: nothing lost, repeated, reordered or corrupted."
          : `**${invalid.length} trials were invalid** and are in no figure: ${[...new Set(invalid.map((trial) => trial.invalidReason))].join("; ")}.`,
        `${trials.filter((trial) => trial.outlier).length} trials were outliers; they stay in every figure.`,
        `Stolen CPU time: ${quality.steal === null ? "unknown" : `${quality.steal.toFixed(2)}% in the worst block`}. Longest hiccup: ${formatUs(quality.hiccup?.maxUs ?? null)}. Throttled: ${quality.throttled === null ? "unknown" : `${quality.throttled.toFixed(0)} ms`}.`,
        ...quality.flags,
        ...run.skipped.map(({ what, why }) => `Skipped: ${what} (${why}).`),
      ],
    },
    aaTable(view),
    ...trialDetails(view),
    {
      kind: "card",
      title: "How this could be wrong",
      question: "The three assumptions the headline depends on most",
      answer: "",
      blocks: assumptions(),
    },
  ];
  return { id: "trust", title: "Can I trust this?", blocks };
}

function inWords(count: number): string {
  return formatCount(count).replace(" M", " million").replace(" G", " billion");
}

function aaTable(view: View): Block {
  const { aa } = view.results.quality;
  if (aa.length === 0)
    return text("This run has no A/A control: nothing measured the noise between two equal contenders.");
  return table(
    "TCP against itself (A/A): how far apart equal things came out",
    columns("Scenario", "Metric", "#×", "#95% CI", "#blocks", "#grade"),
    aa.map((check) => {
      const scenario = view.results.scenarios.find(
        (each) =>
          each.id === check.scenario &&
          each.placement === check.placement &&
          JSON.stringify(each.params) === JSON.stringify(check.params),
      );
      return [
        scenario === undefined ? `${check.scenario}, ${onPlacement(check.placement)}` : scenarioPhrase(scenario),
        view.metric(check.metric).label,
        formatTimes(check.ratio),
        check.lo === null || check.hi === null
          ? "–"
          : `${formatTimes(check.lo).slice(0, -1)}–${formatTimes(check.hi).slice(0, -1)}`,
        String(check.n),
        check.grade,
      ];
    }),
  );
}

/** The primary metric of each single trial, block by block, so that drift and modes can be seen. */
function trialDetails(view: View): Block[] {
  return view.results.scenarios
    .filter((scenario) => scenario.cells.length > 0)
    .map((scenario): Block => {
      const blockNumbers = [...new Set(scenario.cells.flatMap((cell) => cell.trials.map((trial) => trial.block)))].sort(
        (a, b) => a - b,
      );
      const metric = view.metric(scenario.primaryMetric);
      const rows = scenario.cells.map((cell) => [
        view.contender(cell.contender).label,
        ...blockNumbers.map((block) =>
          cell.trials
            .filter((trial) => trial.block === block)
            .map((trial) => {
              if (!trial.valid) return "invalid";
              const shown = view
                .quantity(metricValue(trial, metric.id), metric.id)
                .replace(` ${METRICS.rate.unit}`, "");
              return trial.outlier ? `${shown} (outlier)` : shown;
            })
            .join(" / "),
        ),
      ]);
      return {
        kind: "details",
        summary: `Each trial of: ${scenarioPhrase(scenario)}`,
        blocks: [
          table(
            `${metric.label} (${metric.unit}, ${metric.better} is better) by block`,
            columns("Contender", ...blockNumbers.map((b) => `#block ${b + 1}`)),
            rows,
          ),
        ],
      };
    });
}

function assumptions(): Block[] {
  return [
    text(
      "**1. That an idle core stays as slow to wake as it was.** On two cores most of a sleeping round trip is the wake-up of the other core, which depends on power states and the hypervisor. Keep every core awake with loops of lowest priority and compare: if the figures on two cores fall a lot, the wake-up was measured, not the transport.",
    ),
    {
      kind: "code",
      text: "for c in 0 1; do nice -n 19 taskset -c $c sh -c 'while :; do :; done' & done; npm run -s compare -- --quick; kill $(jobs -p)",
    },
    text(
      "**2. That your two sides run where these ran.** The kernel may put both on one core, and the order of the contenders then changes. Allow one CPU only, and look at what is left of the headline.",
    ),
    { kind: "code", text: "taskset -c 0 npm run -s compare -- --quick" },
    text(
      "**3. That these minutes were ordinary ones.** Intervals cover the noise within a run, not between days. Run again with another order of contenders: where the new interval doesn't overlap the old one, the machine differs more from day to day than this report says.",
    ),
    { kind: "code", text: "npm run -s compare -- --seed 2" },
  ];
}
