import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { cached } from "../services/service.ts";

const run = promisify(execFile);
const VERSION = "v1.9.4";

/** What a run of grpcurl printed, and how it ended. */
export interface GrpcurlResult {
  readonly code: number;
  readonly output: string;
}

/** Builds grpcurl once, into `.cache/`, and returns its path. Throws in one line without Go. */
export async function installGrpcurl(): Promise<string> {
  const folder = await cached(`grpcurl-${VERSION}`, async (unfinished) => {
    const target = `github.com/fullstorydev/grpcurl/cmd/grpcurl@${VERSION}`;
    const env = { ...process.env, GOBIN: unfinished };
    await run("go", ["install", target], { env }).catch((cause) => {
      throw new Error("grpcurl can't be built: Go 1.24 or newer is needed", { cause });
    });
  });
  return resolve(folder, "grpcurl");
}

/** Runs grpcurl without TLS. */
export async function grpcurl(path: string, args: readonly string[]): Promise<GrpcurlResult> {
  return await run(path, ["-plaintext", ...args], { timeout: 20_000 }).then(
    ({ stdout }) => ({ code: 0, output: stdout }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
      code,
      output: stdout + stderr,
    }),
  );
}
