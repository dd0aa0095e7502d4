import { toBinary, type DescFile, type DescService } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter } from "@connectrpc/connect";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.ts";
import {
  ServerReflection,
  type ServerReflectionRequest,
} from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";

/** The services that tell tools like grpcurl what is served: the same in two versions. */
export const REFLECTION_SERVICES: readonly DescService[] = [
  ServerReflection,
  ServerReflectionAlpha,
];

type Question = ServerReflectionRequest["messageRequest"];

interface Index {
  readonly services: readonly DescService[];
  readonly files: ReadonlyMap<string, DescFile>;
  /** Messages, enums, services, methods and extensions by their full name. */
  readonly symbols: ReadonlyMap<string, DescFile>;
  /** Extensions by the type they extend and their number there. */
  readonly extensions: ReadonlyMap<string, ReadonlyMap<number, DescFile>>;
}

/** Registers reflection for the services, in versions v1 and v1alpha. */
export function registerReflection(router: ConnectRouter, services: readonly DescService[]): void {
  const index = createIndex(services);
  router.service(ServerReflection, {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) {
        const messageResponse = answer(index, request.messageRequest);
        yield { validHost: request.host, originalRequest: request, messageResponse };
      }
    },
  });
  router.service(ServerReflectionAlpha, {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) {
        // v1 is v1alpha under another name, message by message.
        const messageResponse = answer(index, request.messageRequest as Question);
        yield { validHost: request.host, originalRequest: request, messageResponse };
      }
    },
  });
}

function answer(index: Index, question: Question) {
  switch (question.case) {
    case "listServices": {
      const service = index.services.map(({ typeName }) => ({ name: typeName }));
      return { case: "listServicesResponse" as const, value: { service } };
    }
    case "fileByFilename":
      return file(index.files.get(question.value));
    case "fileContainingSymbol":
      return file(index.symbols.get(question.value));
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = question.value;
      return file(index.extensions.get(containingType)?.get(extensionNumber));
    }
    case "allExtensionNumbersOfType": {
      const extensionNumber = [...(index.extensions.get(question.value)?.keys() ?? [])];
      const value = { baseTypeName: question.value, extensionNumber };
      return { case: "allExtensionNumbersResponse" as const, value };
    }
    default:
      return failure(Code.InvalidArgument, "no question");
  }
}

/** The file with all that it imports: some clients don't ask for imports themselves. */
function file(found: DescFile | undefined) {
  if (found === undefined) return failure(Code.NotFound, "not found");
  const files = new Map<string, DescFile>();
  addFile(files, found);
  const fileDescriptorProto = [...files.values()].map((each) =>
    toBinary(FileDescriptorProtoSchema, each.proto),
  );
  return { case: "fileDescriptorResponse" as const, value: { fileDescriptorProto } };
}

function failure(errorCode: Code, errorMessage: string) {
  return { case: "errorResponse" as const, value: { errorCode, errorMessage } };
}

function createIndex(services: readonly DescService[]): Index {
  const files = new Map<string, DescFile>();
  for (const service of services) addFile(files, service.file);
  // So that tools can show the details of errors.
  addFile(files, file_google_rpc_error_details);
  const symbols = new Map<string, DescFile>();
  const extensions = new Map<string, Map<number, DescFile>>();
  for (const desc of files.values()) {
    for (const type of nestedTypes(desc)) {
      symbols.set(type.typeName, desc);
      if (type.kind === "service") {
        for (const { name } of type.methods) symbols.set(`${type.typeName}.${name}`, desc);
      }
      if (type.kind === "extension") {
        const { typeName } = type.extendee;
        const numbers = extensions.get(typeName) ?? new Map<number, DescFile>();
        extensions.set(typeName, numbers.set(type.number, desc));
      }
    }
  }
  return { services, files, symbols, extensions };
}

function addFile(files: Map<string, DescFile>, desc: DescFile): void {
  if (files.has(desc.proto.name)) return;
  files.set(desc.proto.name, desc);
  for (const dependency of desc.dependencies) addFile(files, dependency);
}
