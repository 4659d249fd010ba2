import { expect, test } from "vitest";
import { addUnderLock, firstWord, WORD_LEFT, WORD_RIGHT } from "./fixtures/peer-commands.ts";
import { NAMED, type Peer, startProcess } from "./fixtures/peers.ts";

const KILLS = 12;
const PEERS = 3;

/** Mulberry32, a public-domain generator by Tommy Ettinger. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test("processes killed at random moments while they count leave the words whole and the lock free", async () => {
  const seed = (Date.now() ^ process.pid) >>> 0;
  const random = seededRandom(seed);
  const segment = NAMED.create();
  const at = firstWord(segment);
  const { i32 } = segment.memory;
  const start = async (): Promise<Peer> => {
    const peer = startProcess();
    await NAMED.join(peer, segment);
    // Far more than it will live for.
    void peer.call("add", 100_000_000).catch(() => undefined);
    return peer;
  };
  const peers = await Promise.all(Array.from({ length: PEERS }, start));
  for (let kill = 0; kill < KILLS; kill++) {
    const progress = Atomics.load(i32, at + WORD_LEFT) + Math.floor(random() * 20_000);
    while (Atomics.load(i32, at + WORD_LEFT) < progress) await new Promise((resolve) => setTimeout(resolve, 1));
    const index = Math.floor(random() * peers.length);
    peers[index]?.kill();
    await peers[index]?.ended;
    addUnderLock(segment);
    peers[index] = await start();
  }
  for (const peer of peers) peer.kill();
  for (const peer of peers) await peer.ended;
  const before = i32[at + WORD_LEFT] as number;
  addUnderLock(segment);
  expect({ seed, left: i32[at + WORD_LEFT], right: i32[at + WORD_RIGHT] }).toEqual({
    seed,
    left: before + 1,
    right: before + 1,
  });
  expect(addUnderLock(segment)).toBe(false);
  segment.reapDead(1000);
  expect(segment.participants()).toHaveLength(1);
  segment.close();
});
