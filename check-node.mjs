/**
 * Preloaded (`node --import`) in front of a TypeScript entry: an old Node can't even open one, and would say so with a
 * stack trace. Plain JavaScript of long ago, so that every Node can run it.
 *
 * It happens after `npm ci --ignore-scripts`, which leaves out the pinned Node, so that npm finds the machine's own.
 */

const NEEDED = [24, 12];

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  process.stderr.write(
    `Node ${NEEDED.join(".")} or newer is needed, this is ${process.version}. ` +
      "Run `npm ci` (without --ignore-scripts): it installs one that npm's scripts then use.\n",
  );
  process.exit(1);
}
