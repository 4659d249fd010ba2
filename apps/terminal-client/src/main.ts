/** Starts the terminal client, once it is known that this Node can run it. Nothing here may need a newer one to be parsed. */

const NEEDED = [24, 12] as const;

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  process.stderr.write(
    `chat: needs Node ${NEEDED.join(".")} or newer, this is ${process.version}. ` +
      "`npm ci` in the repository installs one that `npm run chat` uses.\n",
  );
  process.exitCode = 1;
} else {
  const { main } = await import("./cli.ts");
  process.exitCode = await main(process.argv);
}
