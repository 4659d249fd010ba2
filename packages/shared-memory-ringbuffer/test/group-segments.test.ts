import { chmodSync, chownSync, statSync } from "node:fs";
import { expect, test } from "vitest";
import { createSegment, EventLoopDoorbell, openSegment, removeSegment } from "../src/index.ts";
import { TEST_SPEC } from "./fixtures/peer-commands.ts";
import { leftovers, uniqueName } from "./fixtures/peers.ts";

const GROUP = 0o660;
const PERMISSIONS = 0o777;
const NOBODY = 65_534;

test("a segment is its user's alone, unless it is made for the group, whatever the umask", () => {
  const before = process.umask(0o077);
  try {
    const own = createSegment(uniqueName("own"), TEST_SPEC);
    expect(statSync(own.path as string).mode & PERMISSIONS).toBe(0o600);
    own.close();
    const shared = createSegment(uniqueName("group"), TEST_SPEC, { mode: GROUP });
    expect(statSync(shared.path as string).mode & PERMISSIONS).toBe(GROUP);
    const bell = new EventLoopDoorbell(shared, { hasWork: () => false, onRing: () => {} });
    const [pipe] = leftovers(shared.name as string).filter((file) => file.includes("~"));
    expect(statSync(`/dev/shm/${pipe}`).mode & PERMISSIONS).toBe(GROUP);
    bell.close();
    shared.close();
  } finally {
    process.umask(before);
  }
});

test("another user's segment is opened only by who asks for its group's, and only if it is closed to others", (context) => {
  if (process.geteuid?.() !== 0) return context.skip("needs to be root, to give a segment away");
  const name = uniqueName("given");
  const segment = createSegment(name, TEST_SPEC, { mode: GROUP });
  const path = segment.path as string;
  chownSync(path, NOBODY, process.getegid?.() as number);
  const denied = expect.objectContaining({ code: "ERR_SHM_PERMISSION" });
  expect(() => openSegment(name)).toThrow(denied);
  const guest = openSegment(name, { mode: GROUP });
  expect(guest.participants()).toHaveLength(2);
  guest.close();
  chmodSync(path, 0o666);
  expect(() => openSegment(name, { mode: GROUP })).toThrow(denied);
  chmodSync(path, GROUP);
  chownSync(path, NOBODY, NOBODY);
  expect(() => openSegment(name, { mode: GROUP })).toThrow(denied);
  segment.close();
  expect(removeSegment(name)).toBe(false);
});
