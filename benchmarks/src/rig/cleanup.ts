/**
 * What must not outlive the run: child processes, and files that a killed child leaves (sockets, segments, pipes).
 *
 * - Whoever starts or names something registers it here and takes it back when it is gone.
 * - `releaseAll` is synchronous, so that a signal handler can finish it; it never throws.
 */

export type Release = () => void;

export class Cleanup {
  readonly #pending = new Set<Release>();

  /** @returns a function that forgets `release` without calling it */
  add(release: Release): () => void {
    this.#pending.add(release);
    return () => this.#pending.delete(release);
  }

  releaseAll(): void {
    // Newest first: files are registered before the processes that use them.
    for (const release of [...this.#pending].reverse()) {
      this.#pending.delete(release);
      try {
        release();
      } catch {
        // Gone already, or not ours to remove: nothing more can be done while ending.
      }
    }
  }
}
