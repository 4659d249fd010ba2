/**
 * Closes what a thread forgot to close when it exits in an orderly way. (A killed one is swept by others.)
 */

interface Closable {
  readonly closed: boolean;
  close(): void;
  onClose(hook: () => void): () => void;
}

const open = new Set<Closable>();
let installed = false;

export function closeOnExit(segment: Closable): void {
  open.add(segment);
  segment.onClose(() => open.delete(segment));
  if (installed) return;
  installed = true;
  process.on("exit", () => {
    for (const each of open) {
      try {
        each.close();
      } catch {
        // It holds the lock or its memory is damaged: others will find it dead.
      }
    }
  });
}
