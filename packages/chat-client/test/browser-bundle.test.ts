/** What a browser would be given: the entry that its export condition chooses, bundled as a bundler does it. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runInNewContext } from "node:vm";
import { rolldown } from "rolldown";
import { beforeAll, describe, expect, test } from "vitest";

interface Bundle {
  readonly code: string;
  readonly modules: readonly string[];
  readonly external: readonly string[];
}

const { exports } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  exports: { ".": { browser: string; node: string } };
};

async function bundle(entry: string, platform: "browser" | "node"): Promise<Bundle> {
  const build = await rolldown({
    input: fileURLToPath(new URL(`../${entry}`, import.meta.url)),
    platform,
    logLevel: "silent",
  });
  try {
    const { output } = await build.generate({ format: "esm" });
    const chunks = output.filter((part) => part.type === "chunk");
    return {
      code: chunks.map(({ code }) => code).join("\n"),
      modules: chunks.flatMap(({ moduleIds }) => moduleIds),
      external: chunks
        .flatMap(({ imports, dynamicImports }) => [...imports, ...dynamicImports])
        .filter((name) => !chunks.some(({ fileName }) => fileName === name)),
    };
  } finally {
    await build.close();
  }
}

describe("the browser entry", () => {
  let browser: Bundle;
  beforeAll(async () => {
    browser = await bundle(exports["."].browser, "browser");
  });

  test("needs nothing from outside: no module of Node, no native library, no shared memory", () => {
    expect(browser.external).toEqual([]);
    expect(browser.code).not.toMatch(/["'`]node:|koffi/);
    const packages = browser.modules.map((path) => /\/packages\/([^/]+)\//.exec(path)?.[1] ?? path);
    expect([...new Set(packages)].sort()).toEqual(["chat-client", "chat-protocol"]);
  });

  test("runs where there are only the globals that browsers have, and says what it can't reach", async () => {
    const globals = { AbortController, TextDecoder, TextEncoder, URL, clearTimeout, crypto, performance, setTimeout };
    const script = browser.code.replace(/export \{[\s\S]*\};?\s*$/, "; ({ connect })");
    const { connect } = runInNewContext(script, globals) as { connect: typeof import("../src/browser.ts").connect };
    for (const url of ["tcp://127.0.0.1:8080", "shm://lobby"]) {
      await expect(connect(url, { name: "ada" })).rejects.toMatchObject({
        code: "UNSUPPORTED_SCHEME",
        message: expect.stringMatching(/^(tcp|shm):\/\/ can't be reached from a browser: /),
      });
    }
    await expect(connect("nonsense", { name: "ada" })).rejects.toMatchObject({ code: "INVALID_URL" });
  });
});

test("the check would notice: the node entry does need such modules", async () => {
  const node = await bundle(exports["."].node, "node");
  expect(node.external).toContain("node:net");
});
