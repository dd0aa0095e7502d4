// The server under test of Connect's conformance runner: its service behind our edge. The runner
// starts it with the descriptors' file as argument and talks to it over standard input and output.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  create,
  createFileRegistry,
  fromBinary,
  toBinary,
  type DescMessage,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createLogger } from "../../../src/platform/logger.ts";
import { createRpcServer } from "../../../src/rpc/server.ts";
import { createConformanceService } from "./service.ts";

/** What of the runner's messages is read here. */
interface CompatRequest {
  readonly useTls: boolean;
  readonly messageReceiveLimit: number;
  readonly serverCreds?: { readonly cert: Uint8Array; readonly key: Uint8Array };
}

const LARGEST_BYTES = 16 * 1024 * 1024;

const [, , descriptors = ""] = process.argv;
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));
const { useTls, messageReceiveLimit, serverCreds } = fromBinary(
  message("ServerCompatRequest"),
  readFileSync(0).subarray(4),
) as unknown as CompatRequest;

const folder = mkdtempSync(join(tmpdir(), "conformance-"));
const files = { certFile: join(folder, "cert.pem"), keyFile: join(folder, "key.pem") };
if (useTls && serverCreds !== undefined) {
  writeFileSync(files.certFile, serverCreds.cert);
  writeFileSync(files.keyFile, serverCreds.key);
}
const { service, routes } = createConformanceService(registry);
const server = createRpcServer({
  host: "127.0.0.1",
  port: 0,
  tls: useTls ? files : undefined,
  authenticate: () => Promise.resolve({ ownerId: "anybody", scopes: new Set(["admin"]) }),
  scopeOf: () => "admin",
  services: [service],
  routes,
  isReady: () => true,
  logger: createLogger("silent"),
  limits: { maxBodyBytes: messageReceiveLimit || LARGEST_BYTES },
});
const { host, port } = await server.start();
const schema = message("ServerCompatResponse");
const answer = toBinary(schema, create(schema, { host, port, pemCert: serverCreds?.cert }));
const length = Buffer.alloc(4);
length.writeUInt32BE(answer.length);
process.stdout.write(Buffer.concat([length, answer]));
process.once("SIGTERM", () => {
  rmSync(folder, { recursive: true });
  void server.close(0);
});

function message(name: string): DescMessage {
  const found = registry.getMessage(`connectrpc.conformance.v1.${name}`);
  if (found === undefined) throw new Error(`${descriptors} has no ${name}`);
  return found;
}
