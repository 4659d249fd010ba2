/**
 * The suite that every RoomLog must pass: each bullet of the contract in `room-log.ts` is a test here.
 *
 * - A test asks for what it needs: a log of its own for each test, a second handle on it, small retention.
 * - What an implementation can't offer (a second handle, small retention) is skipped, visibly.
 * - Nothing is measured in time: the suite waits for conditions, and the runner's watchdog ends a hang.
 */

import {
  type ChatEvent,
  decode,
  directStream,
  encode,
  frameFrom,
  logFieldsOf,
  messageIdOf,
  NOT_YET_LOGGED,
  type Position,
  randomMessageId,
  randomSessionId,
  type SessionId,
} from "@parley/chat-protocol";
import { afterEach, describe, expect, test } from "vitest";
import { HISTORY_RETENTION } from "./room-history.ts";
import type { Lease, LogListener, RoomLog, Roster } from "./room-log.ts";

export interface LogUnderTest {
  /** A handle on the log. Called again: another handle on the same log, as another process would have it. */
  open(): Promise<RoomLog>;
  /** After all handles were closed: removes what is left of the log. */
  cleanUp?(): Promise<void>;
}

export interface LogFactory {
  /**
   * A log that nobody has used. `small`: it must forget events long before SMALL_LOG_OVERFLOW of them (of some 100 bytes)
   * have been appended.
   */
  create(options: { readonly small: boolean }): Promise<LogUnderTest>;
  /** False: `open` works once only. Default true. */
  readonly sharesHandles?: boolean;
  /** False: `small` can't be had. Default true. */
  readonly canBeSmall?: boolean;
}

/** After so many appends a small log has forgotten the first ones. */
export const SMALL_LOG_OVERFLOW = 3000;

/** Registers the suite with vitest under `label`. */
export function describeRoomLog(label: string, factory: LogFactory): void {
  describe(`RoomLog: ${label}`, () => {
    let logs: RoomLog[] = [];
    let underTest: LogUnderTest | undefined;

    async function openLog(options: { small: boolean } = { small: false }): Promise<RoomLog> {
      underTest ??= await factory.create(options);
      const log = await underTest.open();
      logs.push(log);
      return log;
    }

    afterEach(async () => {
      for (const log of logs) await log.close();
      logs = [];
      await underTest?.cleanUp?.();
      underTest = undefined;
    });

    const shared = test.skipIf(factory.sharesHandles === false);
    const small = test.skipIf(factory.canBeSmall === false);

    describe("appending", () => {
      test("positions strictly increase within one epoch, and prev names the room's previous event", async () => {
        const log = await openLog();
        const session = randomSessionId();
        const { tail } = await log.bounds();
        const positions: Position[] = [];
        for (let index = 0; index < 50; index++) {
          const appended = await log.append(session, message(`text ${index}`));
          expect(appended.duplicate).toBe(false);
          positions.push(appended.position);
        }
        const { events } = await log.read(tail, 100);
        expect(textsOf(events)).toEqual(Array.from({ length: 50 }, (_, index) => `text ${index}`));
        let previous = 0;
        for (const [index, event] of events.entries()) {
          const fields = logFieldsOf(event);
          expect(fields.position).toEqual(positions[index]);
          expect(fields.position.epoch).toBe(log.epoch);
          expect(fields.position.seq).toBeGreaterThan(previous);
          expect(fields.prev).toBe(previous);
          previous = fields.position.seq;
        }
      });

      test("prev is kept for each room apart", async () => {
        const log = await openLog();
        const session = randomSessionId();
        const { tail } = await log.bounds();
        for (const room of ["red", "blue", "red", "blue", "red"]) await log.append(session, message("hi", { room }));
        const { events } = await log.read(tail, 10);
        const seqs = events.map((event) => logFieldsOf(event).position.seq);
        expect(events.map((event) => logFieldsOf(event).prev)).toEqual([0, 0, seqs[0], seqs[1], seqs[2]]);
      });

      test("an event is kept as it was appended, with position, prev and time filled in", async () => {
        const log = await openLog();
        const { tail } = await log.bounds();
        const before = Date.now();
        const frame = message("ein Wort: äöü 🙂 >> : ", { name: "b: >>" });
        const original = frame.slice();
        const { position, timeMs } = await log.append(randomSessionId(), frame);
        const [event] = (await log.read(tail, 1)).events;
        const decoded = decode(frameFrom(event as Uint8Array));
        expect(decoded).toEqual({ ...decode(frameFrom(original)), position, prev: expect.any(Number), timeMs });
        expect((event as Uint8Array).length).toBe(original.length);
        expect(timeMs).toBeGreaterThanOrEqual(before - CLOCK_TOLERANCE_MS);
        expect(timeMs).toBeLessThanOrEqual(Date.now() + CLOCK_TOLERANCE_MS);
      });

      test("one session's appends that nobody waited for take effect in call order, LEFT included", async () => {
        const log = await openLog();
        const sessions = [randomSessionId(), randomSessionId(), randomSessionId()];
        const { tail } = await log.bounds();
        const appends: Promise<unknown>[] = [];
        for (let index = 0; index < 40; index++) {
          for (const [who, session] of sessions.entries()) {
            appends.push(log.append(session, message(`${index}`, { name: `n${who}` })));
          }
        }
        for (const [who, session] of sessions.entries()) appends.push(log.append(session, left(`n${who}`)));
        await Promise.all(appends);
        const events = decodeAll((await log.read(tail, 1000)).events);
        for (const who of sessions.keys()) {
          const own = events.filter((event) => "name" in event && event.name === `n${who}`);
          expect(own.map((event) => (event.type === "message" ? event.text : event.type))).toEqual([
            ...Array.from({ length: 40 }, (_, index) => `${index}`),
            "left",
          ]);
        }
      });

      test("what is no event frame is refused as MALFORMED and not appended", async () => {
        const log = await openLog();
        const { tail } = await log.bounds();
        const frames = [
          new Uint8Array(0),
          new Uint8Array(100),
          encode({ type: "ping" }),
          message("cut off").slice(0, -1),
          encode({ type: "send", messageId: randomMessageId(), room: "lobby", text: "a request, not an event" }),
        ];
        for (const frame of frames) {
          await expect(log.append(randomSessionId(), frame)).rejects.toMatchObject({ code: "MALFORMED" });
        }
        expect((await log.read(tail, 10)).events).toEqual([]);
      });

      test("a resolved append can be read at once", async () => {
        const log = await openLog();
        const { tail } = await log.bounds();
        const { position } = await log.append(randomSessionId(), message("here"));
        const page = await log.read(tail, 10);
        expect(textsOf(page.events)).toEqual(["here"]);
        expect(page.next).toEqual(position);
        expect((await log.bounds()).tail).toEqual(position);
      });
    });

    describe("message ids", () => {
      test("a repeated id resolves to the first position and time and appends nothing", async () => {
        const log = await openLog();
        const { tail } = await log.bounds();
        const messageId = randomMessageId();
        const first = await log.append(randomSessionId(), message("once", { messageId }));
        await log.append(randomSessionId(), message("between"));
        const second = await log.append(randomSessionId(), message("once", { messageId }));
        expect(second).toEqual({ position: first.position, timeMs: first.timeMs, duplicate: true });
        expect(textsOf((await log.read(tail, 10)).events)).toEqual(["once", "between"]);
      });

      test("repeated while the first is still being appended, it is taken once", async () => {
        const log = await openLog();
        const { tail } = await log.bounds();
        const messageId = randomMessageId();
        const session = randomSessionId();
        const outcomes = await Promise.all(
          Array.from({ length: 5 }, () => log.append(session, message("once", { messageId }))),
        );
        expect(new Set(outcomes.map((outcome) => outcome.position.seq)).size).toBe(1);
        expect(outcomes.filter((outcome) => !outcome.duplicate)).toHaveLength(1);
        expect((await log.read(tail, 10)).events).toHaveLength(1);
      });

      shared("repeated through another handle, it resolves to the first position", async () => {
        const log = await openLog();
        const other = await openLog();
        const { tail } = await log.bounds();
        const messageId = randomMessageId();
        const first = await log.append(randomSessionId(), message("once", { messageId }));
        const second = await other.append(randomSessionId(), message("once", { messageId }));
        expect(second).toEqual({ position: first.position, timeMs: first.timeMs, duplicate: true });
        expect((await other.read(tail, 10)).events).toHaveLength(1);
      });
    });

    describe("reading", () => {
      test("pages of any size give every event once, in order", async () => {
        const log = await openLog();
        const start = (await log.bounds()).tail;
        for (let index = 0; index < 25; index++) await log.append(randomSessionId(), message(`${index}`));
        for (const size of [1, 7, 25, 100]) {
          const texts: string[] = [];
          let next = start;
          for (;;) {
            const page = await log.read(next, size);
            expect(page.recovered).toBe(true);
            expect(page.events.length).toBeLessThanOrEqual(size);
            if (page.events.length === 0) {
              expect(page.next).toEqual(next);
              break;
            }
            texts.push(...textsOf(page.events));
            expect(page.next).toEqual(logFieldsOf(page.events.at(-1) as Uint8Array).position);
            next = page.next;
          }
          expect(texts).toEqual(Array.from({ length: 25 }, (_, index) => `${index}`));
        }
      });

      test("after the tail there is nothing, and after `oldest` there is everything", async () => {
        const log = await openLog();
        for (let index = 0; index < 5; index++) await log.append(randomSessionId(), message(`${index}`));
        const { oldest, tail } = await log.bounds();
        expect(await log.read(tail, 10)).toEqual({ events: [], next: tail, recovered: true });
        const page = await log.read(oldest, 10);
        expect(page.recovered).toBe(true);
        expect(textsOf(page.events)).toEqual(["0", "1", "2", "3", "4"]);
      });

      test("a position of another epoch is told that it is not recovered, and gets what is retained", async () => {
        const log = await openLog();
        await log.append(randomSessionId(), message("a"));
        const { tail } = await log.bounds();
        const page = await log.read({ epoch: log.epoch + 1, seq: tail.seq }, 10);
        expect(page.recovered).toBe(false);
        expect(textsOf(page.events)).toEqual(["a"]);
        expect(page.next).toEqual(tail);
      });

      small("a position that is no longer retained is told so, and gets what is retained", async () => {
        const log = await openLog({ small: true });
        const first = await log.append(randomSessionId(), message("the first"));
        const { oldest } = await overflow(log);
        const page = await log.read(first.position, SMALL_LOG_OVERFLOW);
        expect(page.recovered).toBe(false);
        expect(page.events.length).toBeGreaterThan(0);
        const retained = await log.read(oldest, SMALL_LOG_OVERFLOW);
        expect(retained.recovered).toBe(true);
        expect(idsOf(page.events)).toEqual(idsOf(retained.events));
        expectUnbroken(page.events);
      });

      shared("two handles read the same bytes in the same order, whoever appended", async () => {
        const log = await openLog();
        const other = await openLog();
        const start = (await log.bounds()).tail;
        const appends: Promise<unknown>[] = [];
        for (let index = 0; index < 60; index++) {
          appends.push((index % 2 === 0 ? log : other).append(randomSessionId(), message(`${index}`)));
        }
        await Promise.all(appends);
        const page = await log.read(start, 100);
        const samePage = await other.read(start, 100);
        expect(page.events).toHaveLength(60);
        expect(samePage.events.map(toHex)).toEqual(page.events.map(toHex));
        expect(other.epoch).toBe(log.epoch);
        expectUnbroken(page.events);
      });
    });

    describe("following", () => {
      test("gives what was appended before and after, once and in order, at most one call a turn", async () => {
        const log = await openLog();
        const start = (await log.bounds()).tail;
        for (let index = 0; index < 10; index++) await log.append(randomSessionId(), message(`${index}`));
        const heard = listen();
        const follower = log.follow(start, heard.listener);
        expect(heard.events).toHaveLength(0);
        await heard.until(() => heard.events.length >= 10);
        for (let index = 10; index < 30; index++) await log.append(randomSessionId(), message(`${index}`));
        await heard.until(() => heard.events.length >= 30);
        expect(textsOf(heard.events)).toEqual(Array.from({ length: 30 }, (_, index) => `${index}`));
        expect(heard.callsInOneTurn).toBe(1);
        expect(heard.last).toEqual((await log.bounds()).tail);
        expect(follower.position).toEqual(heard.last);
        expect(heard.losses).toEqual([]);
        follower.stop();
      });

      test("from a position gives only what comes after it", async () => {
        const log = await openLog();
        await log.append(randomSessionId(), message("before"));
        const { position } = await log.append(randomSessionId(), message("at"));
        await log.append(randomSessionId(), message("after"));
        const heard = listen();
        log.follow(position, heard.listener);
        await heard.until(() => heard.events.length >= 1);
        expect(textsOf(heard.events)).toEqual(["after"]);
      });

      test("after stop there are no more calls, and other followers go on", async () => {
        const log = await openLog();
        const { tail } = await log.bounds();
        const stopped = listen();
        const going = listen();
        const follower = log.follow(tail, stopped.listener);
        log.follow(tail, going.listener);
        await log.append(randomSessionId(), message("a"));
        await going.until(() => going.events.length >= 1);
        await stopped.until(() => stopped.events.length >= 1);
        follower.stop();
        await log.append(randomSessionId(), message("b"));
        await going.until(() => going.events.length >= 2);
        expect(textsOf(stopped.events)).toEqual(["a"]);
      });

      test("a follower of another epoch is told of the loss and given what is retained", async () => {
        const log = await openLog();
        await log.append(randomSessionId(), message("a"));
        const heard = listen();
        log.follow({ epoch: log.epoch + 1, seq: 1 }, heard.listener);
        await heard.until(() => heard.events.length >= 1);
        expect(heard.losses).toHaveLength(1);
        expect(heard.losses[0]?.epoch).toBe(log.epoch);
        expect(textsOf(heard.events)).toEqual(["a"]);
      });

      small("a follower that was overtaken is told so and goes on after the loss, without a silent gap", async () => {
        const log = await openLog({ small: true });
        const first = await log.append(randomSessionId(), message("the first"));
        await overflow(log);
        const heard = listen();
        log.follow(first.position, heard.listener);
        const { position } = await log.append(randomSessionId(), message("the last"));
        await heard.until(() => heard.last?.seq === position.seq);
        expect(heard.losses.length).toBeGreaterThan(0);
        expect(heard.losses.at(-1)?.seq).toBeGreaterThan(first.position.seq);
        expect(textsOf(heard.events).at(-1)).toBe("the last");
        expectUnbroken(heard.eventsAfterLoss);
        expect(logFieldsOf(heard.eventsAfterLoss[0] as Uint8Array).position.seq).toBeGreaterThan(
          heard.losses.at(-1)?.seq as number,
        );
      });

      shared("gives what another handle appends", async () => {
        const log = await openLog();
        const other = await openLog();
        const heard = listen();
        log.follow((await log.bounds()).tail, heard.listener);
        for (let index = 0; index < 20; index++) await other.append(randomSessionId(), message(`${index}`));
        await heard.until(() => heard.events.length >= 20);
        expect(textsOf(heard.events)).toEqual(Array.from({ length: 20 }, (_, index) => `${index}`));
      });
    });

    describe("roster", () => {
      test("of many sessions claiming one name at once exactly one gets it", async () => {
        const log = await openLog();
        const handles = factory.sharesHandles === false ? [log] : [log, await openLog()];
        const outcomes = await Promise.all(
          Array.from({ length: 20 }, (_, index) =>
            (handles[index % handles.length] as RoomLog).roster.claim({ name: "ada", sessionId: randomSessionId() }),
          ),
        );
        expect(outcomes.filter((outcome) => outcome.claimed)).toMatchObject([{ claimed: true, resumed: false }]);
        expect(outcomes.filter((outcome) => !outcome.claimed)).toHaveLength(19);
        expect(await log.roster.entries()).toHaveLength(1);
      });

      test("names are compared folded and shown as claimed", async () => {
        const { roster } = await openLog();
        const sessionId = randomSessionId();
        await roster.claim({ name: "Straße", sessionId });
        for (const name of ["straße", "STRASSE", "Strasse"]) {
          expect(await roster.claim({ name, sessionId: randomSessionId() })).toEqual({
            claimed: false,
            reason: "NAME_TAKEN",
          });
        }
        expect(await roster.entries()).toEqual([{ name: "Straße", sessionId }]);
      });

      test("the same session claiming again resumes", async () => {
        const { roster } = await openLog();
        const claim = { name: "ada", sessionId: randomSessionId() };
        expect(await roster.claim(claim)).toMatchObject({ claimed: true, resumed: false });
        expect(await roster.claim(claim)).toMatchObject({ claimed: true, resumed: true });
        expect(await roster.entries()).toHaveLength(1);
      });

      test("a released name can be claimed by another, and releasing nothing is fine", async () => {
        const { roster } = await openLog();
        const first = randomSessionId();
        await roster.claim({ name: "ada", sessionId: first });
        await roster.release(first);
        await roster.release(first);
        expect(await roster.entries()).toEqual([]);
        expect(await roster.claim({ name: "ADA", sessionId: randomSessionId() })).toMatchObject({
          claimed: true,
          resumed: false,
        });
      });

      test("at maxSessions the next claim is SERVER_FULL, until somebody leaves", async () => {
        const { roster } = await openLog();
        const first = randomSessionId();
        await roster.claim({ name: "a", sessionId: first, maxSessions: 2 });
        await roster.claim({ name: "b", sessionId: randomSessionId(), maxSessions: 2 });
        const third = { name: "c", sessionId: randomSessionId(), maxSessions: 2 };
        expect(await roster.claim(third)).toEqual({ claimed: false, reason: "SERVER_FULL" });
        expect(await roster.claim({ name: "a", sessionId: first, maxSessions: 2 })).toMatchObject({ resumed: true });
        await roster.release(first);
        expect(await roster.claim(third)).toMatchObject({ claimed: true, resumed: false });
      });

      shared("is one for all handles", async () => {
        const log = await openLog();
        const other = await openLog();
        const sessionId: SessionId = randomSessionId();
        await log.roster.claim({ name: "ada", sessionId });
        expect(await other.roster.entries()).toEqual([{ name: "ada", sessionId }]);
        expect(await other.roster.claim({ name: "ada", sessionId: randomSessionId() })).toMatchObject({
          claimed: false,
        });
      });
    });

    describe("history", () => {
      test("pages back over a room's messages, newest page first, each oldest first, without joins and leaves", async () => {
        const log = await openLog();
        const session = randomSessionId();
        for (let index = 0; index < 25; index++) {
          await log.append(session, message(`${index}`));
          await log.append(session, message("elsewhere", { room: "other" }));
          await log.append(session, left(`n${index}`));
        }
        const pages: string[][] = [];
        let before: Position | undefined;
        for (let hasMore = true; hasMore; ) {
          const page = await log.history("lobby", 10, before);
          pages.push(textsOf(page.events));
          before = logFieldsOf(page.events[0] as Uint8Array).position;
          hasMore = page.hasMore;
        }
        expect(pages.map((page) => page.length)).toEqual([10, 10, 5]);
        expect(pages.reverse().flat()).toEqual(Array.from({ length: 25 }, (_, index) => `${index}`));
        expect(await log.history("nowhere", 10)).toEqual({ events: [], hasMore: false });
        expect(await log.history("lobby", 10, { epoch: log.epoch + 1, seq: 1 })).toEqual({
          events: [],
          hasMore: false,
        });
      });

      test("keeps a room's latest 1,000 messages, whatever its joins and leaves", async () => {
        const log = await openLog();
        const session = randomSessionId();
        const first = await log.append(session, message("0"));
        const second = await log.append(session, message("1"));
        const appends: Promise<unknown>[] = [];
        for (let index = 2; index <= HISTORY_RETENTION.messagesAStream; index++) {
          appends.push(log.append(session, message(`${index}`)));
          if (index % 2 === 0) appends.push(log.append(session, left("x")));
        }
        await Promise.all(appends);
        const page = await log.history("lobby", 10_000);
        expect(page.events).toHaveLength(HISTORY_RETENTION.messagesAStream);
        expect(textsOf(page.events)[0]).toBe("1");
        expect((await log.missed("lobby", first.position)).recovered).toBe(true);
        expect((await log.missed("lobby", { ...first.position, seq: first.position.seq - 1 })).recovered).toBe(false);
        expect((await log.missed("lobby", second.position)).events).toHaveLength(page.events.length - 1);
      });

      test("gives what a reader missed of a room or in private, and says when that is not all", async () => {
        const log = await openLog();
        const [ada, bo] = [randomSessionId(), randomSessionId()];
        const { position } = await log.append(ada, message("heard"));
        await log.append(ada, message("missed"));
        await log.append(ada, message("elsewhere", { room: "other" }));
        await log.append(ada, direct("psst", ada, bo));
        expect(textsOf((await log.missed("lobby", position)).events)).toEqual(["missed"]);
        expect(await log.missed("lobby", (await log.bounds()).tail)).toEqual({ events: [], recovered: true });
        const inPrivate = await log.missed(directStream(bo), position);
        expect(inPrivate.recovered).toBe(true);
        expect(decodeAll(inPrivate.events)).toMatchObject([{ type: "direct", text: "psst", prev: 0 }]);
        expect((await log.missed(directStream(ada), position)).events).toEqual([]);
        const { tail } = await log.bounds();
        expect((await log.missed("lobby", { ...position, epoch: log.epoch + 1 })).recovered).toBe(false);
        expect((await log.missed("lobby", { ...tail, seq: tail.seq + 8 })).recovered).toBe(false);
      });

      small("says that something is forgotten when it was overwritten", async () => {
        const log = await openLog({ small: true });
        const first = await log.append(randomSessionId(), message("the first"));
        await overflow(log);
        const missed = await log.missed("lobby", first.position);
        expect(missed.recovered).toBe(false);
        expectUnbroken(missed.events);
      });

      shared("is one for all handles, also for one that was opened later", async () => {
        const log = await openLog();
        const { position } = await log.append(randomSessionId(), message("a"));
        const other = await openLog();
        await other.append(randomSessionId(), message("b"));
        for (const handle of [log, other]) {
          expect(textsOf((await handle.history("lobby", 10)).events)).toEqual(["a", "b"]);
          expect(textsOf((await handle.missed("lobby", position)).events)).toEqual(["b"]);
        }
        expect(toHex(other.resumeKey)).toBe(toHex(log.resumeKey));
        expect(log.resumeKey.some((byte) => byte !== 0)).toBe(true);
      });
    });

    describe("rooms in the roster", () => {
      test("let in as many people as may be, the same one twice, and the next when one leaves", async () => {
        const { roster } = await openLog();
        const [ada, bo, cy] = [await held(roster, "ada"), await held(roster, "bo"), await held(roster, "cy")];
        expect(await roster.enter(ada, "kitchen", 2)).toEqual({ entered: true, wasIn: false, people: 1 });
        expect(await roster.enter(bo, "kitchen", 2)).toEqual({ entered: true, wasIn: false, people: 2 });
        expect(await roster.enter(bo, "kitchen", 2)).toEqual({ entered: true, wasIn: true, people: 2 });
        expect(await roster.enter(cy, "kitchen", 2)).toEqual({ entered: false, reason: "ROOM_FULL" });
        expect(await roster.enter(cy, "cellar", 2)).toMatchObject({ entered: true });
        await roster.exit(ada, "kitchen");
        expect(await roster.enter(cy, "kitchen", 2)).toMatchObject({ entered: true, people: 2 });
        expect((await roster.entries("kitchen")).map(({ name }) => name).sort()).toEqual(["bo", "cy"]);
        expect(await roster.count("kitchen")).toBe(2);
        await roster.release(cy.sessionId);
        expect(await roster.count("kitchen")).toBe(1);
        expect(await roster.count("cellar")).toBe(0);
      });

      shared(
        "of many sessions entering at once through several handles lets in exactly as many as may be",
        async () => {
          const handles = [await openLog(), await openLog()];
          const outcomes = await Promise.all(
            Array.from({ length: 20 }, async (_, index) => {
              const { roster } = handles[index % 2] as RoomLog;
              return roster.enter(await held(roster, `n${index}`), "kitchen", 4);
            }),
          );
          expect(outcomes.filter(({ entered }) => entered)).toHaveLength(4);
          expect(await (handles[1] as RoomLog).roster.count("kitchen")).toBe(4);
        },
      );

      test("keep a session's places when it claims again; the older lease changes nothing any more", async () => {
        const { roster } = await openLog();
        const first = await held(roster, "ada");
        await roster.enter(first, "kitchen");
        const again = await roster.claim({ name: "ada", sessionId: first.sessionId });
        expect(again).toMatchObject({ claimed: true, resumed: true, lease: first.lease + 1 });
        const second = { sessionId: first.sessionId, lease: first.lease + 1 };
        expect(await roster.holds(first)).toBe(false);
        expect(await roster.holds(second)).toBe(true);
        expect(await roster.enter(first, "cellar")).toEqual({ entered: false, reason: "NOT_HELD" });
        await roster.exit(first, "kitchen");
        await roster.release(first.sessionId, first.lease);
        expect(await roster.rename(first, "eve")).toBe("NOT_HELD");
        expect(await roster.enter(second, "kitchen")).toMatchObject({ wasIn: true });
        expect(await roster.entries("kitchen")).toEqual([{ name: "ada", sessionId: first.sessionId }]);
      });

      test("renames in one step, folded: one's own spelling may change, another's name is taken", async () => {
        const { roster } = await openLog();
        const ada = await held(roster, "ada");
        const bo = await held(roster, "bo");
        await roster.enter(ada, "kitchen");
        expect(await roster.rename(ada, "BO")).toBe("NAME_TAKEN");
        expect(await roster.rename(ada, "ADA")).toBe("RENAMED");
        expect(await roster.rename(ada, "Lovelace")).toBe("RENAMED");
        expect(await roster.find("lovelace")).toEqual({ name: "Lovelace", sessionId: ada.sessionId });
        expect(await roster.find("ada")).toBeUndefined();
        expect(await roster.rename(bo, "ada")).toBe("RENAMED");
        expect(await roster.entries("kitchen")).toEqual([{ name: "Lovelace", sessionId: ada.sessionId }]);
      });
    });

    describe("closing", () => {
      test("rejects later appends with CLOSED and makes no more calls", async () => {
        const log = await openLog();
        const heard = listen();
        log.follow((await log.bounds()).tail, heard.listener);
        await log.append(randomSessionId(), message("a"));
        await heard.until(() => heard.events.length >= 1);
        await log.close();
        await expect(log.append(randomSessionId(), message("b"))).rejects.toMatchObject({
          name: "RoomLogError",
          code: "CLOSED",
        });
        expect(heard.events).toHaveLength(1);
        await log.close();
      });

      shared("one handle leaves another working", async () => {
        const log = await openLog();
        const other = await openLog();
        const heard = listen();
        other.follow((await other.bounds()).tail, heard.listener);
        await log.append(randomSessionId(), message("a"));
        await log.close();
        await other.append(randomSessionId(), message("b"));
        await heard.until(() => heard.events.length >= 2);
        expect(textsOf(heard.events)).toEqual(["a", "b"]);
        expect(heard.failures).toEqual([]);
      });
    });
  });
}

/** Time may be taken from a coarser clock than this process's. */
const CLOCK_TOLERANCE_MS = 50;

function message(text: string, fields: { messageId?: string; room?: string; name?: string } = {}): Uint8Array {
  return encode({
    type: "message",
    ...NOT_YET_LOGGED,
    messageId: randomMessageId(),
    room: "lobby",
    name: "ada",
    text,
    ...fields,
  });
}

function left(name: string): Uint8Array {
  return encode({
    type: "left",
    ...NOT_YET_LOGGED,
    messageId: randomMessageId(),
    room: "lobby",
    name,
    reason: "quit",
  });
}

function direct(text: string, senderId: SessionId, addresseeId: SessionId): Uint8Array {
  const names = { name: "ada", to: "bo" };
  const messageId = randomMessageId();
  return encode({ type: "direct", ...NOT_YET_LOGGED, messageId, room: "", senderId, addresseeId, ...names, text });
}

/** A claimed name. */
async function held(roster: Roster, name: string): Promise<Lease> {
  const sessionId = randomSessionId();
  const outcome = await roster.claim({ name, sessionId });
  if (!outcome.claimed) throw new Error(`${name} could not be claimed`);
  return { sessionId, lease: outcome.lease };
}

function decodeAll(events: readonly Uint8Array[]): ChatEvent[] {
  return events.map((event) => decode(frameFrom(event)) as ChatEvent);
}

function textsOf(events: readonly Uint8Array[]): string[] {
  return decodeAll(events).map((event) => (event.type === "message" ? event.text : event.type));
}

function idsOf(events: readonly Uint8Array[]): string[] {
  return events.map(messageIdOf);
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** Each event but the first names the one before it. */
function expectUnbroken(events: readonly Uint8Array[]): void {
  for (let index = 1; index < events.length; index++) {
    const before = logFieldsOf(events[index - 1] as Uint8Array).position.seq;
    expect(logFieldsOf(events[index] as Uint8Array).prev).toBe(before);
  }
}

/** Appends until the first events are forgotten. */
async function overflow(log: RoomLog): Promise<{ oldest: Position; tail: Position }> {
  const sessionId = randomSessionId();
  for (let count = 0; count < SMALL_LOG_OVERFLOW; count++) {
    await log.append(sessionId, message("to fill the log, so that the first events are forgotten"));
  }
  return log.bounds();
}

interface Heard {
  readonly listener: LogListener;
  readonly events: Uint8Array[];
  /** Those given since the last loss. */
  readonly eventsAfterLoss: Uint8Array[];
  readonly losses: Position[];
  readonly failures: Error[];
  readonly last: Position | undefined;
  /** The most calls in one turn of the event loop. */
  readonly callsInOneTurn: number;
  until(condition: () => boolean): Promise<void>;
}

function listen(): Heard {
  const events: Uint8Array[] = [];
  const losses: Position[] = [];
  const failures: Error[] = [];
  let eventsAfterLoss: Uint8Array[] = [];
  let last: Position | undefined;
  let calls = 0;
  let callsInOneTurn = 0;
  let check: () => void = () => {};
  const called = (): void => {
    if (calls++ === 0) setImmediate(() => (calls = 0));
    callsInOneTurn = Math.max(callsInOneTurn, calls);
    check();
  };
  return {
    events,
    losses,
    failures,
    get eventsAfterLoss() {
      return eventsAfterLoss;
    },
    get last() {
      return last;
    },
    get callsInOneTurn() {
      return callsInOneTurn;
    },
    listener: {
      events(given, position) {
        events.push(...given);
        eventsAfterLoss.push(...given);
        last = position;
        called();
      },
      lost(from) {
        losses.push(from);
        eventsAfterLoss = [];
        called();
      },
      failed(error) {
        failures.push(error);
        called();
      },
    },
    until: (condition) =>
      new Promise((resolve) => {
        check = () => {
          if (condition()) resolve();
        };
        check();
      }),
  };
}
