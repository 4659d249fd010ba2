import { readdirSync } from "node:fs";
import { defineConfig } from "vitest/config";

const projectFolders = ["packages", "apps"]
  .flatMap((group) => readdirSync(new URL(group, import.meta.url)).map((name) => `${group}/${name}`))
  .concat("benchmarks", "docs");

export default defineConfig({
  test: {
    // Real processes, sockets and segments are under test; forks keep native memory of one file out of another.
    pool: "forks",
    // Most tests wait for processes and sockets: more of them than cores keep the cores busy.
    maxWorkers: "150%",
    // A watchdog against hangs, not a time assertion: no test is expected to come near it.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Mermaid is run through vite, so that a test can mock what it imports.
    server: { deps: { inline: ["mermaid"] } },
    projects: projectFolders.map((folder) => ({
      extends: true,
      test: { name: folder.split("/").at(-1) as string, root: folder, include: ["test/**/*.test.ts"] },
    })),
  },
});
