import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const entry = fileURLToPath(new URL("../src/node.ts", import.meta.url));

test("who uses tcp:// alone never loads the native library", async () => {
  const script = `
    const { connect } = await import(${JSON.stringify(entry)});
    const code = await connect("tcp://127.0.0.1:1", { name: "ada" }).then(() => "connected", (error) => error.code);
    const loaded = process.report.getReport().sharedObjects.filter((path) => path.includes("koffi"));
    console.log(JSON.stringify({ code, loaded }));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
  expect(JSON.parse(stdout)).toEqual({ code: "CANNOT_REACH", loaded: [] });
});
