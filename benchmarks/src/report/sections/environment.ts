/** The machine, the software and the exact command to run it again. */
import { formatBytes } from "../../results/quantities.ts";
import { columns, type Section, table } from "../document.ts";
import type { View } from "../view.ts";

const UNKNOWN = "unknown";

export function environmentSection(view: View): Section {
  const { env, run } = view.results;
  const yesNo = (value: boolean | null): string => (value === null ? UNKNOWN : value ? "yes" : "no");
  const load = (values: readonly number[] | null): string =>
    values?.map((value) => value.toFixed(2)).join(", ") ?? UNKNOWN;
  const mitigations = Object.entries(env.mitigations ?? {}).filter(([, state]) => state !== "Not affected");
  const rows: [string, string][] = [
    ["Measured", `${run.startedAt}, ${(run.durationMs / 1_000).toFixed(0)} s, mode ${run.mode}, seed ${run.seed}`],
    ["Commit", `${run.git.sha ?? UNKNOWN}${run.git.dirty === true ? ", with uncommitted changes" : ""}`],
    [
      "CPU",
      `${env.cpu ?? UNKNOWN}, ${env.cores ?? UNKNOWN} cores, may use ${env.affinity ?? UNKNOWN}; SMT ${yesNo(env.smt)}`,
    ],
    ["Memory", env.memoryBytes === null ? UNKNOWN : formatBytes(env.memoryBytes)],
    ["Governor", env.governor ?? UNKNOWN],
    ["Hypervisor", env.hypervisor ?? UNKNOWN],
    ["Clock source", env.clocksource ?? UNKNOWN],
    ["Kernel", env.kernel ?? UNKNOWN],
    [
      "Mitigations",
      env.mitigations === null
        ? UNKNOWN
        : mitigations.map(([name, state]) => `${name}: ${state}`).join("; ") || "none needed",
    ],
    ["CPU quota (cpu.max)", env.cgroupCpuMax ?? UNKNOWN],
    ["Load before, after", `${load(env.loadBefore)}; ${load(env.loadAfter)}`],
    ["Node, V8", `${env.node}, ${env.v8}${env.execArgv.length > 0 ? `, ${env.execArgv.join(" ")}` : ""}`],
    [
      "Packages",
      Object.entries(env.packages)
        .map(([name, version]) => `${name} ${version}`)
        .join(", ") || UNKNOWN,
    ],
  ];
  return {
    id: "environment",
    title: "Environment, and how to run it again",
    blocks: [{ kind: "code", text: run.argv.join(" ") }, table("Where this was measured", columns("", ""), rows)],
  };
}
