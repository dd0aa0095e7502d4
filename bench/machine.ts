import { open, rm } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { spreadOf } from "./measurement.ts";

/** What kind of machine it was, without saying which. */
export interface Machine {
  readonly cores: number;
  readonly memoryGiB: number;
  /** The median time that the disk takes to keep 8 KiB for good, in milliseconds. */
  readonly fdatasyncMs: number;
}

const WRITES = 100;

/** Looks at the machine; tries its disk with a file of its own in `directory`. */
export async function describeMachine(directory: string): Promise<Machine> {
  const path = join(directory, `fdatasync-${process.pid}`);
  const file = await open(path, "w");
  const times: number[] = [];
  try {
    for (let i = 0; i < WRITES; i++) {
      await file.write(Buffer.alloc(8192, i), 0, 8192, 0);
      const start = performance.now();
      await file.datasync();
      times.push(performance.now() - start);
    }
  } finally {
    await file.close();
    await rm(path);
  }
  return {
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    fdatasyncMs: spreadOf(times).median,
  };
}
