import { MESSAGE_ID_MEMORY, MessageIdIndex } from "@parley/chat-room";
import { expect, test } from "vitest";

const at = (seq: number, timeMs = 0) => ({ position: { epoch: 1, seq }, timeMs });

test("finds what it was told, for two minutes", () => {
  const index = new MessageIdIndex();
  index.remember("a", at(1, 1000));
  expect(index.find("a", 1000 + MESSAGE_ID_MEMORY.milliseconds - 1)).toEqual(at(1, 1000));
  expect(index.find("a", 1000 + MESSAGE_ID_MEMORY.milliseconds)).toBeUndefined();
  expect(index.find("b", 1000)).toBeUndefined();
});

test("remembers 65,536 messages and forgets the oldest first", () => {
  const index = new MessageIdIndex();
  const count = MESSAGE_ID_MEMORY.messages + 10;
  for (let seq = 0; seq < count; seq++) index.remember(`id ${seq}`, at(seq));
  expect(index.size).toBe(MESSAGE_ID_MEMORY.messages);
  expect(index.find("id 9", 0)).toBeUndefined();
  expect(index.find("id 10", 0)).toEqual(at(10));
  expect(index.find(`id ${count - 1}`, 0)).toEqual(at(count - 1));
});

test("an id told again, after it was forgotten in time, is found at its new place", () => {
  const index = new MessageIdIndex({ milliseconds: 10, messages: 2 });
  index.remember("a", at(1, 0));
  index.remember("a", at(2, 20));
  expect(index.find("a", 25)).toEqual(at(2, 20));
  expect(index.size).toBe(1);
});

test("is empty after clear", () => {
  const index = new MessageIdIndex({ milliseconds: 10, messages: 2 });
  for (const id of ["a", "b", "c"]) index.remember(id, at(1));
  index.clear();
  expect(index.size).toBe(0);
  for (const id of ["d", "e", "f"]) index.remember(id, at(2));
  expect(index.find("d", 0)).toBeUndefined();
  expect(index.find("f", 0)).toEqual(at(2));
});
