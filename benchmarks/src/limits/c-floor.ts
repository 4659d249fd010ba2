/**
 * The C program that does the same work: compiled for the run into a temporary folder, which is removed with it.
 *
 * - Where it can't be compiled a run goes on without it, and says why.
 */
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import type { Cleanup } from "../rig/cleanup.ts";

export const FLOOR_SOURCE: string = path.join(import.meta.dirname, "floor.c");
const COMPILE_TIMEOUT_MS = 60_000;
const RUN_TIMEOUT_MS = 90_000;

const execute = promisify(execFile);

export interface Floor {
  readonly compiler: string;
  /** Runs it with these arguments and gives what it printed. Throws Error with what it said on stderr. */
  run<T>(args: readonly (string | number)[]): Promise<T>;
}

/** `compiler` is for tests: one that isn't there. */
export function compileFloor(cleanup: Cleanup, compiler = "cc"): Floor | { readonly missing: string } {
  const folder = mkdtempSync(path.join(tmpdir(), "parley-limits-"));
  cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
  const program = path.join(folder, "floor");
  try {
    execFileSync(compiler, ["-O2", "-Wall", "-Wextra", "-o", program, FLOOR_SOURCE], {
      stdio: ["ignore", "ignore", "pipe"],
      encoding: "utf8",
      timeout: COMPILE_TIMEOUT_MS,
    });
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: string };
    if (code === "ENOENT") return { missing: `no C compiler (${compiler}; Debian: gcc)` };
    return { missing: `${compiler} can't compile floor.c: ${(stderr ?? String(error)).trim().split("\n")[0]}` };
  }
  const version = execFileSync(compiler, ["--version"], { encoding: "utf8" }).split("\n")[0] as string;
  return {
    compiler: `${version}, -O2`,
    async run<T>(args: readonly (string | number)[]): Promise<T> {
      const running = execute(program, args.map(String), { timeout: RUN_TIMEOUT_MS, killSignal: "SIGKILL" });
      const forget = cleanup.add(() => running.child.kill("SIGKILL"));
      try {
        return JSON.parse((await running).stdout) as T;
      } catch (error) {
        throw new Error(`the C program failed: ${(error as { stderr?: string }).stderr?.trim() || String(error)}`);
      } finally {
        forget();
      }
    },
  };
}
