/** Runs once before all tests: stops on a Node that can't run the project's TypeScript. */
export default function setup(): void {
  const version = process.versions.node;
  if (Number.parseInt(version, 10) < 24) {
    throw new Error(
      `Node ${version} is too old: use Node 24, or "npm test", which brings its own.`,
    );
  }
}
