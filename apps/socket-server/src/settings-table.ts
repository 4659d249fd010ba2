/** The table of settings in docs/operations.md. Run as a program it writes the table into the file. */

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defaultOf, flagOf, rangeOf, SETTING_KEYS, SETTINGS, variableOf } from "./settings.ts";

export const OPERATIONS_PATH: string = fileURLToPath(new URL("../../../docs/operations.md", import.meta.url));

const BEGIN = "<!-- settings: written by `npm run -s settings-table` -->";
const END = "<!-- end of settings -->";

export function settingsTable(): string {
  const rows = SETTING_KEYS.map((key) => {
    const setting = SETTINGS[key];
    const range = rangeOf(setting);
    const values = range === "" ? setting.type : `${setting.type}: ${range}`;
    const names = [key, flagOf(key), variableOf(key)].map((name) => `\`${name}\``).join("<br>");
    return `| ${names} | ${values} | ${defaultOf(setting)} | ${setting.description} |`;
  });
  return ["| key, flag, variable | values | default | what it does |", "|---|---|---|---|", ...rows].join("\n");
}

/** `document` with the table as it should be. */
export function withSettingsTable(document: string): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`no lines "${BEGIN}" and "${END}"`);
  return `${document.slice(0, begin + BEGIN.length)}\n\n${settingsTable()}\n\n${document.slice(end)}`;
}

if (import.meta.main) {
  writeFileSync(OPERATIONS_PATH, withSettingsTable(readFileSync(OPERATIONS_PATH, "utf8")));
}
