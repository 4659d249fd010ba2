#!/usr/bin/env node
/** Entry of the command `shm`: says what to do under a Node that is too old, else hands over to `run.ts`. */

const OLDEST_NODE_MAJOR = 22;

if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE_MAJOR) {
  process.stderr.write(`shm: Node ${OLDEST_NODE_MAJOR} or newer is needed, this is ${process.version}\n`);
  process.exitCode = 1;
} else {
  // A reader that has seen enough (`shm tail x | head`) is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  const { run } = await import("./run.ts");
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  process.exitCode = await run(process.argv.slice(2), { stop: stop.signal });
}

export {};
