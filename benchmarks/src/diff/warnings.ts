/** What stands against comparing two runs, as sentences: other machines, other software, runs that say little. */
import type { Environment, Results } from "../results/types.ts";
import type { Change, Difference } from "./changes.ts";

const MACHINE: readonly (readonly [keyof Environment, string])[] = [
  ["cpu", "processor"],
  ["cores", "cores"],
  ["affinity", "CPUs allowed"],
  ["smt", "hyper-threading"],
  ["governor", "frequency governor"],
  ["hypervisor", "hypervisor"],
  ["clocksource", "clock source"],
  ["kernel", "kernel"],
  ["cgroupCpuMax", "CPU quota"],
];

export function warningsOf(before: Results, after: Results, { controls }: Difference): string[] {
  const warnings: string[] = [];
  const machine = MACHINE.filter(([field]) => before.env[field] !== after.env[field]).map(
    ([field, label]) => `${label} ${shown(before.env[field])} before, ${shown(after.env[field])} after`,
  );
  if (machine.length > 0) {
    warnings.push(`Different machines: ${machine.join("; ")}. Ratios travel better than times, but not everywhere.`);
  }
  const software = { node: [before.env.node, after.env.node], ...packagesOf(before, after) };
  const changed = Object.entries(software).filter(([, [a, b]]) => a !== b);
  if (changed.length > 0) {
    const list = changed.map(([name, [a, b]]) => `${name} ${a ?? "none"} → ${b ?? "none"}`);
    warnings.push(`Different software: ${list.join(", ")}.`);
  }
  if (before.run.mode !== after.run.mode) {
    warnings.push(`Different modes: ${before.run.mode} before, ${after.run.mode} after.`);
  }
  for (const [when, { run, quality, scenarios }] of [
    ["earlier", before],
    ["later", after],
  ] as const) {
    if (run.synthetic) warnings.push(`The ${when} run's figures are made up.`);
    if (quality.grade === "C") warnings.push(`The ${when} run is grade C: only large changes can be seen.`);
    if (run.git.dirty) warnings.push(`The ${when} run measured a working tree with changes that were not committed.`);
    if (run.skipped.some(({ why }) => why.includes("interrupted"))) warnings.push(`The ${when} run is incomplete.`);
    const invalid = scenarios.flatMap(({ cells }) => cells).reduce((sum, cell) => sum + cell.summary.invalidTrials, 0);
    if (invalid > 0) warnings.push(`The ${when} run has ${invalid} invalid trials.`);
  }
  const moved = controls.filter(isClaim);
  if (moved.length > 0) {
    warnings.push(`TCP against itself changed in ${moved.length} of ${controls.length} places: trust nothing below.`);
  }
  return warnings;
}

export function isClaim({ kind }: Change): boolean {
  return kind === "better" || kind === "worse";
}

function packagesOf(before: Results, after: Results): Record<string, [string | undefined, string | undefined]> {
  const names = new Set([...Object.keys(before.env.packages), ...Object.keys(after.env.packages)]);
  return Object.fromEntries([...names].map((name) => [name, [before.env.packages[name], after.env.packages[name]]]));
}

function shown(value: unknown): string {
  return value === null ? "unknown" : String(value);
}
