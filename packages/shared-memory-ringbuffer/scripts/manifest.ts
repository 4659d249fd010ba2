/**
 * The package.json that is published, made from the one of the workspace.
 *
 * - In the workspace `exports` leads to the sources, so that nothing has to be built while developing. Node strips no
 *   types under node_modules, so what is published needs JavaScript; npm doesn't apply `publishConfig.exports`.
 * - Paths are those of the folder that `build.ts` fills: the package's root there is `dist/package` here.
 */

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly [field: string]: unknown;
}

/** What only development needs. */
const LEFT_OUT: readonly string[] = ["private", "scripts", "devDependencies", "nx", "exports", "bin", "files"];

/** The manifest to publish. An exact dependency becomes a compatible range, so that an application has it only once. */
export function publishedManifest(source: Manifest): Manifest {
  const kept = Object.entries(source).filter(([field]) => !LEFT_OUT.includes(field));
  const dependencies = Object.fromEntries(
    Object.entries(source.dependencies as Record<string, string>).map(([name, version]) => [name, `^${version}`]),
  );
  return {
    ...(Object.fromEntries(kept) as unknown as Manifest),
    // `default` as well, so that CommonJS can require it where Node allows that (22.12 and later).
    exports: {
      ".": { types: "./dist/index.d.ts", import: "./dist/index.js", default: "./dist/index.js" },
      "./package.json": "./package.json",
    },
    types: "./dist/index.d.ts",
    bin: { shm: "dist/cli/main.js" },
    files: ["dist", "docs"],
    dependencies,
  };
}
