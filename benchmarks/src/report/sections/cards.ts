/**
 * A card for each scenario: its question, the answer by verdict, every comparison.
 *
 * - A scenario that the report has no section for gets its figures here, whatever metrics it brings.
 */
import { metricValue } from "../../results/cells.ts";
import { SCENARIOS } from "../../results/ids.ts";
import { formatCount, formatTimes, formatUs } from "../../results/quantities.ts";
import type { Scenario } from "../../results/types.ts";
import { type Block, columns, type Section, table } from "../document.ts";
import { scenarioPhrase, type View } from "../view.ts";
import { nameOf } from "./measurements.ts";

const SHOWN_ELSEWHERE: ReadonlySet<string> = new Set(Object.values(SCENARIOS).map((kind) => kind.id));

export function cardsSection(view: View): Section | null {
  const blocks = view.results.scenarios.map((scenario): Block => {
    const details: Block = {
      kind: "details",
      summary: `All ${scenario.comparisons.length} comparisons`,
      blocks: [comparisonsTable(view, scenario)],
    };
    return {
      kind: "card",
      title: scenarioPhrase(scenario),
      question: scenario.question,
      answer: answerTo(view, scenario),
      blocks: [
        ...(SHOWN_ELSEWHERE.has(scenario.id) ? [] : [figuresTable(view, scenario)]),
        ...(scenario.comparisons.length === 0 ? [] : [details]),
      ],
    };
  });
  return blocks.length === 0 ? null : { id: "scenarios", title: "Scenario by scenario", blocks };
}

/** The strongest claim on the primary metric, or else the first verdict; nothing where nothing was compared. */
function answerTo(view: View, scenario: Scenario): string {
  // Controls and floors aren't answers to anybody's question.
  const claims = scenario.comparisons.filter(
    ({ metric, candidate }) =>
      metric === scenario.primaryMetric && !view.isControl(candidate) && view.contender(candidate).design !== "none",
  );
  const strongest = claims
    .filter((each) => each.verdict === "better")
    .sort((a, b) => (b.ratio ?? 0) - (a.ratio ?? 0))[0];
  const answer = strongest?.text ?? claims.find((each) => each.verdict !== "not-compared")?.text;
  if (answer !== undefined) return `${answer}.`;
  return scenario.comparisons.length === 0 ? "" : "No two contenders could be compared.";
}

function figuresTable(view: View, scenario: Scenario): Block {
  const cells = view.cells(scenario);
  const metrics = [...new Set([scenario.primaryMetric, ...cells.flatMap((cell) => Object.keys(cell.summary.extra))])];
  const hasLatencies = cells.some(({ summary }) => summary.max !== null);
  return table(
    "Over all valid trials",
    columns(
      "Contender",
      ...metrics.map((id) => `#${view.metric(id).label} (${view.metric(id).better} is better)`),
      ...(hasLatencies ? ["#max"] : []),
      "#n",
      "#lost",
    ),
    cells.map(({ contender, summary, oversubscribed }) => [
      nameOf(view, contender, oversubscribed),
      ...metrics.map((id) => view.quantity(metricValue(summary, id), id)),
      ...(hasLatencies ? [formatUs(summary.max)] : []),
      formatCount(summary.n),
      formatCount(summary.lost),
    ]),
  );
}

function comparisonsTable(view: View, scenario: Scenario): Block {
  return table(
    "A ratio above 1 means better than the base",
    columns("Contender", "Metric", "#×", "#95% CI", "#band", "#blocks", "Verdict"),
    scenario.comparisons.map((each) => [
      view.contender(each.candidate).label,
      view.metric(each.metric).label,
      formatTimes(each.ratio),
      each.lo === null || each.hi === null
        ? "–"
        : `${formatTimes(each.lo).slice(0, -1)}–${formatTimes(each.hi).slice(0, -1)}`,
      `±${Math.round(each.band * 100)}%`,
      String(each.n),
      each.text,
    ]),
  );
}
