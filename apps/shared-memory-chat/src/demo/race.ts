/** The chapter on the lock: the same additions without it and with it, by two at once. */

import type { Segment } from "shared-memory-ringbuffer";
import { Counter } from "./counters.ts";
import type { Hand } from "./crew.ts";
import type { Job } from "./role.ts";
import type { Story } from "./story.ts";

const PARTIES = 2;
const TIMES_EACH = 3_000_000;
/** On a machine with one free CPU the two may by chance not overlap; then they run again. */
const MAX_ROUNDS = 10;

export interface RaceResult {
  readonly increments: number;
  readonly lostWithoutLock: number;
  readonly lostWithLock: number;
}

/** `segment` holds the counter; `start` starts a helper on it. */
export async function race(story: Story, segment: Segment, start: (job: Job) => Hand): Promise<RaceResult> {
  const counter = new Counter(segment);
  const increments = PARTIES * TIMES_EACH;

  const run = async (locked: boolean): Promise<{ lost: number; labels: string }> => {
    counter.reset();
    const hands = Array.from({ length: PARTIES }, () =>
      start({ role: "add", locked, times: TIMES_EACH, parties: PARTIES }),
    );
    await Promise.all(hands.map((hand) => hand.report("done")));
    await Promise.all(hands.map((hand) => hand.ended));
    return { lost: increments - counter.value, labels: hands.map((hand) => hand.label).join(" and ") };
  };

  await story.chapter("The same additions to one counter, without the lock and with it");
  let without = await run(false);
  for (let round = 1; without.lost === 0 && round < MAX_ROUNDS; round++) without = await run(false);
  story.say(`without: ${without.labels} add 1 to it ${TIMES_EACH} times each, as load, add, store`);
  story.expect(
    without.lost > 0,
    `counter is ${increments - without.lost} of ${increments}: ${without.lost} additions are lost`,
  );
  const withLock = await run(true);
  story.say(`with:    ${withLock.labels} do the same, each time as lock, load, add, store, unlock`);
  story.expect(
    withLock.lost === 0,
    `counter is ${increments - withLock.lost} of ${increments}: ${withLock.lost} are lost`,
  );
  return { increments, lostWithoutLock: without.lost, lostWithLock: withLock.lost };
}
