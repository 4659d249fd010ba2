import fc from "fast-check";
import { expect, test } from "vitest";
import { RoomHistory } from "../src/room-history.ts";

const retention = { messagesAStream: 5, bytesAStream: 100, bytesInAll: 150 };

test("keeps what its limits allow, of each stream and of all, and knows what is whole", () => {
  const added = fc.array(fc.record({ stream: fc.constantFrom("a", "b", "c"), size: fc.integer({ min: 1, max: 60 }) }), {
    maxLength: 60,
  });
  fc.assert(
    fc.property(added, fc.integer({ min: 0, max: 60 }), (entries, after) => {
      const history = new RoomHistory<number>(retention);
      // The plain way: everything, and what falls out of it.
      let kept: { stream: string; seq: number; size: number }[] = [];
      for (const [index, { stream, size }] of entries.entries()) {
        const seq = index + 1;
        history.add(stream, seq, size, seq);
        kept.push({ stream, seq, size });
        const own = (): typeof kept => kept.filter((entry) => entry.stream === stream);
        const bytes = (list: typeof kept): number => list.reduce((sum, entry) => sum + entry.size, 0);
        while (own().length > retention.messagesAStream || bytes(own()) > retention.bytesAStream) {
          const oldest = own()[0];
          kept = kept.filter((entry) => entry !== oldest);
        }
        while (bytes(kept) > retention.bytesInAll) kept.shift();
      }
      expect(history.size).toBe(kept.length);
      for (const stream of ["a", "b", "c"]) {
        const seqs = kept.filter((entry) => entry.stream === stream).map(({ seq }) => seq);
        const { items, isWhole } = history.since(stream, after);
        expect(items).toEqual(seqs.filter((seq) => seq > after));
        const missing = entries.some((entry, index) => {
          const seq = index + 1;
          return entry.stream === stream && seq > after && !seqs.includes(seq);
        });
        // Never said to be whole when it isn't; it may be said to be incomplete when nothing of the stream is left.
        if (missing) expect(isWhole).toBe(false);
        else if (seqs.length > 0 && (seqs[0] as number) <= after) expect(isWhole).toBe(true);
        expect(history.before(stream, after, 3, 1000).items).toEqual(seqs.filter((seq) => seq < after).slice(-3));
      }
    }),
    { numRuns: 500 },
  );
});
