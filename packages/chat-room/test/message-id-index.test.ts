import { encode, NOT_YET_LOGGED, randomMessageId } from "@parley/chat-protocol";
import { MESSAGE_ID_MEMORY, MessageIdIndex } from "@parley/chat-room";
import fc from "fast-check";
import { expect, test } from "vitest";

const at = (seq: number, timeMs = 0) => ({ position: { epoch: 1, seq }, timeMs });
const idOf = (number: number): string => number.toString(16).padStart(32, "0");

test("finds what it was told, for two minutes", () => {
  const index = new MessageIdIndex();
  index.remember(idOf(1), at(1, 1000));
  expect(index.find(idOf(1), 1000 + MESSAGE_ID_MEMORY.milliseconds - 1)).toEqual(at(1, 1000));
  expect(index.find(idOf(1), 1000 + MESSAGE_ID_MEMORY.milliseconds)).toBeUndefined();
  expect(index.find(idOf(2), 1000)).toBeUndefined();
});

test("remembers 65,536 messages and forgets the oldest first", () => {
  const index = new MessageIdIndex();
  const count = MESSAGE_ID_MEMORY.messages + 10;
  for (let seq = 0; seq < count; seq++) index.remember(idOf(seq), at(seq));
  expect(index.size).toBe(MESSAGE_ID_MEMORY.messages);
  expect(index.find(idOf(9), 0)).toBeUndefined();
  expect(index.find(idOf(10), 0)).toEqual(at(10));
  expect(index.find(idOf(count - 1), 0)).toEqual(at(count - 1));
});

test("an id told again, after it was forgotten in time, is found at its new place", () => {
  const index = new MessageIdIndex({ milliseconds: 10, messages: 2 });
  index.remember(idOf(1), at(1, 0));
  index.remember(idOf(1), at(2, 20));
  expect(index.find(idOf(1), 25)).toEqual(at(2, 20));
  expect(index.size).toBe(1);
});

test("is empty after clear", () => {
  const index = new MessageIdIndex({ milliseconds: 10, messages: 2 });
  for (const id of [1, 2, 3]) index.remember(idOf(id), at(1));
  index.clear();
  expect(index.size).toBe(0);
  for (const id of [4, 5, 6]) index.remember(idOf(id), at(2));
  expect(index.find(idOf(4), 0)).toBeUndefined();
  expect(index.find(idOf(6), 0)).toEqual(at(2));
});

test("an id is the same, told as a string or in an event frame", () => {
  const index = new MessageIdIndex();
  const messageId = randomMessageId();
  const frame = encode({ type: "joined", ...NOT_YET_LOGGED, messageId, room: "lobby", name: "ada" });
  index.remember(messageId, at(1));
  expect(index.findIdOf(frame, 0)).toEqual(at(1));
  index.rememberIdOf(frame, at(2));
  expect(index.find(messageId, 0)).toEqual(at(2));
  expect(index.size).toBe(1);
});

test("whatever is told and asked, it knows the same as a plain list of the latest", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), fc.array(fc.nat(30), { maxLength: 200 }), (messages, ids) => {
      const index = new MessageIdIndex({ milliseconds: 1, messages });
      let model: { id: number; seq: number }[] = [];
      for (const [seq, id] of ids.entries()) {
        const known = model.find((entry) => entry.id === id);
        if (known === undefined) model = [...model, { id, seq }].slice(-messages);
        else known.seq = seq;
        index.remember(idOf(id), at(seq));
        for (let asked = 0; asked <= 30; asked++) {
          const expected = model.find((entry) => entry.id === asked);
          expect(index.find(idOf(asked), 0)).toEqual(expected && at(expected.seq));
        }
        expect(index.size).toBe(model.length);
      }
    }),
  );
});
