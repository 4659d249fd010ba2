/**
 * The settings of one run, put together from the configuration file, the environment and the flags.
 *
 * - Flags win over the environment, the environment over the file.
 * - The first thing wrong is thrown as a SettingError that names its key where it was set, and the value. An unknown
 *   key is wrong too: a limit with a typing mistake in its name would be no limit.
 */

import { readFileSync } from "node:fs";
import { parseListenAddress } from "./listen-address.ts";
import {
  ENVIRONMENT_PREFIX,
  flagOf,
  rangeOf,
  SETTING_KEYS,
  SETTINGS,
  type Setting,
  type Settings,
  type SettingValue,
  variableOf,
} from "./settings.ts";

export class SettingError extends Error {
  override readonly name = "SettingError";
}

export const CONFIG_FLAG = "--config";
export const CONFIG_VARIABLE = "PARLEY_CONFIG";

export interface Sources {
  /** By key; what wasn't given is missing. Text as it was typed, lists as arrays of it, true or false for yes-or-no. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** Of `--config`. */
  readonly configPath?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Throws SettingError. */
export function settingsFrom({ flags, configPath, environment }: Sources): Settings {
  const path = configPath ?? environment[CONFIG_VARIABLE];
  const file = path === undefined || path === "" ? {} : readConfiguration(path);
  assertKnownVariables(environment);
  const settings: Partial<Record<keyof Settings, SettingValue>> = {};
  for (const key of SETTING_KEYS) {
    const setting = SETTINGS[key];
    const text = environment[variableOf(key)];
    // An empty variable is how a service manager unsets one.
    const [raw, where] =
      flags[key] !== undefined
        ? [flags[key], flagOf(key)]
        : text !== undefined && text !== ""
          ? [fromText(setting, text), variableOf(key)]
          : [file[key], `${key} in ${path}`];
    const value = raw === undefined ? setting.default : checked(key, setting, raw, where);
    if (value !== undefined) settings[key] = value;
  }
  assertTogether(settings as unknown as Settings);
  return settings as unknown as Settings;
}

function readConfiguration(path: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) throw new SettingError(`${path} is not JSON: ${error.message}`);
    const { code } = error as NodeJS.ErrnoException;
    throw new SettingError(`can't read the configuration file ${path}: ${code ?? (error as Error).message}`);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new SettingError(`${path} must hold one JSON object of settings`);
  }
  for (const key of Object.keys(parsed)) {
    if (!Object.hasOwn(SETTINGS, key)) throw new SettingError(`unknown setting ${shown(key)} in ${path}; see --help`);
  }
  return parsed as Record<string, unknown>;
}

function assertKnownVariables(environment: Sources["environment"]): void {
  const known = new Set([...SETTING_KEYS.map(variableOf), CONFIG_VARIABLE]);
  for (const name of Object.keys(environment)) {
    if (name.startsWith(ENVIRONMENT_PREFIX) && !known.has(name)) {
      throw new SettingError(`unknown setting ${name} in the environment; see --help`);
    }
  }
}

/** Variables hold text only; JSON has the other types. */
function fromText(setting: Setting, text: string): unknown {
  switch (setting.type) {
    case "list":
      return text.split(",").map((part) => part.trim());
    case "yes or no":
      if (text === "true" || text === "1") return true;
      return text === "false" || text === "0" ? false : text;
    default:
      return text;
  }
}

function checked(key: keyof Settings, setting: Setting, raw: unknown, where: string): SettingValue {
  const fail = (expected: string): never => {
    throw new SettingError(`${where}: ${shown(raw)} must be ${expected}`);
  };
  switch (setting.type) {
    case "whole number": {
      const value = typeof raw === "string" && /^\d+$/.test(raw) ? Number(raw) : raw;
      const { min, max = Number.MAX_SAFE_INTEGER } = setting;
      if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) return value;
      return fail(`a whole number, ${rangeOf(setting)}`);
    }
    case "yes or no":
      return typeof raw === "boolean" ? raw : fail("true or false");
    case "choice":
      return typeof raw === "string" && setting.choices.includes(raw) ? raw : fail(`one of ${rangeOf(setting)}`);
    case "text":
      return typeof raw === "string" && raw !== "" ? raw : fail("text");
    case "list": {
      if (!Array.isArray(raw)) return fail("a list");
      for (const item of raw) {
        const expected = typeof item === "string" ? expectedInstead(key, item) : "text";
        if (expected !== undefined) throw new SettingError(`${where}: ${shown(item)} must be ${expected}`);
      }
      return raw as string[];
    }
  }
}

/** What the item of a list should have been; undefined if it is right. */
function expectedInstead(key: keyof Settings, item: string): string | undefined {
  if (key === "listen" && parseListenAddress(item) === undefined) return "HOST:PORT, [IPV6]:PORT or unix:PATH";
  if (key === "allowedOrigins" && item !== "*" && item !== "same-host" && !isOrigin(item)) {
    return "an origin such as https://chat.example.org, same-host or *";
  }
  return undefined;
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}

function assertTogether({ tlsCert, tlsKey, tlsSelfSigned, echo }: Settings): void {
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    const [given, missing] = tlsCert === undefined ? ["tlsKey", "tlsCert"] : ["tlsCert", "tlsKey"];
    throw new SettingError(`${given} needs ${missing}: ${flagOf(missing)} FILE`);
  }
  if (tlsSelfSigned && tlsCert !== undefined) throw new SettingError("tlsSelfSigned and tlsCert exclude each other");
  if (echo && (tlsSelfSigned || tlsCert !== undefined)) throw new SettingError("echo mode has no TLS");
}

function shown(value: unknown): string {
  return typeof value === "string" ? `'${value}'` : (JSON.stringify(value) ?? String(value));
}
