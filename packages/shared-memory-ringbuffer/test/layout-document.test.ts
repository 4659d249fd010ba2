import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createSegment } from "../src/index.ts";
import * as layout from "../src/layout.ts";
import { TEST_SPEC } from "./fixtures/peer-commands.ts";
import { uniqueName } from "./fixtures/peers.ts";

const document = readFileSync(new URL("../../../docs/shared-memory-layout.md", import.meta.url), "utf8");

test("the document's tables hold the layout's offsets", () => {
  const rows: readonly (readonly [number, string])[] = [
    [layout.MAGIC_OFFSET, "magic"],
    [layout.BYTE_ORDER_OFFSET, "byte-order mark"],
    [layout.VERSION_OFFSET, "layout version"],
    [layout.HEADER_BYTES_OFFSET, "header bytes"],
    [layout.FEATURES_OFFSET, "features"],
    [layout.CAPACITY_OFFSET, "capacity"],
    [layout.EPOCH_OFFSET, "epoch"],
    [layout.BOOT_ID_OFFSET, "boot"],
    [layout.PID_NAMESPACE_OFFSET, "pid namespace"],
    [layout.PARTICIPANTS_OFFSET_OFFSET, "participant table"],
    [layout.PARTICIPANT_SLOTS_OFFSET, "participant slots"],
    [layout.PARTICIPANT_BYTES_OFFSET, "bytes of a slot"],
    [layout.DIRECTORY_OFFSET_OFFSET, "object directory"],
    [layout.DIRECTORY_COUNT_OFFSET, "objects"],
    [layout.DIRECTORY_ENTRY_BYTES_OFFSET, "bytes of a directory entry"],
    [layout.STATE_OFFSET, "state"],
    [layout.LOCK_OFFSET, "lock word"],
    [layout.REPAIR_OFFSET, "repair word"],
    [layout.SLEEPERS_OFFSET, "sleepers"],
    [layout.SLOT_IDENTITY, "identity"],
    [layout.SLOT_GENERATION, "generation"],
    [layout.SLOT_PID, "pid"],
    [layout.SLOT_FLAGS, "flags"],
    [layout.SLOT_SLEEPING, "sleeping"],
    [layout.SLOT_WAKE, "wake word"],
    [layout.SLOT_DOORBELL, "doorbell"],
    [layout.SLOT_CURSOR, "cursor"],
    [layout.SLOT_GATE, "gate"],
    [layout.SLOT_COUNTERS, "counters"],
    [layout.ENTRY_ID, "id,"],
    [layout.ENTRY_KIND, "kind:"],
    [layout.ENTRY_OFFSET, "offset of the object"],
    [layout.ENTRY_SIZE, "its size in bytes"],
  ];
  for (const [offset, field] of rows) expect(document).toMatch(new RegExp(`^\\| ${offset} \\| \\S+ \\| ${field}`, "m"));
});

test("the document's C program takes part in a segment of ours", async (context) => {
  try {
    execFileSync("cc", ["--version"], { stdio: "ignore" });
  } catch {
    return context.skip("needs a C compiler (Debian package gcc)");
  }
  const folder = mkdtempSync(join(tmpdir(), "layout-"));
  try {
    const source = /```c\n([\s\S]*?)```/.exec(document)?.[1] ?? "";
    writeFileSync(join(folder, "take-part.c"), source);
    execFileSync("cc", ["-Wall", "-Werror", "-O2", "-o", join(folder, "take-part"), join(folder, "take-part.c")]);
    const segment = createSegment(uniqueName("c"), TEST_SPEC);
    const program = spawn(join(folder, "take-part"), [segment.path as string], { stdio: ["pipe", "pipe", "inherit"] });
    let output = "";
    while (!output.includes("object")) output += String((await once(program.stdout, "data"))[0]);
    const [words] = segment.objects;
    expect(output.trim().split("\n")).toEqual([
      `epoch ${segment.epoch} slot 1 state ${layout.STATE_OPEN}`,
      `object words kind 3 offset ${words?.offsetBytes} size ${words?.sizeBytes}`,
    ]);
    expect(segment.participants()[1]).toMatchObject({ pid: program.pid, phase: "active", alive: true });
    expect(segment.mutex.lock(50)).toBeUndefined();
    program.stdin.end();
    await once(program, "exit");
    expect(segment.mutex.lock()).toEqual({ recovered: false });
    segment.mutex.unlock();
    expect(segment.participants()).toHaveLength(1);

    const victim = spawn(join(folder, "take-part"), [segment.path as string], { stdio: ["pipe", "pipe", "inherit"] });
    await once(victim.stdout, "data");
    victim.kill("SIGKILL");
    await once(victim, "exit");
    expect(segment.mutex.lock()).toEqual({ recovered: true });
    segment.mutex.unlock();
    segment.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
