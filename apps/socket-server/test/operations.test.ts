/** docs/operations.md says what is so. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { startServer } from "@parley/socket-server";
import { expect, test } from "vitest";
import { settingsFrom } from "../src/configuration.ts";
import { SETTING_KEYS } from "../src/settings.ts";
import { OPERATIONS_PATH, withSettingsTable } from "../src/settings-table.ts";
import { run } from "./server-process.ts";

const document = readFileSync(OPERATIONS_PATH, "utf8");
const unitPath = join(dirname(OPERATIONS_PATH), "parley.service");

test("its table of settings is up to date; if not: npm run -s settings-table", () => {
  expect(document).toBe(withSettingsTable(document));
  for (const key of SETTING_KEYS) expect(document).toContain(`| \`${key}\`<br>`);
});

test("--help has every flag", async () => {
  const { stdout } = await run(["--help"]);
  for (const [flag] of document.matchAll(/(?<=`)--[a-z-]+(?=`<br>)/g)) expect(stdout).toContain(flag);
});

test("its example of a configuration file is one", () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-"));
  const configPath = join(folder, "parley.json");
  writeFileSync(configPath, /```json\n([\s\S]*?)```/.exec(document)?.[1] ?? "");
  expect(settingsFrom({ flags: {}, environment: {}, configPath }).maxClients).toBe(5000);
  rmSync(folder, { recursive: true });
});

test("its table of metrics has those of the server and no others", async () => {
  const server = await startServer({ port: 0 });
  const metrics = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
  await server.close();
  const served = [...metrics.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  const documented = [...document.matchAll(/^\| `(parley_\w+)` \|/gm)].map(([, name]) => name);
  expect(documented).toEqual(served);
});

test("the unit gives the server more time to stop than it takes by default, and starts what exists", () => {
  const unit = readFileSync(unitPath, "utf8");
  const { drainDelayMs, graceMs } = settingsFrom({ flags: {}, environment: {} });
  expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]) * 1000).toBeGreaterThan(drainDelayMs + graceMs);
  const script = /^ExecStart=\S+ (\S+)/m.exec(unit)?.[1] ?? "";
  expect(readFileSync(join(dirname(OPERATIONS_PATH), "..", script), "utf8")).toContain("main(process.argv)");
});

const hasSystemd = spawnSync("systemd-analyze", ["--version"]).error === undefined;

test.skipIf(!hasSystemd)(`systemd-analyze accepts the unit${hasSystemd ? "" : " (skipped: install systemd)"}`, () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-"));
  // It wants the program to exist; the unit's is installed elsewhere.
  const unit = readFileSync(unitPath, "utf8").replace("/opt/parley/node_modules/.bin/node", process.execPath);
  const path = join(folder, "parley.service");
  writeFileSync(path, unit);
  const { status, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", path], { encoding: "utf8" });
  // What it says of other units of this machine is not ours.
  expect(stderr.split("\n").filter((line) => line.includes("parley"))).toEqual([]);
  expect(status).toBe(0);
  rmSync(folder, { recursive: true });
});
