/**
 * Counts what a receiver should never see: loss, duplicates, reordering, damage.
 *
 * - Sequence numbers start at 0 and rise by one; `finish` is told how many there were.
 * - A number skipped counts as lost until it comes after all: then it was reordered.
 * - A damaged frame counts as corrupted and, since nobody knows which it was, its number as lost.
 */

export interface IntegrityCounts {
  readonly received: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly corrupted: number;
}

/** Numbers remembered as missing: far past this the trial is invalid anyway. */
const MAX_REMEMBERED = 100_000;

export class IntegrityChecker {
  #next = 0;
  #received = 0;
  #lost = 0;
  #duplicated = 0;
  #reordered = 0;
  #corrupted = 0;
  readonly #missing = new Set<number>();

  /** The next number expected in order. */
  get next(): number {
    return this.#next;
  }

  /** An undamaged frame with this number arrived. */
  accept(sequence: number): void {
    this.#received++;
    if (sequence === this.#next) this.#next = sequence + 1;
    else this.#irregular(sequence);
  }

  damaged(): void {
    this.#corrupted++;
  }

  /** @param sent how many frames were sent in all */
  finish(sent: number): IntegrityCounts {
    const tail = Math.max(0, sent - this.#next);
    return {
      received: this.#received,
      lost: this.#lost + tail,
      duplicated: this.#duplicated,
      reordered: this.#reordered,
      corrupted: this.#corrupted,
    };
  }

  #irregular(sequence: number): void {
    if (sequence > this.#next) {
      this.#lost += sequence - this.#next;
      for (let s = this.#next; s < sequence && this.#missing.size < MAX_REMEMBERED; s++) this.#missing.add(s);
      this.#next = sequence + 1;
    } else if (this.#missing.delete(sequence)) {
      this.#lost--;
      this.#reordered++;
    } else this.#duplicated++;
  }
}
