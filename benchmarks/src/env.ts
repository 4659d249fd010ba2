/**
 * The machine and software that a run was measured on.
 *
 * - Whatever can't be found out is null; nothing here throws.
 * - Reads files under /proc and /sys and asks git and the installed packages; takes a few milliseconds; changes nothing.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import type { Environment, Run } from "./results/types.ts";

export const REPOSITORY_ROOT: string = path.resolve(import.meta.dirname, "../..");

const MEASURED_PACKAGES = ["koffi", "autocannon", "hdr-histogram-js", "ws"];
const VULNERABILITIES = "/sys/devices/system/cpu/vulnerabilities";

/** The environment at the start of a run; `withLoadAfter` completes it. */
export function readEnvironment(): Environment {
  const cpus = os.cpus();
  return {
    cpu: cpus[0]?.model.trim() || null,
    cores: cpus.length || null,
    affinity: statusField("Cpus_allowed_list"),
    smt: flag(readText("/sys/devices/system/cpu/smt/active")),
    governor: readText("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    hypervisor: hypervisor(),
    clocksource: readText("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
    kernel: `${os.type()} ${os.release()} ${os.arch()}`,
    mitigations: mitigations(),
    cgroupCpuMax: cgroupFile("cpu.max"),
    memoryBytes: os.totalmem(),
    loadBefore: loadAverages(),
    loadAfter: null,
    node: process.version,
    v8: process.versions.v8,
    execArgv: process.execArgv,
    packages: packageVersions(),
  };
}

export function withLoadAfter(env: Environment): Environment {
  return { ...env, loadAfter: loadAverages() };
}

/** The commit that was measured, and whether the tree differed from it. */
export function readGit(): Run["git"] {
  const sha = git(["rev-parse", "HEAD"]);
  const status = git(["status", "--porcelain", "--untracked-files=no"]);
  return { sha: sha === null || sha === "" ? null : sha, dirty: status === null ? null : status !== "" };
}

/** CPUs that this process may use, for example [0, 1]; null where the system doesn't tell. */
export function allowedCpus(): number[] | null {
  const list = statusField("Cpus_allowed_list");
  if (list === null) return null;
  return list.split(",").flatMap((range) => {
    const [from, to] = range.split("-").map(Number) as [number, number | undefined];
    return Array.from({ length: (to ?? from) - from + 1 }, (_, i) => from + i);
  });
}

/** The text of a file in this process's cgroup (version 2), or null. */
export function cgroupFile(name: string): string | null {
  const own = readText("/proc/self/cgroup")
    ?.split("\n")
    .find((line) => line.startsWith("0::"))
    ?.slice(3);
  // In a container without a cgroup namespace the named path isn't mounted; its own files are at the mount's root.
  return (
    (own === undefined ? null : readText(path.join("/sys/fs/cgroup", own, name))) ?? readText(`/sys/fs/cgroup/${name}`)
  );
}

/** The trimmed text of a file, or null when it can't be read or is empty. */
export function readText(file: string): string | null {
  try {
    return readFileSync(file, "utf8").trim() || null;
  } catch {
    return null;
  }
}

function statusField(name: string): string | null {
  const line = readText("/proc/self/status")
    ?.split("\n")
    .find((each) => each.startsWith(`${name}:`));
  return line?.slice(name.length + 1).trim() ?? null;
}

function flag(text: string | null): boolean | null {
  return text === null ? null : text === "1";
}

function hypervisor(): string | null {
  const cpuinfo = readText("/proc/cpuinfo");
  if (cpuinfo === null) return null;
  const virtual = /^flags\s*:.*\bhypervisor\b/m.test(cpuinfo);
  const product = readText("/sys/devices/virtual/dmi/id/product_name") ?? readText("/sys/hypervisor/type");
  const vendor = readText("/sys/devices/virtual/dmi/id/sys_vendor");
  if (!virtual) return /^flags\s*:/m.test(cpuinfo) ? "none" : null;
  return [vendor, product].filter((part) => part !== null).join(" ") || "unnamed";
}

function mitigations(): Record<string, string> | null {
  try {
    const names = readdirSync(VULNERABILITIES).sort();
    return Object.fromEntries(names.map((name) => [name, readText(`${VULNERABILITIES}/${name}`) ?? "unknown"]));
  } catch {
    return null;
  }
}

function loadAverages(): number[] | null {
  return process.platform === "win32" ? null : os.loadavg().map((load) => Number(load.toFixed(2)));
}

function packageVersions(): Record<string, string> {
  const versions: Record<string, string> = {};
  for (const name of MEASURED_PACKAGES) {
    // package.json isn't always exported, so it is read from the folders that Node would look in.
    const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
    const text = folders
      .map((folder) => readText(path.join(folder, name, "package.json")))
      .find((found) => found !== null);
    if (text === undefined || text === null) continue;
    versions[name] = String((JSON.parse(text) as { version?: string }).version);
  }
  return versions;
}

function git(args: readonly string[]): string | null {
  try {
    return execFileSync("git", [...args], {
      cwd: REPOSITORY_ROOT,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return null;
  }
}
