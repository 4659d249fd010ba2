/**
 * The three protocols of ring and log as small programs, run in every order of their steps; and each with a bug planted,
 * to show that the search would find it.
 */
import { describe, expect, test } from "vitest";
import { explore, type Program, type Thread } from "./fixtures/interleavings.ts";

/** A record of two halves that are written and read one after the other: it is torn when they differ. */
interface Cell {
  left: number;
  right: number;
}

function cells(count: number): Cell[] {
  return Array.from({ length: count }, () => ({ left: -1, right: -1 }));
}

function assertWhole(accepted: readonly (readonly [position: number, left: number, right: number])[]): void {
  for (const [position, left, right] of accepted) {
    if (left !== position || right !== position) throw new Error(`torn: position=${position} halves=${left},${right}`);
  }
}

describe("ring: publish and consume", () => {
  interface Plan {
    readonly records: number;
    readonly capacity: number;
    readonly publishFirst?: boolean;
    readonly releaseFirst?: boolean;
  }

  function program({ records, capacity, publishFirst, releaseFirst }: Plan): Program {
    const data = cells(capacity);
    const shared = { head: 0, tail: 0 };
    const accepted: [number, number, number][] = [];
    function* producer(): Thread {
      for (let tail = 0; tail < records; tail++) {
        yield () => tail - shared.head < capacity;
        const cell = data[tail % capacity] as Cell;
        if (publishFirst) {
          shared.tail = tail + 1;
          yield;
        }
        cell.left = tail;
        yield;
        cell.right = tail;
        yield;
        shared.tail = tail + 1;
      }
    }
    function* consumer(): Thread {
      for (let head = 0; head < records; head++) {
        yield () => shared.tail > head;
        const cell = data[head % capacity] as Cell;
        if (releaseFirst) {
          shared.head = head + 1;
          yield;
        }
        const { left } = cell;
        yield;
        const { right } = cell;
        yield;
        accepted.push([head, left, right]);
        shared.head = head + 1;
      }
    }
    return { threads: [producer(), consumer()], check: () => assertWhole(accepted) };
  }

  test.each([
    { records: 3, capacity: 1 },
    { records: 3, capacity: 2 },
    { records: 4, capacity: 3 },
  ])("gives whole records in every order: $records through $capacity", (plan) => {
    const { failure, runs } = explore(() => program(plan));
    expect(failure).toBeUndefined();
    expect(runs).toBeGreaterThan(0);
  });

  test("finds the bug when tail is stored before the bytes, or head before they are read", () => {
    expect(explore(() => program({ records: 2, capacity: 1, publishFirst: true })).failure?.message).toMatch(/torn/);
    expect(explore(() => program({ records: 3, capacity: 1, releaseFirst: true })).failure?.message).toMatch(/torn/);
  });
});

describe("ring: park and wake", () => {
  function program(lookFirst: boolean, sleepers: number): Program {
    const shared = { tail: 0, parked: false, asleep: false };
    function* consumer(): Thread {
      for (let seen = 0; seen < sleepers; ) {
        let moved = false;
        if (lookFirst) {
          moved = shared.tail !== seen;
          yield;
        }
        shared.parked = true;
        yield;
        if (!lookFirst) moved = shared.tail !== seen;
        if (!moved) {
          yield;
          // The futex compares and falls asleep in one step.
          if (shared.parked) {
            shared.asleep = true;
            yield () => !shared.asleep;
          }
        }
        shared.parked = false;
        yield;
        seen = shared.tail;
      }
    }
    function* producer(): Thread {
      for (let tail = 1; tail <= sleepers; tail++) {
        shared.tail = tail;
        yield;
        if (!shared.parked) continue;
        yield;
        shared.parked = false;
        yield;
        shared.asleep = false;
        yield;
      }
    }
    return { threads: [consumer(), producer()], check: () => {} };
  }

  test("nobody sleeps for ever in any order, without the help of time slices", () => {
    expect(explore(() => program(false, 2)).failure).toBeUndefined();
  });

  test("finds the lost wake when the look comes before the announcement", () => {
    expect(explore(() => program(true, 1)).failure?.message).toBe("deadlock");
  });
});

describe("log: oldest and tail", () => {
  interface Plan {
    readonly capacity: number;
    readonly appends: number;
    readonly reads: number;
    /** The first writer dies after so many steps; a second one goes on. */
    readonly diesAfter?: number;
    readonly bug?: "oldest after the bytes" | "check against tail";
  }

  function program({ capacity, appends, reads, diesAfter, bug }: Plan): Program {
    const data = cells(capacity);
    const shared = { oldest: 0, tail: 0 };
    const accepted: [number, number, number][] = [];
    let lapped = 0;
    function* append(count: number): Thread {
      for (let left = count; left > 0; left--) {
        // Under the mutex: only the reader's steps come between these.
        const position = shared.tail;
        const makeRoom = (): void => {
          shared.oldest = Math.max(shared.oldest, position + 1 - capacity);
        };
        const cell = data[position % capacity] as Cell;
        if (bug !== "oldest after the bytes") {
          makeRoom();
          yield;
        }
        cell.left = position;
        yield;
        cell.right = position;
        yield;
        if (bug === "oldest after the bytes") {
          makeRoom();
          yield;
        }
        shared.tail = position + 1;
        yield;
      }
    }
    function* writers(): Thread {
      const first = append(appends);
      for (let step = 0; step < (diesAfter ?? Number.POSITIVE_INFINITY); step++) {
        if (first.next().done) return;
        yield;
      }
      yield* append(appends);
    }
    function* reader(): Thread {
      let cursor = 0;
      for (let turn = 0; turn < reads; turn++) {
        const { tail } = shared;
        yield;
        if (cursor >= tail) continue;
        const cell = data[cursor % capacity] as Cell;
        const { left } = cell;
        yield;
        const { right } = cell;
        yield;
        const oldest = bug === "check against tail" ? shared.tail - capacity : shared.oldest;
        if (cursor < oldest) {
          lapped++;
          cursor = oldest;
        } else {
          accepted.push([cursor, left, right]);
          cursor++;
        }
      }
    }
    const check = (): void => {
      assertWhole(accepted);
      if (accepted.length + lapped > reads) throw new Error("more results than reads");
    };
    return { threads: [writers(), reader()], check };
  }

  test.each([
    { capacity: 1, appends: 3, reads: 2 },
    { capacity: 2, appends: 4, reads: 2 },
  ])("no reader accepts a torn record in any order: $appends appends into $capacity", (plan) => {
    expect(explore(() => program(plan)).failure).toBeUndefined();
  });

  test("nor when a writer dies after any of its steps and another goes on", () => {
    for (let diesAfter = 0; diesAfter <= 8; diesAfter++) {
      expect(explore(() => program({ capacity: 1, appends: 2, reads: 2, diesAfter })).failure).toBeUndefined();
    }
  });

  test.each(["oldest after the bytes", "check against tail"] as const)(
    "finds the torn copy with the bug: %s",
    (bug) => {
      const { failure } = explore(() => program({ capacity: 1, appends: 2, reads: 1, bug }));
      expect(failure?.message).toMatch(/torn/);
    },
  );
});
