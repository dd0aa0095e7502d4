import { create, createFileRegistry, type DescFile } from "@bufbuild/protobuf";
import {
  CodeGeneratorResponse_Feature,
  CodeGeneratorResponseSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { runNodeJs } from "@bufbuild/protoplugin";
import { openApiDocument } from "./document.ts";

// A plugin for `buf generate` that writes the contract as OpenAPI 3.1. It must not import from
// gen/, or nothing could be generated where gen/ is missing or broken.
runNodeJs({
  name: "protoc-gen-openapi",
  version: "1",
  run(request) {
    const set = create(FileDescriptorSetSchema, { file: request.protoFile });
    const registry = createFileRegistry(set);
    const files = request.fileToGenerate.map((name) => registry.getFile(name) as DescFile);
    return create(CodeGeneratorResponseSchema, {
      supportedFeatures: BigInt(CodeGeneratorResponse_Feature.PROTO3_OPTIONAL),
      file: [
        {
          name: "openapi.json",
          content: `${JSON.stringify(openApiDocument(files, registry), null, 2)}\n`,
        },
      ],
    });
  },
});
