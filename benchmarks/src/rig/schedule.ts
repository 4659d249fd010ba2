/**
 * Decides what the remaining time is spent on.
 *
 * - A block runs every wanted cell of every contender once. Before each block the cost of a block is estimated from what
 *   trials have really taken, and cells are given up until the remaining blocks fit: highest rank first, rank 0 never.
 * - When only rank 0 is left and still doesn't fit, the measured parts get shorter, never below half.
 * - What is given up stays given up, and is named.
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
  /** Cells given up just now. */
  readonly dropped: readonly string[];
  readonly estimateMs: number;
}

const MIN_SCALE = 0.5;
/** Weight of the newest trial in the running estimate of what starting a trial costs. */
const NEWEST_WEIGHT = 0.2;

export class Schedule {
  readonly #cells: readonly ScheduledCell[];
  readonly #overheadMs: Map<string, number>;
  readonly #perBlockMs: number;
  #wanted: Set<string>;

  /** @param overheadMs scenario → first guess of what a trial takes beyond its cells; @param perBlockMs noise probes */
  constructor(cells: readonly ScheduledCell[], overheadMs: ReadonlyMap<string, number>, perBlockMs: number) {
    this.#cells = cells;
    this.#overheadMs = new Map(overheadMs);
    this.#perBlockMs = perBlockMs;
    this.#wanted = new Set(cells.map((cell) => cell.key));
  }

  /** A trial of `scenario` took `tookMs`, of which `cellsMs` were planned for its cells. */
  observe(scenario: string, tookMs: number, cellsMs: number): void {
    const before = this.#overheadMs.get(scenario) ?? tookMs - cellsMs;
    const now = Math.max(0, tookMs - cellsMs);
    this.#overheadMs.set(scenario, before + NEWEST_WEIGHT * (now - before));
  }

  /** What `blocks` blocks of the cells still wanted take. */
  estimateMs(blocks: number, scale = 1): number {
    let total = this.#perBlockMs;
    for (const [scenario, cells] of Map.groupBy(this.#active(), (cell) => cell.scenario)) {
      const contenders = new Set(cells.flatMap((cell) => cell.contenders));
      total += contenders.size * (this.#overheadMs.get(scenario) ?? 0);
      for (const cell of cells) total += cell.contenders.length * cell.costMs * scale;
    }
    return total * blocks;
  }

  planBlock(remainingMs: number, blocksLeft: number): BlockPlan {
    const dropped: string[] = [];
    while (this.estimateMs(blocksLeft) > remainingMs) {
      const next = this.#active()
        .filter((cell) => cell.rank > 0)
        .sort((a, b) => b.rank - a.rank)[0];
      if (next === undefined) break;
      this.#wanted.delete(next.key);
      dropped.push(next.key);
    }
    let scale = 1;
    while (scale > MIN_SCALE && this.estimateMs(blocksLeft, scale) > remainingMs) scale -= 0.1;
    scale = Math.max(MIN_SCALE, scale);
    return { cells: new Set(this.#wanted), scale, dropped, estimateMs: this.estimateMs(blocksLeft, scale) };
  }

  #active(): ScheduledCell[] {
    return this.#cells.filter((cell) => this.#wanted.has(cell.key));
  }
}
