import { setTimeout as sleep } from "node:timers/promises";
import { run } from "./process-service.ts";
import type { Service } from "./service.ts";

/** A container and how to tell that it serves. */
export interface ServiceContainer {
  /** For messages: `redis`. */
  readonly name: string;
  readonly image: string;
  /** The same port inside and on 127.0.0.1. */
  readonly port: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** Arguments of the image's program. */
  readonly args?: readonly string[];
  /** Throws as long as it doesn't serve. */
  readonly probe: () => Promise<unknown>;
  readonly timeoutMs: number;
}

/** True if a Docker engine answers. */
export async function hasDocker(): Promise<boolean> {
  return run("docker", "info", "--format", "{{.ServerVersion}}").then(
    () => true,
    () => false,
  );
}

/** Starts the container; the image is pulled if it isn't there. */
export async function startContainer(container: ServiceContainer): Promise<Service> {
  const { name, image, port, environment = {}, args = [] } = container;
  const variables = Object.entries(environment).map(([key, value]) => `--env=${key}=${value}`);
  const publish = `--publish=127.0.0.1:${port}:${port}`;
  const id = (await run("docker", "run", "--detach", publish, ...variables, image, ...args)).trim();
  const docker = async (command: string) => void (await run("docker", command, id));
  const stop = async () => void (await run("docker", "rm", "--force", "--volumes", id));

  async function serving(): Promise<void> {
    const deadline = AbortSignal.timeout(container.timeoutMs);
    for (;;) {
      try {
        await container.probe();
        return;
      } catch (cause) {
        if (!deadline.aborted) {
          await sleep(100);
          continue;
        }
        await stop();
        throw new Error(`${name} (Docker image ${image}) didn't start`, { cause });
      }
    }
  }

  await serving();
  const source = `Docker image ${image}`;
  console.log(`${name}: ${source}`);
  return {
    source,
    stop,
    kill9: () => docker("kill"),
    async restart() {
      await docker("start");
      await serving();
    },
    pause: () => docker("pause"),
    resume: () => docker("unpause"),
  };
}
