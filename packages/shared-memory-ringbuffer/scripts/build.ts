/**
 * Builds the package as it is published, into `dist/package`, and with `--pack FOLDER` makes a tarball of it there.
 *
 * - `dist/package` is a whole package: JavaScript, declarations, manifest, README, licence and the documents that the
 *   README leads to. `npm publish dist/package` would publish it; nothing in the workspace is touched.
 * - The last line on stdout is the folder's path, or the tarball's.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Manifest, publishedManifest } from "./manifest.ts";

const home = resolve(import.meta.dirname, "..");
const repository = resolve(home, "../..");
const EXECUTABLE = 0o755;
/** Documents outside the package that its README leads to. */
const DOCUMENTS = ["shared-memory-layout.md", "crash-behavior.md"];

function build(into: string): void {
  rmSync(into, { recursive: true, force: true });
  const code = join(into, "dist");
  mkdirSync(code, { recursive: true });
  run(join(repository, "node_modules/.bin/tsc"), ["-p", join(home, "tsconfig.build.json"), "--outDir", code], home);
  for (const file of readdirSync(code, { recursive: true, encoding: "utf8" })) {
    if (file.endsWith(".d.ts")) rewrite(join(code, file), importsToJavaScript);
  }
  chmodSync(join(code, "cli/main.js"), EXECUTABLE);

  const manifest = JSON.parse(readFileSync(join(home, "package.json"), "utf8")) as Manifest;
  writeFileSync(join(into, "package.json"), `${JSON.stringify(publishedManifest(manifest), null, 2)}\n`);
  for (const file of ["README.md", "LICENSE"]) cpSync(join(home, file), join(into, file));
  cpSync(join(home, "docs"), join(into, "docs"), { recursive: true });
  for (const file of DOCUMENTS) cpSync(join(repository, "docs", file), join(into, "docs", file));
  rewrite(join(into, "README.md"), (text) => text.replaceAll("](../../docs/", "](docs/"));
}

/** tsc rewrites the imports of JavaScript, but leaves those of declarations, which then name files that don't exist. */
function importsToJavaScript(declarations: string): string {
  return declarations.replaceAll(/(["'])(\.{1,2}\/[^"']+)\.ts\1/g, "$1$2.js$1");
}

function rewrite(path: string, change: (text: string) => string): void {
  writeFileSync(path, change(readFileSync(path, "utf8")));
}

function run(program: string, args: string[], cwd: string): string {
  const { status, stdout, error } = spawnSync(program, args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status === 0) return stdout;
  // tsc says what is wrong on stdout.
  process.stderr.write(`${stdout ?? ""}${program} failed: ${error?.message ?? `exit code ${status}`}\n`);
  return process.exit(1);
}

const { values } = parseArgs({ options: { pack: { type: "string" }, out: { type: "string" } } });
const built = resolve(values.out ?? join(home, "dist/package"));
build(built);
if (values.pack === undefined) {
  console.log(built);
} else {
  const folder = resolve(values.pack);
  mkdirSync(folder, { recursive: true });
  const [packed] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", folder], built)) as [
    { filename: string },
  ];
  console.log(join(folder, packed.filename));
}
