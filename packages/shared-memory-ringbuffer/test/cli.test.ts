import { readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { COMMANDS } from "../src/cli/commands.ts";
import {
  createSegment,
  formatLog,
  formatMpscRing,
  formatRing,
  logRegionSizeBytes,
  mpscRegionSizeBytes,
  RingProducer,
  ringRegionSizeBytes,
  type Segment,
  SharedLog,
} from "../src/index.ts";
import { native } from "../src/native.ts";
import { type Peer, startProcess } from "./fixtures/peers.ts";
import { segmentFolder, shm, spawnShm, startShm, until } from "./fixtures/shm.ts";

const CAPACITY_BYTES = 4096;
const LOG = { kind: "log", sizeBytes: logRegionSizeBytes(CAPACITY_BYTES), format: formatLog } as const;
const RING = { kind: "ring", sizeBytes: ringRegionSizeBytes(CAPACITY_BYTES), format: formatRing } as const;
const MPSC = { kind: "mpsc", sizeBytes: mpscRegionSizeBytes(CAPACITY_BYTES), format: formatMpscRing } as const;
const DAMAGED_SEGMENTS = 200;
const OLD = new Date("2020-01-01");

function makeSegment(directory: string, name = "one", objects = { events: LOG, orders: RING, many: MPSC }): Segment {
  return createSegment(name, { objects }, { directory });
}

function logOf(segment: Segment, id = "events"): SharedLog {
  return new SharedLog(segment.region(id, "log"), segment);
}

/** Another process in segment `name`, which it makes if there is none. */
async function peerIn(directory: string, name: string): Promise<Peer> {
  const peer = startProcess({ SHM_DIR: directory });
  await peer.call("openOrCreate", { name });
  return peer;
}

async function kill(peer: Peer): Promise<void> {
  peer.kill();
  await peer.ended;
}

async function stopProcess(peer: Peer): Promise<void> {
  process.kill(peer.pid, "SIGSTOP");
  await until(() => / T \d/.test(readFileSync(`/proc/${peer.pid}/stat`, "utf8")));
}

const json = async (...args: string[]): Promise<unknown> => JSON.parse((await shm([...args, "--json"])).stdout);

describe("ls", () => {
  test("says that there is nothing", async () => {
    const directory = segmentFolder();
    expect(await shm(["ls", "--dir", directory])).toEqual({
      code: 0,
      stdout: `no segments in ${directory}\n`,
      stderr: "",
    });
    expect(await json("ls", "--dir", directory)).toEqual([]);
  });

  test("tells segments in use from abandoned, kept and broken ones", async () => {
    const directory = segmentFolder();
    const used = await peerIn(directory, "used");
    await stopProcess(used);
    await kill(await peerIn(directory, "abandoned"));
    makeSegment(directory, "kept").close({ keep: true });
    writeFileSync(join(directory, "shm-ring.broken"), Buffer.alloc(65_536));
    const listed = (await json("ls", "--dir", directory)) as { name: string; standing: string }[];
    expect(listed.map(({ name, standing }) => `${name} ${standing}`)).toEqual([
      "abandoned abandoned",
      "broken unusable",
      "kept kept",
      "used in use",
    ]);
    const { stdout } = await shm(["ls", "--dir", directory]);
    expect(stdout).toMatch(/^abandoned +64 KiB +0 +1 .*abandoned$/m);
    expect(stdout).toMatch(/^broken .*unusable: .*magic/m);
    expect(stdout).toMatch(/^used +64 KiB +1 +0 .*in use$/m);
  });

  test("a file's name can't send commands to the terminal", async () => {
    const directory = segmentFolder();
    writeFileSync(join(directory, "shm-ring.\u001b[31mred\n\u009b2J"), "");
    const { stdout } = await shm(["ls", "--dir", directory]);
    expect(stdout).toContain(String.raw`\x1b[31mred\n\x9b2J`);
    const raw = await shm(["ls", "--dir", directory, "--json"]);
    expect(raw.stdout.trimEnd()).not.toMatch(/\p{Cc}/u);
    expect(JSON.parse(raw.stdout)[0].name).toBe("\u001b[31mred\n\u009b2J");
  });
});

describe("inspect", () => {
  test("shows objects, counters, participants and a free lock, and takes no part", async () => {
    const directory = segmentFolder();
    const segment = makeSegment(directory);
    logOf(segment).append(Buffer.from("x"));
    new RingProducer(segment.region("orders", "ring"), segment).tryWrite(Buffer.from("abc"));
    const seen = await json("inspect", "one", "--dir", directory);
    expect(seen).toMatchObject({
      name: "one",
      lock: { held: false },
      participants: [{ pid: process.pid, alive: true }],
      objects: [
        { id: "events", kind: "log", capacityBytes: CAPACITY_BYTES, usedBytes: 32 },
        { id: "orders", kind: "ring", capacityBytes: CAPACITY_BYTES, usedBytes: 16 },
        { id: "many", kind: "mpsc", capacityBytes: CAPACITY_BYTES, usedBytes: 0 },
      ],
      counters: { recoveries: 0 },
    });
    const { code, stdout } = await shm(["inspect", "one", "--dir", directory]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}lock +free$/m);
    expect(stdout).toMatch(/^events +log .* 32 of 4096 /m);
    expect(segment.participants()).toHaveLength(1);
    segment.close();
  });

  test("names a stopped process that holds the lock", async () => {
    const directory = segmentFolder();
    const peer = await peerIn(directory, "one");
    await peer.call("lock");
    await stopProcess(peer);
    const { stdout } = await shm(["inspect", "one", "--dir", directory]);
    expect(stdout).toContain(`held by pid ${peer.pid} (slot 0)\n`);
    expect(stdout).toMatch(new RegExp(`^ +0 +${peer.pid} .* stopped `, "m"));
    expect(await json("inspect", "one", "--dir", directory)).toMatchObject({
      lock: { held: true, owner: { alive: true } },
      participants: [{ pid: peer.pid, state: "stopped", alive: true }],
    });
  });

  test("says that the lock's holder was killed", async () => {
    const directory = segmentFolder();
    const peer = await peerIn(directory, "one");
    await peer.call("lock");
    await kill(peer);
    const { code, stdout } = await shm(["inspect", "one", "--dir", directory]);
    expect(code).toBe(0);
    expect(stdout).toContain(`held by pid ${peer.pid} (slot 0), dead: the next to lock takes it over\n`);
    expect(stdout).toContain("dead, not yet swept");
  });

  test("shows what it can of a segment with a damaged object, and exits with 1", async () => {
    const directory = segmentFolder();
    const segment = makeSegment(directory);
    const { memory, offsetBytes } = segment.region("orders");
    memory.i32[offsetBytes >>> 2] = 0;
    const { code, stdout } = await shm(["inspect", "one", "--dir", directory]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^events +log /m);
    expect(stdout).toMatch(/^orders +ring .*(no ring|corrupt)/m);
    segment.close();
  });
});

describe("stat", () => {
  test("measures what goes through, and who holds the lock", async () => {
    const directory = segmentFolder();
    const segment = makeSegment(directory);
    const log = logOf(segment);
    const writing = setInterval(() => log.append(Buffer.alloc(100)), 1);
    const report = (await json("stat", "one", "--interval", "50", "--dir", directory)) as {
      objects: { id: string; bytesPerSecond: number }[];
    };
    clearInterval(writing);
    expect(report).toMatchObject({ name: "one", lock: { held: false }, participants: [{ pid: process.pid }] });
    expect(report.objects.find(({ id }) => id === "events")?.bytesPerSecond).toBeGreaterThan(0);
    expect(report.objects.find(({ id }) => id === "orders")?.bytesPerSecond).toBe(0);
    segment.close();
  });

  test("goes on until Ctrl-C with --watch, one JSON value a report", async () => {
    const directory = segmentFolder();
    const segment = makeSegment(directory);
    const stop = new AbortController();
    const watching = startShm(
      ["stat", "one", "--watch", "--interval", "10", "--json", "--dir", directory],
      stop.signal,
    );
    await until(() => watching.stdout().split("\n").length > 3);
    stop.abort();
    expect(await watching.ended).toBe(0);
    for (const line of watching.stdout().trim().split("\n")) expect(JSON.parse(line).name).toBe("one");
    segment.close();
  });

  test("makes --count reports, and ends when the segment is removed", async () => {
    const directory = segmentFolder();
    const segment = makeSegment(directory);
    const counted = await shm(["stat", "one", "--count", "2", "--interval", "10", "--dir", directory]);
    expect(counted.stdout.match(/^one {2}/gm)).toHaveLength(2);
    const watching = startShm(["stat", "one", "--watch", "--interval", "10", "--dir", directory]);
    segment.close();
    expect(await watching.ended).toBe(0);
    expect(watching.stderr()).toBe("shm: the segment one was removed\n");
  });

  test("shows a stopped process that holds the lock while others wait", async () => {
    const directory = segmentFolder();
    const segment = makeSegment(directory, "one", { words: { kind: "region", sizeBytes: 128 } } as never);
    const peer = await peerIn(directory, "one");
    await peer.call("lock");
    await stopProcess(peer);
    expect(segment.mutex.lock(1)).toBeUndefined();
    const { stdout } = await shm(["stat", "one", "--interval", "10", "--dir", directory]);
    expect(stdout).toContain(`held by pid ${peer.pid} (slot 1), others wait`);
    expect(stdout).toContain("1 stopped");
    expect(stdout).toMatch(/waits 1 /);
    process.kill(peer.pid, "SIGCONT");
    await peer.call("unlock");
    segment.close();
  });
});

describe("tail", () => {
  test("prints the newest records, made safe to show", async () => {
    const directory = segmentFolder();
    const segment = makeSegment(directory);
    const log = logOf(segment);
    for (const text of ["first", "grüße", "\u001b]0;title\u0007\n", "\u202eright to left"])
      log.append(Buffer.from(text));
    log.append(Buffer.from([0x00, 0xff, 0x41]));
    const tail = async (...args: string[]): Promise<string> =>
      (await shm(["tail", "one", "--dir", directory, ...args])).stdout;
    expect(await tail()).toBe(
      String.raw`        32  first
        64  grüße
        96  \x1b]0;title\x07\n
       128  \u{202e}right to left
       160  \x00\xffA
`,
    );
    expect(await tail("-n", "1", "--hex")).toBe("       160  00ff41\n");
    expect(await tail("-n", "0")).toBe("");
    expect((await tail("-n", "all")).split("\n")).toHaveLength(6);
    const values = (await tail("--json", "-n", "2")).trim().split("\n");
    expect(values.map((line) => JSON.parse(line))).toEqual([
      { position: 128, lengthBytes: 16, text: "\u202eright to left", base64: "4oCucmlnaHQgdG8gbGVmdA==" },
      { position: 160, lengthBytes: 3, base64: "AP9B" },
    ]);
    segment.close();
  });

  test("follows what other processes append, says what it lost, and ends with the segment", async () => {
    const directory = segmentFolder();
    const segment = makeSegment(directory);
    const log = logOf(segment);
    const following = startShm(["tail", "one", "--follow", "--interval", "10", "--dir", directory]);
    log.append(Buffer.from("hello"));
    await until(() => following.stdout().includes("hello"));
    // More than the log holds, in one turn: the follower can't have seen it all.
    for (let record = 0; record < 200; record++) log.append(Buffer.from(`record ${record}`));
    await until(() => following.stdout().includes("record 199"));
    segment.close();
    expect(await following.ended).toBe(0);
    expect(following.stdout()).toMatch(/^… \d+ bytes were overwritten before they could be read$/m);
    expect(following.stderr()).toBe("shm: the segment one was removed\n");
  });

  test("wants to know which log, and reads no ring", async () => {
    const directory = segmentFolder();
    const segment = makeSegment(directory, "one", { a: LOG, b: LOG, r: RING } as never);
    logOf(segment, "b").append(Buffer.from("in b"));
    expect(await shm(["tail", "one", "--dir", directory])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/several logs.*: a, b\n$/),
    });
    expect((await shm(["tail", "one", "--object", "b", "--dir", directory])).stdout).toContain("in b");
    for (const object of ["r", "nope"]) {
      expect((await shm(["tail", "one", "--object", object, "--dir", directory])).code).toBe(2);
    }
    segment.close();
  });
});

test("a damaged segment is shown or refused, never a crash", async () => {
  const directory = segmentFolder();
  const segment = makeSegment(directory);
  const log = logOf(segment);
  for (let record = 0; record < 10; record++) log.append(Buffer.from(`record ${record}`));
  const whole = Buffer.from(segment.memory.bytes);
  const headerWords = segment.region("events").offsetBytes >>> 2;
  const command = fc.constantFrom(["inspect"], ["stat", "--interval", "10"], ["tail", "--object", "events"]);
  // Where structures are, more often than in the data behind them.
  const place = fc.oneof(fc.nat({ max: headerWords }), fc.nat({ max: (whole.length >>> 2) - 1 }));
  const damages = fc.array(fc.tuple(place, fc.oneof(fc.integer(), fc.constantFrom(0, -1, 1, 8))), { minLength: 1 });
  try {
    await fc.assert(
      fc.asyncProperty(command, damages, async ([name, ...rest], words) => {
        segment.memory.bytes.set(whole);
        for (const [word, value] of words) segment.memory.i32[word] = value;
        const { code, stderr } = await shm([name as string, "one", ...rest, "--dir", directory]);
        expect(stderr).toMatch(/^(shm: .*(corrupt|no segment|not a segment|can't be|removed|log|ring).*\n)?$/);
        expect(code === 0 || code === 1 || stderr.includes("no log"), stderr).toBe(true);
      }),
      { numRuns: DAMAGED_SEGMENTS },
    );
  } finally {
    segment.memory.bytes.set(whole);
    segment.close();
  }
});

describe("clean", () => {
  test("removes what killed processes left, and nothing of the living, the stopped, the kept or the unknown", async () => {
    const directory = segmentFolder();
    const living = await peerIn(directory, "stopped");
    await living.call("bell");
    await stopProcess(living);
    const killed = await peerIn(directory, "abandoned");
    await killed.call("bell");
    await kill(killed);
    // A segment takes its pipes along, so this one isn't counted.
    const itsPipe = readdirSync(directory).find((file) => file.startsWith("shm-ring.abandoned~")) as string;
    utimesSync(join(directory, itsPipe), OLD, OLD);
    makeSegment(directory, "kept").close({ keep: true });
    writeFileSync(join(directory, "shm-ring.broken"), Buffer.alloc(65_536));
    writeFileSync(join(directory, "somebody-elses"), "");
    const lonely = join(directory, "shm-ring.gone~a.0.0");
    native().mkfifo(lonely, 0o600);
    utimesSync(lonely, OLD, OLD);
    native().mkfifo(join(directory, "shm-ring.gone~b.0.0"), 0o600);
    const livingPipe = readdirSync(directory).find((file) => file.startsWith("shm-ring.stopped~")) as string;
    utimesSync(join(directory, livingPipe), OLD, OLD);

    const before = readdirSync(directory).sort();
    const dry = await shm(["clean", "--dry-run", "--dir", directory]);
    expect(dry.stdout).toContain(`would remove the segment ${directory}/shm-ring.abandoned (64 KiB)`);
    expect(dry.stdout).toContain("would remove 1 segment and 1 pipe, kept 3 segments");
    expect(readdirSync(directory).sort()).toEqual(before);

    const { code, stdout } = await shm(["clean", "--dir", directory]);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^kept stopped: in use by pid ${living.pid}$`, "m"));
    expect(stdout).toMatch(/^kept broken: it can't be judged: .*magic/m);
    expect(readdirSync(directory).sort()).toEqual([
      "shm-ring.broken",
      "shm-ring.gone~b.0.0",
      "shm-ring.kept",
      "shm-ring.stopped",
      livingPipe,
      "somebody-elses",
    ]);
    expect(await json("clean", "--kept", "kept", "--dir", directory)).toMatchObject({
      removed: [{ kind: "segment", name: "kept" }],
      kept: [],
    });
  });

  test("removes only the segments that are named, and knows when there is none", async () => {
    const directory = segmentFolder();
    for (const name of ["a", "b"]) await kill(await peerIn(directory, name));
    expect((await shm(["clean", "b", "--dir", directory])).code).toBe(0);
    expect(readdirSync(directory)).toEqual(["shm-ring.a"]);
    expect(await shm(["clean", "b", "--dir", directory])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/there is no segment b/),
    });
  });
});

describe("doctor", () => {
  test("tries it out, finds nothing wrong and leaves nothing behind", async () => {
    const directory = segmentFolder();
    const report = (await json("doctor", "--dir", directory)) as { ok: boolean; checks: { check: string }[] };
    expect(report).toMatchObject({ ok: true, failures: 0 });
    expect(new Set(report.checks.map(({ check }) => check))).toContain("overlay");
    expect(readdirSync(directory)).toEqual([]);
  });

  test("points to what the dead have left", async () => {
    const directory = segmentFolder();
    await kill(await peerIn(directory, "abandoned"));
    const { code, stdout } = await shm(["doctor", "--dir", directory]);
    expect(code).toBe(0);
    expect(stdout).toContain("left by the dead: 1 segment (64 KiB), 0 pipes");
    expect(stdout).toContain("shm clean");
  });

  test("fails where named segments are unsupported, and says why", async () => {
    const { code, stdout } = await spawnShm(["doctor"], { SHM_DISABLE_NAMED: "1" }).ended;
    expect(code).toBe(1);
    expect(stdout).toContain("switched off by SHM_DISABLE_NAMED=1");
    expect(stdout).toContain("Threads can still use anonymous ones.");
  });

  test("fails for a folder that isn't there", async () => {
    expect(await shm(["doctor", "--dir", "/nonexistent"])).toMatchObject({ code: 1, stderr: "" });
  });
});

describe("the command line", () => {
  test.each([
    [[], /Usage: shm COMMAND/],
    [["frobnicate"], /there is no command "frobnicate"/],
    [["constructor"], /there is no command/],
    [["ls", "--frobnicate"], /frobnicate/],
    [["ls", "extra"], /takes no argument "extra"/],
    [["inspect"], /needs the name of one segment, not 0/],
    [["stat", "a", "b"], /needs the name of one segment, not 2/],
    [["inspect", "../etc/passwd"], /a segment's name is/],
    [["stat", "a", "--interval", "0"], /--interval must be a whole number of 10 or more, not "0"/],
    [["stat", "a", "--count", "1e3"], /--count must be/],
    [["tail", "a", "-n", "-1"], /records|'-n'/],
    [["tail", "\u001b[2J"], /^shm: \P{Cc}*\n$/u],
  ])("%j is a usage mistake", async (args, message) => {
    const { code, stdout, stderr } = await shm([...args, ...(args.length > 0 ? ["--dir", segmentFolder()] : [])]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(message);
  });

  test.each(["inspect", "stat", "tail"])("%s of a segment that isn't there fails in one line", async (command) => {
    const directory = segmentFolder();
    expect(await shm([command, "nobody", "--dir", directory])).toEqual({
      code: 1,
      stdout: "",
      stderr: `shm: there is no segment nobody (${directory}/shm-ring.nobody)\n`,
    });
  });

  test.each(Object.keys(COMMANDS))("%s --help shows its options and examples", async (command) => {
    const { code, stdout } = await shm([command, "--help"]);
    expect(code).toBe(0);
    for (const option of [...Object.keys(COMMANDS[command]?.options ?? {}), "json", "help"]) {
      expect(stdout).toContain(`--${option}`);
    }
    expect(stdout).toMatch(new RegExp(`^ {2}.*shm ${command}.* # `, "m"));
    expect((await shm(["--help"])).stdout).toMatch(new RegExp(`^ {2}${command} `, "m"));
  });

  test("the README names every command and no other", () => {
    const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
    const named = new Set([...readme.matchAll(/^shm (\w+)/gm)].map((match) => match[1]));
    expect([...named].sort()).toEqual(Object.keys(COMMANDS).sort());
  });

  test("colours only where they are wanted", async () => {
    const plain = await spawnShm(["ls", "--dir", segmentFolder(), "--help"], { FORCE_COLOR: "1" }).ended;
    expect(plain.stdout).not.toContain("\u001b");
    const doctor = (env: NodeJS.ProcessEnv) => spawnShm(["doctor", "--dir", segmentFolder()], env).ended;
    expect((await doctor({ FORCE_COLOR: "1", NO_COLOR: "" })).stdout).toContain("\u001b[32m");
    expect((await doctor({ FORCE_COLOR: "1", NO_COLOR: "1" })).stdout).not.toContain("\u001b");
    expect((await doctor({ FORCE_COLOR: "", NO_COLOR: "" })).stdout).not.toContain("\u001b");
  });

  test("Ctrl-C ends what watches with 0, and a reader that leaves is no failure", async () => {
    const directory = segmentFolder();
    const segment = makeSegment(directory);
    const watch = ["stat", "one", "--watch", "--interval", "10", "--dir", directory];
    const interrupted = spawnShm(watch);
    await until(() => interrupted.stdout() !== "");
    interrupted.kill("SIGINT");
    expect(await interrupted.ended).toMatchObject({ code: 0, stderr: "" });
    const piped = spawnShm(watch);
    await until(() => piped.stdout() !== "");
    piped.closeOutput();
    expect(await piped.ended).toMatchObject({ code: 0, stderr: "" });
    segment.close();
  });
});
