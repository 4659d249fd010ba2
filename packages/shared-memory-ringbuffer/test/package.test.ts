/**
 * The published package: what its tarball holds, and that it works for somebody who installs it.
 *
 * `SHM_PACKAGE_NODES=22,24,26` (`npm run test:package`) installs those versions of Node from npm and tries each; without
 * it the package is tried with the Node that runs this test.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Consumer, examplesOf, packInto } from "./fixtures/consumer.ts";

const home = resolve(import.meta.dirname, "..");
const readme = readFileSync(join(home, "README.md"), "utf8");
const examples = examplesOf(readme);
const OWN_NODE = "this";
const nodes = process.env.SHM_PACKAGE_NODES?.split(",") ?? [OWN_NODE];

const folder = mkdtempSync(join(tmpdir(), "ringbuffer-pack-"));
let tarball = "";
beforeAll(() => {
  tarball = packInto(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the README has its examples", () => {
  expect(examples.map(({ file }) => file)).toEqual([
    "producer.ts",
    "consumer.ts",
    "jobs.ts",
    "log.ts",
    "threads.ts",
    "errors.ts",
  ]);
});

test("the tarball holds JavaScript, declarations and documents, and no sources or tests", () => {
  const files = execFileSync("tar", ["-tzf", tarball], { encoding: "utf8" }).trim().split("\n");
  for (const file of [
    "package.json",
    "README.md",
    "LICENSE",
    "dist/index.js",
    "dist/index.d.ts",
    "docs/api/README.md",
  ]) {
    expect(files).toContain(`package/${file}`);
  }
  expect(files.filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))).toEqual([]);
  expect(files.filter((file) => !/^package\/(dist\/|docs\/|package\.json$|README\.md$|LICENSE$)/.test(file))).toEqual(
    [],
  );
});

test("the manifest is one that npm would publish", () => {
  const manifest = JSON.parse(readFileSync(join(folder, "package/package.json"), "utf8"));
  const { name, version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  expect(manifest).toMatchObject({ name, version, license: "MIT", type: "module", engines: { node: ">=22" } });
  expect(manifest.private).toBeUndefined();
  expect(Object.keys(manifest.dependencies)).toEqual(["koffi"]);
  for (const path of [...Object.values(manifest.exports["."]), manifest.bin.shm]) {
    expect(existsSync(join(folder, "package", path as string)), path as string).toBe(true);
  }
});

test("no file of the package imports one that isn't there, and the README's links stay inside", () => {
  const root = join(folder, "package");
  const code = readdirSync(join(root, "dist"), { recursive: true, encoding: "utf8" }).filter((file) =>
    /[jt]s$/.test(file),
  );
  for (const file of code) {
    const path = join(root, "dist", file);
    for (const [, target] of readFileSync(path, "utf8").matchAll(/from "(\.[^"]+)"/g)) {
      const found = resolve(path, "..", target as string);
      expect(existsSync(found), `${file} imports ${target}`).toBe(true);
    }
  }
  for (const [, target] of readFileSync(join(root, "README.md"), "utf8").matchAll(/\]\(([^)#]+)\)/g)) {
    if (!/^https:/.test(target as string)) expect(existsSync(join(root, target as string)), target).toBe(true);
  }
});

describe.each(nodes)("installed in an empty folder, with Node: %s", (version) => {
  let consumer: Consumer;
  beforeAll(() => {
    consumer = version === OWN_NODE ? new Consumer(tarball) : new Consumer(tarball, version);
    consumer.compile(examples);
  }, 300_000);
  afterAll(() => consumer?.remove());

  test("is the wanted Node", async () => {
    const { stdout } = await consumer.run("node", ["--version"]);
    expect(stdout.trim()).toMatch(version === OWN_NODE ? process.version : new RegExp(`^v${version}\\.`));
  });

  test("every example of the README runs, and prints what it says", async () => {
    // All at the same time: some are two sides of one thing.
    const outcomes = await Promise.all(
      examples.map(({ file }) => consumer.run("node", [`out/${file.replace(/\.ts$/, ".js")}`])),
    );
    for (const [at, { file, prints }] of examples.entries()) {
      expect(outcomes[at], file).toEqual({ code: 0, stdout: prints ?? "", stderr: "" });
    }
  });

  test("CommonJS can require it", async () => {
    const code = `console.log(typeof require("shared-memory-ringbuffer").createSegment)`;
    expect(await consumer.run("node", ["--input-type=commonjs", "-e", code])).toMatchObject({ stdout: "function\n" });
  });

  test("npx shm doctor finds nothing wrong, and shm answers as the sources do", async () => {
    const doctor = await consumer.run("npx", ["--no-install", "shm", "doctor", "--json"]);
    expect(doctor.code, doctor.stdout + doctor.stderr).toBe(0);
    expect(JSON.parse(doctor.stdout)).toMatchObject({ ok: true, failures: 0 });
    const { version: own } = JSON.parse(consumer.read("package.json"));
    expect(await consumer.run("npx", ["--no-install", "shm", "--version"])).toMatchObject({
      code: 0,
      stdout: `${own}\n`,
    });
  });
});
