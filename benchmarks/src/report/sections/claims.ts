/**
 * Sockets and shared memory as designs: the usual claim, what was measured or counted here, whether it holds.
 *
 * - Where this run has no figure the row says so; nothing is asserted from elsewhere.
 */
import { CONTENDERS, CRASH_RECOVERY_ID, METRICS, SCENARIOS } from "../../results/ids.ts";
import { formatCount, formatTimes, formatUs } from "../../results/quantities.ts";
import type { Comparison } from "../../results/types.ts";
import { type Block, columns, type Section, table, text } from "../document.ts";
import { BASELINE, isClaimedBetter, ratioPhrase, type View } from "../view.ts";

type Row = readonly [aspect: string, claim: string, found: string, holds: string];
const NOT_MEASURED = "Not measured in this run.";

export function claimsSection(view: View): Section {
  const rows: Row[] = [
    [
      "Scope",
      "Sockets reach any machine; shared memory ends at one.",
      "By design. The TCP measured here stayed on loopback, which flatters it against a real network.",
      "Holds",
    ],
    speed(view),
    complexity(view),
    perMessage(view),
    cpu(view),
    scalability(view),
    useCase(view),
    [
      "Security",
      "Sockets can authenticate and encrypt; memory that is shared is trusted.",
      "By design. Segments are files of mode 0600: whoever may write one can forge or stop the room. TCP on loopback is open to every local user.",
      "Holds, in part: neither is safe by default",
    ],
    failure(view),
  ];
  const { linesOfCode, perMessage: counts } = view.results.designFacts;
  const blocks: Block[] = [
    text("Both designs carry the same chat here, so that the usual claims can be held against figures."),
    table(
      "Claims against findings",
      columns("Aspect", "The usual claim", "Measured or counted here", "Does it hold?"),
      rows,
    ),
  ];
  if (counts.length > 0) {
    blocks.push({
      kind: "details",
      summary: "How system calls and copies were counted",
      blocks: [
        table(
          "One message, one way, one a publish, both sides together",
          columns("Contender", "#system calls", "#copies", "How"),
          counts.map((each) => [
            view.contender(each.contender).label,
            formatCount(each.systemCalls),
            formatCount(each.copies),
            each.how,
          ]),
        ),
      ],
    });
  }
  if (linesOfCode.length > 0) {
    blocks.push({
      kind: "details",
      summary: "How lines were counted",
      blocks: [
        table(
          "Lines neither blank nor comment, beyond the chat logic that both share",
          columns("Design", "Folder", "#files", "#lines"),
          linesOfCode.map((each) => [
            each.design === "socket" ? "Sockets" : "Shared memory",
            `\`${each.folder}\``,
            formatCount(each.files),
            formatCount(each.lines),
          ]),
        ),
      ],
    });
  }
  return { id: "claims", title: "Sockets and shared memory as designs", blocks };
}

function speed(view: View): Row {
  const claims = view
    .scenarios(SCENARIOS.roundTrip.id)
    .flatMap((scenario) => scenario.comparisons)
    .filter(
      (each) => isShared(view, each) && each.base === BASELINE && each.metric === METRICS.p50.id && each.ratio !== null,
    );
  const found = "Shared memory is faster than sockets.";
  if (claims.length === 0) return ["Speed", found, NOT_MEASURED, "Not tested"];
  const ratios = claims.map((each) => each.ratio as number);
  const better = claims.filter(isClaimedBetter).length;
  const worse = claims.filter((each) => each.verdict === "worse" || each.verdict === "slightly-worse").length;
  const range = `Round trip at p50 over every wait strategy and placement: from ${formatTimes(Math.min(...ratios))} to ${formatTimes(Math.max(...ratios))} of TCP's speed; clearly faster in ${better} of ${claims.length} cases, slower in ${worse}.`;
  const holds =
    better === claims.length ? "Holds" : better > 0 ? "Depends on wait strategy and placement" : "Does not hold here";
  return ["Speed", found, range, holds];
}

function complexity(view: View): Row {
  const sum = (design: string): number =>
    view.results.designFacts.linesOfCode
      .filter((each) => each.design === design)
      .reduce((total, each) => total + each.lines, 0);
  const socket = sum("socket");
  const shared = sum("shared-memory");
  const claim = "Shared memory is the more complex of the two.";
  if (socket === 0 || shared === 0) return ["Complexity", claim, "Not counted in this run.", "Not tested"];
  const found = `${formatCount(shared)} lines of ours for shared memory, ${formatCount(socket)} for the socket server. The kernel's TCP and Node's streams carry the socket side and aren't counted; locks, crash recovery and waking have no such help.`;
  return ["Complexity", claim, found, shared > socket ? "Holds" : "Does not hold by lines of ours"];
}

function perMessage(view: View): Row {
  const claim = "Shared memory needs no system calls and no copies.";
  const counts = view.results.designFacts.perMessage;
  if (counts.length === 0) return ["System calls, copies", claim, "Not counted in this run.", "Not tested"];
  const list = counts.map(
    (each) =>
      `${view.contender(each.contender).label}: ${formatCount(each.systemCalls)} calls, ${formatCount(each.copies)} copies`,
  );
  const shared = counts.filter((each) => view.contender(each.contender).design === "shared-memory");
  const free = shared.filter((each) => each.systemCalls === 0);
  const holds =
    free.length === 0
      ? "Does not hold"
      : free.length < shared.length
        ? "Only while nobody sleeps, and without copies only in place"
        : "Holds for system calls";
  return ["System calls, copies", claim, `${list.join("; ")}.`, holds];
}

function cpu(view: View): Row {
  const claim = "Shared memory saves CPU.";
  const scenario = view.scenario(SCENARIOS.roundTrip.id);
  const tcp = view.cell(scenario, BASELINE)?.summary.cpuUsPerMessage ?? null;
  const pairs = [CONTENDERS.shmEventLoop, CONTENDERS.shmSpin].flatMap(({ id }) => {
    const own = view.cell(scenario, id)?.summary.cpuUsPerMessage ?? null;
    const comparison = view.comparison(scenario, id, METRICS.cpuUsPerMessage.id, BASELINE);
    return own === null || comparison === undefined ? [] : [{ id, own, comparison }];
  });
  if (tcp === null || pairs.length === 0) return ["CPU", claim, NOT_MEASURED, "Not tested"];
  const list = pairs.map(
    ({ id, own, comparison }) => `${view.contender(id).label} ${formatUs(own)} a message, ${ratioPhrase(comparison)}`,
  );
  const better = pairs.filter(({ comparison }) => isClaimedBetter(comparison)).length;
  return [
    "CPU",
    claim,
    `${list.join("; ")}; TCP ${formatUs(tcp)}. A spinning side also burns its core while nothing arrives.`,
    better === pairs.length ? "Holds under load" : better > 0 ? "Depends on the wait strategy" : "Does not hold here",
  ];
}

function scalability(view: View): Row {
  const claim = "Sockets scale out over machines; shared memory scales up to the cores of one.";
  const scenario = view.scenarios(SCENARIOS.throughput.id).at(-1);
  const cores = view.results.env.cores;
  const found =
    scenario === undefined
      ? NOT_MEASURED
      : `Only two processes on ${cores ?? "an unknown number of"} cores were measured, none on a second machine, so neither half was tested.`;
  return ["Scalability", claim, found, "Not tested here"];
}

function useCase(view: View): Row {
  const claim = "Sockets for services, shared memory for hot paths on one machine.";
  const web = view.comparison(
    view.scenario(SCENARIOS.httpGateway.id),
    CONTENDERS.gatewayShm.id,
    METRICS.rate.id,
    CONTENDERS.gatewayTcp.id,
  );
  const spin = view.comparison(view.scenario(SCENARIOS.roundTrip.id), CONTENDERS.shmSpin.id, METRICS.p50.id, BASELINE);
  if (web === undefined && spin === undefined) return ["Use case", claim, NOT_MEASURED, "Not tested"];
  const found = [
    spin === undefined ? [] : [`A spinning hot path: ${ratioPhrase(spin)} at p50.`],
    web === undefined ? [] : [`Behind an HTTP service: ${ratioPhrase(web)} in requests a second.`],
  ].flat();
  const hot = isClaimedBetter(spin);
  const service = isClaimedBetter(web) && (web?.ratio ?? 0) > 1.5;
  const holds =
    web === undefined || spin === undefined
      ? "Half tested"
      : hot && !service
        ? "Holds"
        : hot
          ? "Shared memory pays behind HTTP too"
          : "Does not hold here";
  return ["Use case", claim, found.join(" "), holds];
}

function failure(view: View): Row {
  const cells = view.results.scenarios.flatMap((scenario) =>
    scenario.cells.map((cell) => ({ cell, design: view.contender(cell.contender).design })),
  );
  const sum = (design: string, pick: "n" | "lost"): number =>
    cells.filter((each) => each.design === design).reduce((total, each) => total + each.cell.summary[pick], 0);
  const count = (design: string): string => `${formatCount(sum(design, "lost"))} of ${formatCount(sum(design, "n"))}`;
  const claim = "A socket's peer dies alone; a crash in shared memory can take the others along.";
  const lost = `Messages lost while all went well: ${count("socket")} over sockets, ${count("shared-memory")} over shared memory.`;
  const recoveries = view.scenarios(CRASH_RECOVERY_ID).flatMap((scenario) => view.cells(scenario));
  if (recoveries.length === 0) {
    return ["Failure", claim, `${lost} Crashes were not part of this run.`, "Not tested here"];
  }
  const times = recoveries.map(
    ({ contender, summary }) =>
      `${view.contender(contender).label}: lock holders killed with -9: ${formatCount(summary.n)}; the survivor went on after ${formatUs(summary.p50)} at p50, ${formatUs(summary.max)} at worst`,
  );
  const invalid = recoveries.reduce((sum, { summary }) => sum + summary.invalidTrials, 0);
  const holds = invalid === 0 ? "Does not hold for a lock that knows its owner" : "Holds: some trials did not recover";
  return ["Failure", claim, `${times.join("; ")}. ${lost}`, holds];
}

function isShared(view: View, comparison: Comparison): boolean {
  return view.contender(comparison.candidate).design === "shared-memory";
}
