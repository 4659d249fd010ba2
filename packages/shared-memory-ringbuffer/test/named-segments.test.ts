import { execFileSync, fork } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  attachAnonymousSegment,
  createAnonymousSegment,
  createSegment,
  listSegments,
  openOrCreateSegment,
  openSegment,
  removeSegment,
  segmentPath,
} from "../src/index.ts";
import { addUnderLock, firstWord, TEST_SPEC, WORD_LEFT } from "./fixtures/peer-commands.ts";
import { leftovers, startProcess, uniqueName } from "./fixtures/peers.ts";

const PROCESSES = 20;
const ROUNDS = 200;
const CORRUPTIONS = 400;

const withCode = (code: string): unknown => expect.objectContaining({ code });

describe("names", () => {
  test.each(["", ".hidden", "a/b", "..", "ünïcode", "a b", "a~b", "x".repeat(201)])("%j is refused", (name) => {
    expect(() => createSegment(name, TEST_SPEC)).toThrow(withCode("ERR_SHM_NAME"));
    expect(() => openSegment(name)).toThrow(withCode("ERR_SHM_NAME"));
    expect(() => removeSegment(name)).toThrow(withCode("ERR_SHM_NAME"));
  });

  test("200 characters are allowed", () => {
    const name = uniqueName("long").padEnd(200, "x");
    createSegment(name, TEST_SPEC).close();
    expect(leftovers(name)).toEqual([]);
  });

  test("a taken name is ERR_SHM_EXISTS and an unknown one ERR_SHM_NOT_FOUND", () => {
    const name = uniqueName("taken");
    const segment = createSegment(name, TEST_SPEC);
    expect(() => createSegment(name, TEST_SPEC)).toThrow(withCode("ERR_SHM_EXISTS"));
    segment.close();
    expect(() => openSegment(name)).toThrow(withCode("ERR_SHM_NOT_FOUND"));
    expect(removeSegment(name)).toBe(false);
  });
});

describe("specs", () => {
  test.each([
    [{ objects: { "": { kind: "region", sizeBytes: 1 } } }, /id=""/],
    [{ objects: { ["x".repeat(25)]: { kind: "region", sizeBytes: 1 } } }, /1 to 24/],
    [{ objects: { a: { kind: "region", sizeBytes: 0 } } }, /a.sizeBytes=0/],
    [{ objects: { a: { kind: "region", sizeBytes: 2 ** 32 } } }, /capacityBytes=/],
    [{ objects: {}, participantSlots: 257 }, /participantSlots=257/],
  ] as const)("%j is refused with the value that can't be met", (spec, message) => {
    expect(() => createAnonymousSegment(spec)).toThrow(message);
  });

  test("an existing segment without the wanted object is refused and left as it is", () => {
    const name = uniqueName("spec");
    const segment = createSegment(name, TEST_SPEC);
    const other = { objects: { words: { kind: "log", sizeBytes: 128 } } } as const;
    expect(() => openOrCreateSegment(name, other)).toThrow(withCode("ERR_SHM_INCOMPATIBLE"));
    expect(segment.participants()).toHaveLength(1);
    segment.close();
  });
});

describe("life of a named segment", () => {
  test(`${PROCESSES} processes that start together share one segment, made by one of them`, async () => {
    const name = uniqueName("together");
    const peers = Array.from({ length: PROCESSES }, () => startProcess());
    const seen = await Promise.all(peers.map((peer) => peer.call("openOrCreate", { name })));
    const places = seen as { slot: number; epoch: number }[];
    expect(new Set(places.map(({ epoch }) => epoch)).size).toBe(1);
    expect(new Set(places.map(({ slot }) => slot)).size).toBe(PROCESSES);
    await Promise.all(peers.map((peer) => peer.call("add", 100)));
    const segment = openSegment(name);
    expect(segment.memory.i32[firstWord(segment) + WORD_LEFT]).toBe(PROCESSES * 100);
    await Promise.all(peers.map((peer) => peer.call("close")));
    segment.close();
    expect(leftovers(name)).toEqual([]);
  });

  test.each([
    ["before it claims a slot", "participant-claim:begin", false],
    ["after it has claimed one", "participant-claim:identity", true],
  ])("an opener that stops %s while the last one leaves gets a sound segment", async (_when, point, keeps) => {
    const segment = createSegment(uniqueName("overtaken"), TEST_SPEC);
    addUnderLock(segment);
    const peer = startProcess();
    await peer.call("fail", { point, action: "stop" });
    const opening = peer.call("openOrCreate", { name: segment.name });
    const isStopped = (): boolean => / T \d/.test(readFileSync(`/proc/${peer.pid}/stat`, "utf8"));
    while (!isStopped()) await new Promise((resolve) => setTimeout(resolve, 1));
    const { epoch } = segment;
    segment.close();
    process.kill(peer.pid, "SIGCONT");
    const place = (await opening) as { epoch: number };
    expect(place.epoch === epoch).toBe(keeps);
    const again = openSegment(segment.name as string);
    expect(again.memory.i32[firstWord(again) + WORD_LEFT]).toBe(keeps ? 1 : 0);
    await peer.call("close");
    again.close();
    expect(leftovers(segment.name as string)).toEqual([]);
  });

  test("opening and closing over and over, against another process, leaves nothing behind", async () => {
    const name = uniqueName("churn");
    const peer = startProcess();
    for (let round = 0; round < ROUNDS; round++) {
      const theirs = peer.call("openOrCreate", { name });
      const segment = openOrCreateSegment(name, TEST_SPEC);
      addUnderLock(segment);
      const leaving = theirs.then(() => peer.call("close"));
      segment.close();
      await leaving;
      expect(segment.closed).toBe(true);
    }
    expect(leftovers(name)).toEqual([]);
  });

  test("a process that exits without closing has left", async () => {
    const name = uniqueName("exit");
    const peer = startProcess();
    await peer.call("openOrCreate", { name });
    await peer.call("exit").catch(() => undefined);
    expect(await peer.ended).toBe("0");
    expect(leftovers(name)).toEqual([]);
  });

  test("the last to leave can keep the segment for a later opener, who finds its data", () => {
    const name = uniqueName("kept");
    const segment = createSegment(name, TEST_SPEC);
    addUnderLock(segment);
    segment.close({ keep: true });
    const later = openSegment(name);
    expect(later.epoch).toBe(segment.epoch);
    expect(later.memory.i32[firstWord(later) + WORD_LEFT]).toBe(1);
    expect(later.participants()).toHaveLength(1);
    later.close();
    expect(leftovers(name)).toEqual([]);
  });

  test("listing shows names, sizes and participants, and broken ones with their problem", () => {
    const segment = createSegment(uniqueName("listed"), TEST_SPEC);
    const broken = uniqueName("broken");
    writeFileSync(segmentPath(broken), "not a segment");
    const listed = listSegments();
    const mine = listed.find(({ name }) => name === segment.name);
    expect(mine).toMatchObject({ sizeBytes: segment.capacityBytes, epoch: segment.epoch });
    expect(mine?.participants?.map(({ pid }) => pid)).toEqual([process.pid]);
    expect(listed.find(({ name }) => name === broken)?.problem).toMatch(/size is 13/);
    expect(() => removeSegment(broken)).toThrow(withCode("ERR_SHM_INCOMPATIBLE"));
    expect(removeSegment(broken, { force: true })).toBe(true);
    segment.close();
  });

  test("a segment in use is removed by force only, and its users are told", () => {
    const name = uniqueName("removed");
    const segment = createSegment(name, TEST_SPEC);
    expect(() => removeSegment(name)).toThrow(withCode("ERR_SHM_IN_USE"));
    expect(segment.removed).toBe(false);
    expect(removeSegment(name, { force: true })).toBe(true);
    expect(segment.removed).toBe(true);
    const next = createSegment(name, TEST_SPEC);
    expect(next.epoch).not.toBe(segment.epoch);
    segment.close();
    expect(openSegment(name).epoch).toBe(next.epoch);
    expect(removeSegment(name, { force: true })).toBe(true);
    next.close();
  });

  test("a real SharedArrayBuffer over the file shows the same bytes and wakes across views", () => {
    const plain = createSegment(uniqueName("overlay"), TEST_SPEC);
    const laid = openSegment(plain.name as string, { overlay: true });
    expect(plain.mapping).toBe("koffi-view");
    expect(laid.mapping).toBe("shared-array-buffer");
    expect(laid.memory.buffer).toBeInstanceOf(SharedArrayBuffer);
    addUnderLock(laid);
    addUnderLock(plain);
    expect(laid.memory.i32[firstWord(laid) + WORD_LEFT]).toBe(2);
    expect(() => attachAnonymousSegment(laid.memory.buffer as SharedArrayBuffer)).toThrow(/by its name/);
    const { i32 } = laid.memory;
    const at = firstWord(laid) + WORD_LEFT;
    laid.close();
    expect(i32[at]).toBe(0);
    plain.close();
  });
});

describe("what isn't a segment of ours", () => {
  test("other bytes, a short file, a link, a folder and a pipe are ERR_SHM_INCOMPATIBLE", () => {
    const name = uniqueName("foreign");
    const path = segmentPath(name);
    const incompatible = withCode("ERR_SHM_INCOMPATIBLE");
    writeFileSync(path, Buffer.alloc(65_536, 1));
    expect(() => openSegment(name)).toThrow(incompatible);
    expect(() => openOrCreateSegment(name, TEST_SPEC)).toThrow(incompatible);
    truncateSync(path, 10);
    expect(() => openSegment(name)).toThrow(incompatible);
    rmSync(path);
    symlinkSync("/dev/null", path);
    expect(() => openSegment(name)).toThrow(incompatible);
    rmSync(path);
    mkdirSync(path);
    expect(() => openSegment(name)).toThrow(incompatible);
    rmSync(path, { recursive: true });
    execFileSync("mkfifo", [path]);
    expect(() => openSegment(name)).toThrow(incompatible);
    rmSync(path);
  });

  test("a file shorter than its header says is corrupt", () => {
    const segment = createSegment(uniqueName("short"), { objects: { a: { kind: "region", sizeBytes: 100_000 } } });
    const bytes = readFileSync(segment.path as string);
    const name = uniqueName("shorter");
    writeFileSync(segmentPath(name), bytes.subarray(0, 65_536));
    expect(() => openSegment(name)).toThrow(withCode("ERR_SHM_CORRUPT"));
    segment.close();
  });

  test(`${CORRUPTIONS} random corruptions are an error or harmless, never a crash`, async () => {
    const seed = (Date.now() ^ process.pid) >>> 0;
    const name = uniqueName("fuzz");
    const child = fork(new URL("./fixtures/corrupt-opener.ts", import.meta.url), [
      name,
      String(seed),
      String(CORRUPTIONS),
    ]);
    const messages: { round: number; unexpected?: string }[] = [];
    child.on("message", (message) => messages.push(message as { round: number }));
    const end = await new Promise((resolve) => child.once("exit", (code, signal) => resolve(signal ?? code)));
    const last = messages.at(-1);
    expect({ end, seed, last: last?.round, unexpected: last?.unexpected }).toEqual({
      end: 0,
      seed,
      last: CORRUPTIONS - 1,
      unexpected: undefined,
    });
  });
});

describe("where named segments can't be", () => {
  test("it says so with the reason, and threads still work", async () => {
    process.env.SHM_DISABLE_NAMED = "1";
    try {
      expect(() => createSegment(uniqueName("off"), TEST_SPEC)).toThrow(withCode("ERR_SHM_UNSUPPORTED"));
      expect(() => openSegment(uniqueName("off"))).toThrow(/SHM_DISABLE_NAMED/);
      const segment = createAnonymousSegment(TEST_SPEC);
      addUnderLock(segment);
      segment.close();
    } finally {
      delete process.env.SHM_DISABLE_NAMED;
    }
  });

  test("threads never load koffi", () => {
    const script = `
      import { createRequire } from "node:module";
      const { createAnonymousSegment, attachAnonymousSegment } = await import(${JSON.stringify(new URL("../src/index.ts", import.meta.url).href)});
      const a = createAnonymousSegment({ objects: {} });
      const b = attachAnonymousSegment(a.memory.buffer);
      b.mutex.lock(); b.mutex.unlock(); b.close(); a.close();
      const loaded = Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes("koffi"));
      console.log(loaded ? "koffi" : "no koffi");`;
    const out = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
    expect(out.trim()).toBe("no koffi");
  });
});

describe("a full file system", () => {
  let folder: string | undefined;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "shm-small-"));
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], { stdio: "ignore" });
    } catch {
      rmSync(folder, { recursive: true });
      folder = undefined;
    }
  });
  afterAll(() => {
    if (folder === undefined) return;
    execFileSync("umount", [folder]);
    rmSync(folder, { recursive: true });
  });

  test("is ERR_SHM_NO_SPACE with the bytes wanted and available, and leaves nothing", (context) => {
    if (folder === undefined) return context.skip("mounting a small tmpfs needs root");
    const big = { objects: { a: { kind: "region", sizeBytes: 2_000_000 } } } as const;
    expect(() => createSegment("big", big, { directory: folder as string })).toThrow(
      expect.objectContaining({
        code: "ERR_SHM_NO_SPACE",
        message: expect.stringMatching(/\d+ bytes wanted, \d+ available/),
      }),
    );
    expect(readdirSync(folder)).toEqual([]);
    const small = createSegment("small", TEST_SPEC, { directory: folder });
    expect(readdirSync(folder)).toHaveLength(1);
    small.close();
    expect(readdirSync(folder)).toEqual([]);
  });
});
