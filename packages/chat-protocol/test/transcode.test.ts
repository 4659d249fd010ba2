import {
  decode,
  encode,
  encodeAck,
  type Frame,
  frameFrom,
  isOfRoom,
  messageFromSend,
  NOT_YET_LOGGED,
  randomMessageId,
  stringField,
} from "@parley/chat-protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const words = fc.string({ unit: "grapheme", minLength: 1, maxLength: 300 });
const room = stringField("lobby");
const name = stringField("ada");

function sendFrame(text: string, roomName = "lobby"): Frame {
  return frameFrom(encode({ type: "send", messageId: randomMessageId(), room: roomName, text }, 7));
}

describe("messageFromSend", () => {
  test("gives the bytes that decoding and encoding would give", () => {
    fc.assert(
      fc.property(words, words, words, (roomName, person, text) => {
        const frame = sendFrame(text, roomName);
        const send = decode(frame);
        if (send.type !== "send") throw new Error("not a SEND");
        const expected = encode({ ...NOT_YET_LOGGED, ...send, type: "message", name: person });
        expect(messageFromSend(frame, stringField(roomName), stringField(person), 65_535)).toEqual(expected);
      }),
    );
  });

  test("leaves to others what isn't in order: another room, no text, too much of it, no UTF-8, another type", () => {
    expect(messageFromSend(sendFrame("hi", "attic"), room, name, 100)).toBeUndefined();
    expect(messageFromSend(sendFrame("hi", "lobb"), room, name, 100)).toBeUndefined();
    expect(messageFromSend(sendFrame(""), room, name, 100)).toBeUndefined();
    expect(messageFromSend(sendFrame("x".repeat(100)), room, name, 100)).toBeDefined();
    expect(messageFromSend(sendFrame("x".repeat(101)), room, name, 100)).toBeUndefined();
    const frame = sendFrame("hi");
    frame.bytes[frame.bytes.length - 1] = 0xff;
    expect(messageFromSend(frame, room, name, 100)).toBeUndefined();
    expect(messageFromSend(frameFrom(encode({ type: "ping" })), room, name, 100)).toBeUndefined();
  });

  test("never reads past a frame that ends early", () => {
    const whole = sendFrame("some text").bytes;
    for (let length = 12; length < whole.length; length++) {
      expect(messageFromSend(frameFrom(whole.subarray(0, length)), room, name, 100)).toBeUndefined();
    }
  });
});

test("encodeAck gives the bytes that encode gives", () => {
  const number = fc.nat({ max: Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(
      number,
      number,
      number,
      fc.boolean(),
      fc.nat({ max: 0xffffffff }),
      (epoch, seq, timeMs, duplicate, id) => {
        const ack = { type: "ack", position: { epoch, seq }, timeMs, duplicate } as const;
        expect(encodeAck(ack, id)).toEqual(encode(ack, id));
      },
    ),
  );
});

test("isOfRoom compares whole names", () => {
  const event = encode({ type: "joined", ...NOT_YET_LOGGED, messageId: randomMessageId(), room: "lobby", name: "ada" });
  expect(isOfRoom(event, room)).toBe(true);
  for (const other of ["lobb", "lobbyy", "Lobby", ""]) expect(isOfRoom(event, stringField(other))).toBe(false);
});
