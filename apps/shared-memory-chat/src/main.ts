/** The shared-memory chat's entry: says what to do under a Node that can't run it, else hands over to `cli.ts`. */

const OLDEST_NODE_MAJOR = 24;
const NODE_26_HINT =
  "Run it through npm or npx (`npm run -s writer`, `npx nx run shared-memory-chat:writer`), which use the pinned Node 26; " +
  "`npm ci` without --ignore-scripts installs it.";

if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE_MAJOR) {
  process.stderr.write(
    `error: shared-memory-chat needs Node ${OLDEST_NODE_MAJOR} or later, this is ${process.version}. ${NODE_26_HINT}\n`,
  );
  process.exitCode = 1;
} else {
  const { run } = await import("./cli.ts");
  process.exitCode = await run(process.argv.slice(2));
}
