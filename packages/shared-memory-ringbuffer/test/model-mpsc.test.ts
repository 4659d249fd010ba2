/**
 * Claim, commit, release and the clearing up after the dead of an MPSC ring as a small program, run in every order of its
 * steps, with a producer that dies after any of them; and with bugs planted, to show that the search would find them.
 */
import { describe, expect, test } from "vitest";
import { explore, type Program, type Thread } from "./fixtures/interleavings.ts";

/** Place of the consumer's among those of the producers. */
const CONSUMER = 9;

type Bug = "free words without a lap" | "tail before header" | "committed before filled" | "head before cleared";

interface Plan {
  /** Records that each producer writes. */
  readonly records: readonly number[];
  readonly capacity: number;
  /** The first producer dies after so many steps. */
  readonly diesAfter?: number;
  readonly bug?: Bug;
}

interface Header {
  kind: "free" | "claimed" | "committed" | "padding";
  /** Of a free one. */
  lap: number;
  /** Of a claimed one. */
  owner: number;
}

/** Every record takes one cell. */
function program({ records, capacity, diesAfter = Number.POSITIVE_INFINITY, bug }: Plan): Program {
  const lapOf = (position: number): number =>
    bug === "free words without a lap" ? 0 : Math.floor(position / capacity);
  const headers: Header[] = Array.from({ length: capacity }, () => ({ kind: "free", lap: 0, owner: -1 }));
  const payloads: [number, number][] = Array.from({ length: capacity }, () => [-1, -1]);
  const shared = { tail: 0, head: 0 };
  const dead = new Set<number>();
  const aging = Number.isFinite(diesAfter);
  const acknowledged: number[] = [];
  const received: [number, number][] = [];
  let producing = records.length;
  let steps = 0;
  const places: string[] = [];
  const place = (thread: number, ...values: (string | number)[]): undefined => {
    places[thread] = values.join();
  };
  const at = (position: number): Header => headers[position % capacity] as Header;

  function* produce(owner: number, count: number): Thread {
    for (let record = 0; record < count; record++) {
      const value = owner * 10 + record;
      let mine = -1;
      while (mine < 0) {
        // Blocked while it is full, as one that waits for room.
        place(owner, 0, record);
        yield () => shared.tail - shared.head < capacity;
        const { tail } = shared;
        yield place(owner, 1, record, mine, tail);
        const { head } = shared;
        yield place(owner, 2, record, mine, tail, head);
        if (tail - head >= capacity) continue;
        if (bug === "tail before header") {
          if (shared.tail !== tail) continue;
          shared.tail = tail + 1;
          yield place(owner, 3, record, mine, tail, head);
          headers[tail % capacity] = { kind: "claimed", lap: 0, owner };
          mine = tail;
          yield place(owner, 4, record, mine, tail, head);
          continue;
        }
        const header = at(tail);
        if (header.kind === "free" && header.lap === lapOf(tail)) {
          headers[tail % capacity] = { kind: "claimed", lap: 0, owner };
          mine = tail;
        }
        yield place(owner, 5, record, mine, tail, head);
        if (shared.tail === tail) shared.tail = tail + 1;
        yield place(owner, 6, record, mine);
      }
      if (bug === "committed before filled") headers[mine % capacity] = { kind: "committed", lap: 0, owner };
      const payload = payloads[mine % capacity] as [number, number];
      payload[0] = value;
      yield place(owner, 7, record, mine);
      payload[1] = value;
      yield place(owner, 8, record, mine);
      const header = at(mine);
      if (header.kind === "claimed" && header.owner === owner) {
        headers[mine % capacity] = { kind: "committed", lap: 0, owner };
      }
      acknowledged.push(value);
      yield place(owner, 9, record, mine);
    }
  }

  function* mortal(): Thread {
    const life = produce(0, records[0] as number);
    let step = life.next();
    for (steps = 1; steps < diesAfter && !step.done; steps++) {
      yield step.value as (() => boolean) | undefined;
      step = life.next();
    }
    dead.add(0);
    producing--;
  }

  function* immortal(owner: number): Thread {
    yield* produce(owner, records[owner] as number);
    producing--;
  }

  function* consume(): Thread {
    for (;;) {
      const { head } = shared;
      const gettable = (): boolean => {
        const header = at(head);
        return (
          header.kind === "committed" ||
          header.kind === "padding" ||
          (header.kind === "claimed" && dead.has(header.owner))
        );
      };
      place(CONSUMER, 0, head);
      yield () => gettable() || producing === 0;
      if (!gettable()) {
        // Nobody is left: what is claimed behind this must not exist.
        if (shared.tail > head) throw new Error("deadlock");
        return;
      }
      const header = at(head);
      if (header.kind === "claimed") headers[head % capacity] = { kind: "padding", lap: 0, owner: -1 };
      if (header.kind === "committed") {
        const payload = payloads[head % capacity] as [number, number];
        const [left] = payload;
        yield place(CONSUMER, 1, head, left);
        received.push([left, payload[1]]);
      }
      // A dead one's claim, of which nobody has moved the tail yet.
      if (shared.tail === head) shared.tail = head + 1;
      yield place(CONSUMER, 2, head);
      const clear = (): void => {
        headers[head % capacity] = { kind: "free", lap: lapOf(head + capacity), owner: -1 };
      };
      if (bug === "head before cleared") {
        shared.head = head + 1;
        yield place(CONSUMER, 3, head);
        clear();
      } else {
        clear();
        yield place(CONSUMER, 4, head);
        shared.head = head + 1;
      }
      yield place(CONSUMER, 5, head);
    }
  }

  const producers = records.map((_, owner) => (owner === 0 ? mortal() : immortal(owner)));
  return {
    threads: [...producers, consume()],
    state: () =>
      JSON.stringify([
        headers,
        payloads,
        shared,
        [...dead],
        acknowledged,
        received,
        producing,
        places,
        aging ? steps : 0,
      ]),
    check: () => {
      for (const [left, right] of received) if (left !== right) throw new Error(`torn: ${left},${right}`);
      const values = received.map(([value]) => value);
      if (new Set(values).size !== values.length) throw new Error(`doubled: ${values}`);
      for (const value of acknowledged) if (!values.includes(value)) throw new Error(`lost: ${value} of ${values}`);
      for (const owner of records.keys()) {
        const own = values.filter((value) => Math.floor(value / 10) === owner);
        if (own.some((value, index) => index > 0 && value < (own[index - 1] as number)))
          throw new Error(`order: ${own}`);
      }
    },
  };
}

function failureOf(plan: Plan): string | undefined {
  try {
    return explore(() => program(plan)).failure?.message;
  } catch (error) {
    return (error as Error).message;
  }
}

describe("MPSC ring: claim, commit and release", () => {
  test.each([
    { records: [1, 1], capacity: 1 },
    { records: [1, 1], capacity: 2 },
    { records: [3], capacity: 1 },
  ])("gives whole records, each once, in every order: $records through $capacity", (plan) => {
    expect(failureOf(plan)).toBeUndefined();
  });

  test("nobody waits for a producer that died after any of its steps, and nothing acknowledged is lost", () => {
    for (let diesAfter = 1; diesAfter <= 9; diesAfter++) {
      expect([diesAfter, failureOf({ records: [1, 1], capacity: 1, diesAfter })]).toEqual([diesAfter, undefined]);
      expect([diesAfter, failureOf({ records: [1, 1], capacity: 2, diesAfter })]).toEqual([diesAfter, undefined]);
    }
  });

  test.each([
    ["free words without a lap", { records: [1, 3], capacity: 2 }, /lost|torn|doubled|deadlock|order/],
    ["committed before filled", { records: [1, 1], capacity: 1 }, /torn/],
    ["head before cleared", { records: [2], capacity: 1 }, /doubled|lost|torn|deadlock/],
    ["tail before header", { records: [1, 1], capacity: 2, diesAfter: 4 }, /deadlock/],
  ] as const)("finds what goes wrong with the bug: %s", (bug, plan, message) => {
    expect(failureOf({ ...plan, bug })).toMatch(message);
  });
});
