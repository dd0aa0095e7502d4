import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { aptProgram } from "./apt.ts";

/** Podman with images and containers of its own, which runs as root and without systemd. */
export interface Podman {
  /** For other programs that build images there. */
  readonly environment: Readonly<Record<string, string>>;
  /** Runs it to the end. */
  readonly run: (...args: string[]) => Promise<Ran>;
  /** As `run`, what it printed; throws if it fails. */
  readonly output: (...args: string[]) => Promise<string>;
  /** Ends its containers and removes all. */
  readonly remove: () => Promise<void>;
}

/** How a run ended. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Makes one; apt-get installs podman if it isn't there. Throws, in one line, if it can't be had. */
export async function openPodman(): Promise<Podman> {
  if (process.getuid?.() !== 0) throw new Error("podman is used as root here: run this as root");
  const podman = await aptProgram({
    title: "podman",
    names: ["podman"],
    packages: ["podman", "runc"],
  });
  const folder = mkdtempSync(join(tmpdir(), "podman-"));
  const storage = `[storage]
driver = "overlay"
graphroot = "${folder}/images"
runroot = "${folder}/run"
`;
  const containers = `[containers]
netns = "host"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
`;
  const files = { storage: join(folder, "storage.conf"), engine: join(folder, "containers.conf") };
  writeFileSync(files.storage, storage);
  writeFileSync(files.engine, containers);
  const environment = {
    CONTAINERS_STORAGE_CONF: files.storage,
    CONTAINERS_CONF: files.engine,
    BUILDAH_ISOLATION: "chroot",
  };

  const env = { ...process.env, ...environment };
  const run = (...args: string[]) =>
    new Promise<Ran>((resolve) => {
      const child = execFile(podman, args, { env, maxBuffer: 2 ** 24 }, (_, stdout, all) => {
        // Without systemd nobody runs the health checks but the tests.
        const stderr = all.replaceAll(/^time=.*healthcheck.*\n/gm, "");
        resolve({ code: child.exitCode, stdout, stderr });
      });
    });

  async function output(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await run(...args);
    if (code !== 0) throw new Error(`podman ${args.join(" ")}: ${stderr.trim()}`);
    return stdout.trim();
  }

  return {
    environment,
    run,
    output,
    async remove() {
      await run("rm", "--all", "--force", "--time=0");
      await run("unmount", "--all", "--force");
      await run("rmi", "--all", "--force");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
