import { globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { run } from "../services/process-service.ts";
import { cached, findProgram } from "../services/service.ts";

const REQUIREMENTS = [
  "grpcio==1.85.1",
  "grpcio-tools==1.85.1",
  "protobuf==7.36.2",
  "typing_extensions==4.16.0",
];
const SCRIPT = resolve("test/support/clients/pay.py");

/** Python with grpcio, and modules generated from the protos. */
export interface PythonClient {
  /** Runs `pay.py` with these arguments and returns what it printed. */
  readonly pay: (...args: string[]) => Promise<string>;
  readonly remove: () => void;
}

/**
 * Installs grpcio once, into `.cache`, and generates a client from `proto/` in a folder of its
 * own. Throws in one line without Python.
 */
export async function createPythonClient(): Promise<PythonClient> {
  const python = join(await cached("python-grpcio-1.85.1", installGrpcio), "bin/python");
  const folder = mkdtempSync(join(tmpdir(), "python-client-"));
  const remove = () => rmSync(folder, { recursive: true });
  try {
    const own = globSync("instantpayment/v1/*.proto", { cwd: "proto" });
    const protos = [...own, "buf/validate/validate.proto"];
    const include = ["-Iproto", "-Iproto/vendor"];
    const out = [`--python_out=${folder}`, `--grpc_python_out=${folder}`];
    await run(python, "-m", "grpc_tools.protoc", ...include, ...out, ...protos);
  } catch (error) {
    remove();
    throw error;
  }
  return { pay: (...args) => run(python, SCRIPT, folder, ...args), remove };
}

async function installGrpcio(folder: string): Promise<void> {
  const python = findProgram("python3");
  if (!python) throw new Error("Python is missing: install python3 (3.10 or newer) with venv");
  await run(python, "-m", "venv", folder);
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
  await run(join(folder, "bin/python"), ...pip, "--only-binary=:all:", ...REQUIREMENTS);
}
