import { globSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { GenFile } from "@bufbuild/protobuf/codegenv2";

const isFile = (value: unknown): value is GenFile =>
  typeof value === "object" && value !== null && "kind" in value && value.kind === "file";

/** Every file of the contract, as the generated code describes it, used or not. */
export async function contractFiles(): Promise<GenFile[]> {
  const modules = await Promise.all(
    globSync("gen/instantpayment/v1/*_pb.ts").map(
      (path): Promise<object> => import(pathToFileURL(path).href),
    ),
  );
  return modules.flatMap((module) => Object.values(module).filter((value) => isFile(value)));
}
