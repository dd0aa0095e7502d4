import { chmod, cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** As .gitignore has it: what a clone doesn't bring. */
const NOT_CLONED =
  /^(\.git|node_modules|\.data|\.cache|coverage|dist|.*\.tgz|.*\.log)$|\/sdk\/LICENSE$/;

/** The project as somebody has it who has just cloned it, in a folder of its own. */
export interface Checkout {
  readonly folder: string;
  /** Removes it and what is beside it. */
  remove(): Promise<void>;
}

/** Copies the working tree, as it is and without what is installed or made. */
export async function cloneWorkingTree(): Promise<Checkout> {
  const parent = await mkdtemp(join(tmpdir(), "instant-payment-clone-"));
  // For the user that the embedded PostgreSQL runs as.
  await chmod(parent, 0o711);
  const folder = join(parent, "instant-payment-api");
  await mkdir(folder);
  await cp(ROOT, folder, {
    recursive: true,
    filter: (path) => !NOT_CLONED.test(basename(path)) && !NOT_CLONED.test(path),
  });
  return { folder, remove: () => rm(parent, { recursive: true }) };
}
