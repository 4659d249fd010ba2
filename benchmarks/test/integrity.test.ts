import { expect, test } from "vitest";
import { IntegrityChecker } from "../src/rig/integrity.ts";

function counts(sequences: readonly number[], sent: number): object {
  const checker = new IntegrityChecker();
  for (const sequence of sequences) checker.accept(sequence);
  return checker.finish(sent);
}

test("an unbroken run has no faults", () => {
  expect(counts([0, 1, 2, 3], 4)).toEqual({ received: 4, lost: 0, duplicated: 0, reordered: 0, corrupted: 0 });
});

test("gaps and a missing end are lost messages", () => {
  expect(counts([0, 3, 4], 6)).toMatchObject({ lost: 3, reordered: 0 });
});

test("a late message was reordered, not lost", () => {
  expect(counts([0, 2, 1, 3], 4)).toMatchObject({ lost: 0, reordered: 1, duplicated: 0 });
});

test("a message that comes twice is a duplicate, also when it had been late", () => {
  expect(counts([0, 2, 1, 1, 2], 3)).toMatchObject({ lost: 0, reordered: 1, duplicated: 2 });
});

test("a damaged message is corrupted, and its number is lost", () => {
  const checker = new IntegrityChecker();
  checker.accept(0);
  checker.damaged();
  checker.accept(2);
  expect(checker.finish(3)).toMatchObject({ received: 2, corrupted: 1, lost: 1 });
});
