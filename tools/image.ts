// `npm run image` builds the container image with docker, podman or buildah, whichever is there.
// CONTAINER_ENGINE names one of them. Further arguments are the engine's:
// `npm run image -- --tag registry.example/payments:1`.
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const DOCKERFILE = "deploy/image/Dockerfile";
// Docker finds it by its name; health checks aren't in OCI's own format.
const OTHERS = ["build", "--format=docker", `--ignorefile=${DOCKERFILE}.dockerignore`];

/** How to build by the engines' names, in order of preference, and what shows that they work. */
const ENGINES = [
  { name: "docker", works: ["info"], build: ["build"] },
  { name: "podman", works: ["--version"], build: OTHERS },
  { name: "buildah", works: ["--version"], build: OTHERS },
];

const works = (name: string, args: readonly string[]) =>
  spawnSync(name, args, { stdio: "ignore" }).status === 0;

const chosen = process.env["CONTAINER_ENGINE"];
const engine = ENGINES.find(
  ({ name, works: args }) => (chosen ?? name) === name && works(name, args),
);
if (engine === undefined) {
  console.error("npm run image needs a running docker, or podman, or buildah: install one of them");
  process.exit(69);
}

const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
const isClone = works("git", ["rev-parse", "--verify", "HEAD"]);
const revision = isClone
  ? execFileSync("git", ["describe", "--always", "--abbrev=40", "--dirty"], { encoding: "utf8" })
  : "unknown";
const args = [
  ...engine.build,
  `--file=${DOCKERFILE}`,
  `--tag=instant-payment:${version}`,
  `--build-arg=VERSION=${version}`,
  `--build-arg=REVISION=${revision.trim()}`,
  ...process.argv.slice(2),
  ".",
];
process.exitCode = spawnSync(engine.name, args, { stdio: "inherit" }).status ?? 1;
