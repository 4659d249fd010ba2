import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SettingError, type Sources, settingsFrom } from "../src/configuration.ts";
import { formatListenAddress, isLocal, parseListenAddress } from "../src/listen-address.ts";
import { serverOptionsFrom } from "../src/server-options.ts";
import { flagOf, SETTING_KEYS, SETTINGS, type Settings, variableOf } from "../src/settings.ts";
import { run, startListening } from "./server-process.ts";
import { connectText } from "./tcp-peer.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

function fileOf(content: unknown): string {
  const path = join(folder, "parley.json");
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

function settings(sources: Partial<Sources> = {}): Settings {
  return settingsFrom({ flags: {}, environment: {}, ...sources });
}

function optionsFor(given: Partial<Settings>) {
  const resources = { secureContext: () => undefined, fingerprint: undefined, loginStore: undefined, reload() {} };
  return serverOptionsFrom({ ...settings(), ...given }, resources);
}

describe("where settings come from", () => {
  test("the defaults are valid values of their own settings", () => {
    const defaults = settings();
    expect(settings({ configPath: fileOf(defaults) })).toEqual(defaults);
    for (const key of SETTING_KEYS) expect(SETTINGS[key].description).not.toBe("");
  });

  test("flags win over the environment, the environment over the file, the file over the default", () => {
    const configPath = fileOf({ port: 1, maxClients: 1, graceMs: 1, listen: ["unix:/a"], echo: true });
    const environment = {
      PARLEY_MAX_CLIENTS: "2",
      PARLEY_GRACE_MS: "2",
      PARLEY_LISTEN: "[::1]:1, :2",
      PARLEY_JSON: "1",
    };
    expect(settings({ configPath, environment, flags: { graceMs: "3", echo: false } })).toMatchObject({
      host: "127.0.0.1",
      port: 1,
      maxClients: 2,
      graceMs: 3,
      listen: ["[::1]:1", ":2"],
      echo: false,
      json: true,
    });
    expect(settings({ environment: { PARLEY_CONFIG: configPath, PARLEY_PORT: "" } }).port).toBe(1);
  });

  test("every setting has a flag and a variable of its own", () => {
    expect([flagOf("maxBytesPerSecond"), variableOf("maxBytesPerSecond")]).toEqual([
      "--max-bytes-per-second",
      "PARLEY_MAX_BYTES_PER_SECOND",
    ]);
    expect(new Set(SETTING_KEYS.map(flagOf)).size).toBe(SETTING_KEYS.length);
  });
});

describe("what is wrong is named", () => {
  test.each([
    [{ port: "eighty" }, /^port in .*parley\.json: 'eighty' must be a whole number, 0 to 65535$/],
    [{ port: 80.5 }, /^port in .*: 80\.5 must be/],
    [{ maxClients: 0 }, /^maxClients in .*: 0 must be a whole number, at least 1$/],
    [{ maxClient: 5 }, /^unknown setting 'maxClient' in .*parley\.json; see --help$/],
    [{ echo: "yes" }, /^echo in .*: 'yes' must be true or false$/],
    [{ logLevel: "loud" }, /^logLevel in .*: 'loud' must be one of fatal, error/],
    [{ listen: "127.0.0.1:80" }, /^listen in .*: '127\.0\.0\.1:80' must be a list$/],
    [{ listen: ["here"] }, /^listen in .*: 'here' must be HOST:PORT/],
    [{ allowedOrigins: ["chat.example.org"] }, /^allowedOrigins in .*: 'chat\.example\.org' must be an origin/],
    [{ tlsCert: "cert.pem" }, /^tlsCert needs tlsKey: --tls-key FILE$/],
    [{ tlsSelfSigned: true, tlsCert: "c", tlsKey: "k" }, /exclude each other/],
    ["[1]", /parley\.json must hold one JSON object/],
    ["{", /parley\.json is not JSON/],
  ])("in the file: %j", (content, message) => {
    expect(() => settings({ configPath: fileOf(content) })).toThrow(message);
    expect(() => settings({ configPath: fileOf(content) })).toThrow(SettingError);
  });

  test("in the environment and in flags", () => {
    expect(() => settings({ environment: { PARLEY_PORT: "x" } })).toThrow("PARLEY_PORT: 'x' must be a whole number");
    expect(() => settings({ environment: { PARLEY_ECHO: "on" } })).toThrow("PARLEY_ECHO: 'on' must be true or false");
    expect(() => settings({ environment: { PARLEY_PROT: "1" } })).toThrow("unknown setting PARLEY_PROT");
    expect(() => settings({ flags: { graceMs: "-1" } })).toThrow("--grace-ms: '-1' must be a whole number");
    expect(() => settings({ configPath: join(folder, "none.json") })).toThrow(/none\.json: ENOENT$/);
  });

  test("a bad key in a file is one line on stderr and exit 2", async () => {
    const { exitCode, stderr } = await run(["--config", fileOf({ maxClients: "many" })]);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^socket-server: maxClients in [^\n]*: 'many' must be a whole number, at least 1\n$/);
  });
});

test("a server with a configuration file: maxClients 2, and the third gets SERVER_FULL", async () => {
  const server = await startListening(["--config", fileOf({ maxClients: 2, logLevel: "error" })]);
  for (const name of ["al", "bo"]) await (await connectText(server.port, `${name}\n`)).until("*** welcome");
  const third = await connectText(server.port, "cy\n");
  await third.until("*** error: no more than 2 may be here at once");
  server.child.kill("SIGTERM");
  expect((await server.finished).exitCode).toBe(0);
});

test("other machines can connect: a warning without TLS, and limits that loopback doesn't have", async () => {
  const server = await startListening(["--host", "0.0.0.0"]);
  server.child.kill("SIGTERM");
  expect((await server.finished).stderr).toContain("without TLS what is said can be read on the way");
  expect(optionsFor({}).rateLimits).toBeUndefined();
  expect(optionsFor({ listen: ["127.0.0.1:1", "unix:/x", "[::1]:1"] }).rateLimits).toBeUndefined();
  expect(optionsFor({ listen: ["127.0.0.1:1", ":1"] }).rateLimits?.maxRequestsPerSecond).toBe(150);
  expect(optionsFor({ host: "::" }).maxConnectionsPerAddress).toBe(256);
  expect(optionsFor({ host: "::", maxConnectionsPerAddress: 0 }).maxConnectionsPerAddress).toBe(Infinity);
  expect(optionsFor({ maxRequestsPerSecond: 7 }).rateLimits).toEqual({
    maxRequestsPerSecond: 7,
    maxBytesPerSecond: Infinity,
  });
});

test.each([
  ["127.0.0.1:8080", { host: "127.0.0.1", port: 8080 }, true],
  ["localhost:1", { host: "localhost", port: 1 }, true],
  ["[::1]:0", { host: "::1", port: 0 }, true],
  [":8080", { host: "::", port: 8080 }, false],
  ["127.evil.example:1", { host: "127.evil.example", port: 1 }, false],
  ["unix:/run/parley.sock", { path: "/run/parley.sock" }, true],
])("%s is an address", (text, address, local) => {
  expect(parseListenAddress(text)).toEqual(address);
  expect(parseListenAddress(formatListenAddress(parseListenAddress(text)!))).toEqual(address);
  expect(isLocal(parseListenAddress(text)!)).toBe(local);
});

test.each(["", "8080", "::1:80", "host:65536", "host:-1", "unix:", `unix:/${"x".repeat(107)}`, "a b:c"])(
  "%j is no address",
  (text) => expect(parseListenAddress(text)).toBeUndefined(),
);
