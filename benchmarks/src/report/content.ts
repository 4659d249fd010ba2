/** The whole report as a document: a pure function of the results. */
import { SCENARIOS } from "../results/ids.ts";
import type { Results } from "../results/types.ts";
import { qualityText, threeSentences } from "./answer.ts";
import type { Document } from "./document.ts";
import { cardsSection } from "./sections/cards.ts";
import { chooseSection } from "./sections/choose.ts";
import { claimsSection } from "./sections/claims.ts";
import { environmentSection } from "./sections/environment.ts";
import { forestSection, latencySection, throughputSection, webSection } from "./sections/measurements.ts";
import { trustSection } from "./sections/trust.ts";
import { View } from "./view.ts";

export function reportDocument(results: Results): Document {
  const view = new View(results);
  const { run, env, quality } = results;
  const invalid = results.scenarios.flatMap((s) => s.cells).reduce((sum, cell) => sum + cell.summary.invalidTrials, 0);
  const warnings: string[] = [];
  if (run.synthetic) warnings.push("Synthetic figures, made up to test this report. Nothing here was measured.");
  if (invalid > 0)
    warnings.push(`${invalid} trials failed their integrity check and are in no figure; see “Can I trust this?”.`);
  if (results.contenders.some(({ design, boundary }) => design === "shared-memory" && boundary === "thread")) {
    warnings.push("Named segments aren't supported here: shared memory ran between threads of one process.");
  }
  if (view.scenarios(SCENARIOS.roundTrip.id).length === 0)
    warnings.push("The headline scenario is missing from this run.");
  return {
    title: "Sockets or shared memory?",
    subtitle: `Measured on one machine: ${env.cpu ?? "unknown CPU"}, ${env.cores ?? "?"} cores, ${env.kernel ?? "unknown kernel"}, Node ${env.node}; ${run.startedAt.slice(0, 16).replace("T", " ")} UTC, mode ${run.mode}.`,
    badge: { grade: quality.grade, text: qualityText(view) },
    warnings,
    answer: threeSentences(view),
    sections: [
      chooseSection(view),
      forestSection(view),
      latencySection(view),
      throughputSection(view),
      cardsSection(view),
      webSection(view),
      trustSection(view),
      claimsSection(view),
      environmentSection(view),
    ].filter((section) => section !== null),
  };
}
