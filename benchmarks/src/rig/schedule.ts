/**
 * Decides what the remaining time is spent on.
 *
 * - A block runs every wanted cell of every contender once. Before each block the cost of a block is estimated from what
 *   trials have really taken, and cells are left out of it until the remaining blocks fit: highest rank first, rank 0 never.
 * - When only rank 0 is left and still doesn't fit, the measured parts get shorter, never below half.
 * - A cell left out of one block can be back in the next, and after the last one blocks are added for what fell short.
 */

export interface ScheduledCell {
  /** Unique; for a reader. */
  readonly key: string;
  readonly scenario: string;
  readonly rank: number;
  readonly costMs: number;
  /** Contenders that run it. */
  readonly contenders: readonly string[];
}

export interface BlockPlan {
  readonly cells: ReadonlySet<string>;
  /** Factor on measured times. */
  readonly scale: number;
  /** What the block should take. */
  readonly estimateMs: number;
}

const MIN_SCALE = 0.5;
const SCALE_STEP = 0.1;
/** Weight of the newest trial in the running estimate of what starting a trial costs. */
const NEWEST_WEIGHT = 0.2;

export class Schedule {
  readonly #cells: readonly ScheduledCell[];
  readonly #overheadMs: Map<string, number>;
  readonly #perBlockMs: number;

  /** @param overheadMs scenario → first guess of what a trial takes beyond its cells; @param perBlockMs noise probes */
  constructor(cells: readonly ScheduledCell[], overheadMs: ReadonlyMap<string, number>, perBlockMs: number) {
    this.#cells = cells;
    this.#overheadMs = new Map(overheadMs);
    this.#perBlockMs = perBlockMs;
  }

  /** A trial of `scenario` took `tookMs`, of which `cellsMs` were planned for its cells. */
  observe(scenario: string, tookMs: number, cellsMs: number): void {
    const before = this.#overheadMs.get(scenario) ?? tookMs - cellsMs;
    const now = Math.max(0, tookMs - cellsMs);
    this.#overheadMs.set(scenario, before + NEWEST_WEIGHT * (now - before));
  }

  /**
   * What of `wanted` (keys of cells) is run in the next of `blocksLeft` blocks. Time for one block is always taken, were
   * it only for rank 0.
   */
  planBlock(remainingMs: number, blocksLeft: number, wanted: ReadonlySet<string>): BlockPlan {
    const cells = this.#cells.filter((cell) => wanted.has(cell.key)).sort((a, b) => a.rank - b.rank);
    const eachMs = remainingMs / blocksLeft;
    while (this.#estimateMs(cells, 1) > eachMs && (cells.at(-1)?.rank ?? 0) > 0) cells.pop();
    let scale = 1;
    while (scale > MIN_SCALE && this.#estimateMs(cells, scale) > eachMs)
      scale = Math.max(MIN_SCALE, scale - SCALE_STEP);
    return { cells: new Set(cells.map((cell) => cell.key)), scale, estimateMs: this.#estimateMs(cells, scale) };
  }

  /** What one block of these cells takes. */
  #estimateMs(cells: readonly ScheduledCell[], scale: number): number {
    let total = this.#perBlockMs;
    for (const [scenario, own] of Map.groupBy(cells, (cell) => cell.scenario)) {
      const contenders = new Set(own.flatMap((cell) => cell.contenders));
      total += contenders.size * (this.#overheadMs.get(scenario) ?? 0);
      for (const cell of own) total += cell.contenders.length * cell.costMs * scale;
    }
    return total;
  }
}
