/** Who may import whom: the arrows of docs/architecture.md, checked against every package.json and against Nx. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./repository.ts";

/** Project → projects of ours that it may depend on. A missing project fails, as does an arrow that isn't here. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  "chat-protocol": [],
  "shared-memory-ringbuffer": [],
  "chat-room": ["chat-protocol"],
  "shared-memory-room": ["chat-protocol", "chat-room", "shared-memory-ringbuffer"],
  "chat-client": ["chat-protocol", "shared-memory-room"],
  "socket-server": ["chat-protocol", "chat-room"],
  "shared-memory-chat": ["chat-client", "chat-protocol", "shared-memory-ringbuffer", "shared-memory-room"],
  "terminal-client": ["chat-client", "chat-protocol"],
  benchmarks: ["chat-client", "chat-protocol", "shared-memory-ringbuffer", "shared-memory-room"],
};

/** Apps and the benchmark speak the protocol themselves; the test fails if one stops declaring it. */
const mustUseProtocol = ["socket-server", "shared-memory-chat", "benchmarks"];

interface Manifest {
  readonly name: string;
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly peerDependencies?: Record<string, string>;
}

const folders = [
  ...["packages", "apps"].flatMap((group) => readdirSync(join(root, group)).map((name) => `${group}/${name}`)),
  "benchmarks",
];
const manifests = folders.map(
  (folder) => JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as Manifest,
);
const projectOf = (packageName: string) => packageName.replace("@parley/", "");

function arrowsOf(manifest: Manifest): string[] {
  const named = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies, ...manifest.peerDependencies });
  return named
    .filter((name) => manifests.some((other) => other.name === name))
    .map(projectOf)
    .sort();
}

test("every project is one that the architecture knows", () => {
  expect(manifests.map((manifest) => projectOf(manifest.name)).sort()).toEqual(Object.keys(allowed).sort());
});

test.each(manifests.map((manifest) => [projectOf(manifest.name), manifest] as const))(
  "%s depends only on what it may",
  (project, manifest) => {
    for (const dependency of arrowsOf(manifest))
      expect(allowed[project], `${project} → ${dependency}`).toContain(dependency);
  },
);

test.each(mustUseProtocol)("%s uses chat-protocol directly", (project) => {
  const manifest = manifests.find((candidate) => projectOf(candidate.name) === project) as Manifest;
  expect(arrowsOf(manifest)).toContain("chat-protocol");
});

test("nx draws the same arrows as the package.json files", () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-graph-"));
  try {
    const file = join(folder, "graph.json");
    execFileSync(join(root, "node_modules/.bin/nx"), ["graph", `--file=${file}`], { cwd: root, stdio: "ignore" });
    const { graph } = JSON.parse(readFileSync(file, "utf8")) as {
      graph: { dependencies: Record<string, { target: string }[]> };
    };
    for (const manifest of manifests) {
      const project = projectOf(manifest.name);
      const drawn = (graph.dependencies[project] ?? [])
        .map((arrow) => arrow.target)
        .filter((target) => target in allowed);
      expect([...new Set(drawn)].sort(), project).toEqual(arrowsOf(manifest));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
