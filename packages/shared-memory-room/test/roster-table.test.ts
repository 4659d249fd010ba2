import { randomSessionId } from "@parley/chat-protocol";
import { type Region, sharedMemoryOver } from "shared-memory-ringbuffer";
import { expect, test } from "vitest";
import { MAX_NAME_BYTES, NAME_BYTES_OFFSET, ROSTER_HEADER_BYTES, rosterRegionSizeBytes } from "../src/roster-layout.ts";
import { fits, formatRoster, RosterTable } from "../src/roster-table.ts";

const SLOTS = 4;
const me = { slot: 3, generation: 7 };

function newRegion(): Region {
  const sizeBytes = rosterRegionSizeBytes(SLOTS);
  return { memory: sharedMemoryOver(new SharedArrayBuffer(sizeBytes)), offsetBytes: 0, sizeBytes };
}

function newTable(region: Region = newRegion()): RosterTable {
  formatRoster(region);
  return new RosterTable(region);
}

test("holds as many names as it has slots, and a freed slot is used again", () => {
  const table = newTable();
  expect(table.slots).toBe(SLOTS);
  const sessions = Array.from({ length: SLOTS }, () => randomSessionId());
  for (const [index, sessionId] of sessions.entries()) {
    expect(table.add({ participant: me, lease: 1, graceMs: 0, sessionId, name: `n${index}` })).toBe(true);
  }
  expect(table.add({ participant: me, lease: 1, graceMs: 0, sessionId: randomSessionId(), name: "too many" })).toBe(
    false,
  );
  table.free(table.slotOfSession(table.heldSlots(), sessions[1] as string) as number);
  expect(table.add({ participant: me, lease: 1, graceMs: 0, sessionId: randomSessionId(), name: "Straße" })).toBe(true);
  expect(table.heldSlots().map((slot) => table.read(slot).name)).toEqual(["n0", "Straße", "n2", "n3"]);
});

test("finds a name however it is written, and gives back what was stored", () => {
  const table = newTable();
  const sessionId = randomSessionId();
  const name = "ﷺ Straße 🙂";
  table.add({ participant: me, lease: 1, graceMs: 0, sessionId, name });
  const held = table.heldSlots();
  expect(table.slotOfName(held, name.toUpperCase())).toBe(0);
  expect(table.slotOfName(held, "somebody else")).toBeUndefined();
  expect(table.read(0)).toEqual({ participant: me, lease: 1, graceMs: 0, sessionId, name });
});

test("takes names up to its limit in bytes", () => {
  expect(fits("x".repeat(MAX_NAME_BYTES))).toBe(true);
  expect(fits(`${"x".repeat(MAX_NAME_BYTES)}x`)).toBe(false);
  expect(fits("🙂".repeat(MAX_NAME_BYTES / 4 + 1))).toBe(false);
});

test("the read mark only rises", () => {
  const table = newTable();
  expect(table.readMark).toBe(0);
  table.raiseReadMark(5000);
  table.raiseReadMark(17);
  expect(table.readMark).toBe(5000);
});

test("a table that no participant could have left is corrupt, never a crash", () => {
  const region = newRegion();
  expect(() => new RosterTable(region)).toThrow("no roster of this version");
  const table = newTable(region);
  table.add({ participant: me, lease: 1, graceMs: 0, sessionId: randomSessionId(), name: "ada" });
  const slotStart = ROSTER_HEADER_BYTES >>> 2;
  region.memory.i32[slotStart + (NAME_BYTES_OFFSET >>> 2)] = -1;
  expect(() => table.read(0)).toThrow("nameBytes=4294967295");
  region.memory.i32[slotStart] = 77;
  expect(() => table.heldSlots()).toThrow("state=77");
  region.memory.bytes.fill(0xff, ROSTER_HEADER_BYTES);
  expect(() => table.heldSlots()).toThrow("roster slot 0");
});
