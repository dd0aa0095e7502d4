import { setTimeout as sleep } from "node:timers/promises";
import {
  create,
  type DescMessage,
  type DescService,
  type FileRegistry,
  type Message,
} from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import type { Code, ConnectRouter, HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { CODE_BY_REASON } from "../../../src/rpc/error-codes.ts";
import { ServiceError, type ErrorReason } from "../../../src/kernel/errors.ts";

const PACKAGE = "connectrpc.conformance.v1";

interface Header {
  readonly name: string;
  readonly value: string[];
}

/** A request of the runner, which says how to answer it. */
interface UnaryRequest extends Message {
  readonly responseDefinition?: {
    readonly responseHeaders: Header[];
    readonly responseTrailers: Header[];
    readonly responseDelayMs: number;
    readonly response:
      | { readonly case: "responseData"; readonly value: Uint8Array }
      | {
          readonly case: "error";
          readonly value: { readonly code: Code; readonly message?: string };
        }
      | { readonly case: undefined };
  };
}

/** As UnaryRequest, of a server stream. */
interface StreamRequest extends Message {
  readonly responseDefinition?: {
    readonly responseHeaders: Header[];
    readonly responseTrailers: Header[];
    readonly responseDelayMs: number;
    readonly responseData: Uint8Array[];
    readonly error?: { readonly code: Code; readonly message?: string };
  };
}

/**
 * The unary methods and the server stream of `connectrpc.conformance.v1.ConformanceService`. Errors are those of our
 * catalogue that have the code which is asked for.
 */
export function createConformanceService(registry: FileRegistry): {
  readonly service: DescService;
  readonly routes: (router: ConnectRouter) => void;
} {
  const service = registry.getService(`${PACKAGE}.ConformanceService`);
  if (service === undefined) throw new Error("the descriptors lack the ConformanceService");

  async function unary(request: UnaryRequest, context: HandlerContext) {
    const definition = request.responseDefinition;
    const { input, output } = context.method;
    addHeaders(definition, context);
    if (definition?.responseDelayMs) await sleep(definition.responseDelayMs);
    const response = definition?.response;
    if (response?.case === "error") throw errorOf(response.value);
    const data = response?.case === "responseData" ? response.value : new Uint8Array();
    return create(output, { payload: { data, requestInfo: infoOf(request, input, context) } });
  }

  async function* serverStream(request: StreamRequest, context: HandlerContext) {
    const definition = request.responseDefinition;
    const { input, output } = context.method;
    addHeaders(definition, context);
    for (const [i, data] of (definition?.responseData ?? []).entries()) {
      if (definition?.responseDelayMs) await sleep(definition.responseDelayMs);
      const requestInfo = i === 0 ? infoOf(request, input, context) : undefined;
      yield create(output, { payload: { data, requestInfo } });
    }
    if (definition?.error) throw errorOf(definition.error);
  }

  return {
    service,
    routes(router) {
      const implementation = { unary, idempotentUnary: unary, serverStream };
      router.service(service, implementation as unknown as Partial<ServiceImpl<DescService>>);
    },
  };
}

function addHeaders(
  definition:
    | { readonly responseHeaders: Header[]; readonly responseTrailers: Header[] }
    | undefined,
  context: HandlerContext,
): void {
  for (const { name, value } of definition?.responseHeaders ?? []) {
    for (const each of value) context.responseHeader.append(name, each);
  }
  for (const { name, value } of definition?.responseTrailers ?? []) {
    for (const each of value) context.responseTrailer.append(name, each);
  }
}

function infoOf(request: Message, input: DescMessage, context: HandlerContext) {
  const requestHeaders = [...context.requestHeader].map(([name, value]) => ({
    name,
    value: [value],
  }));
  const hasTimeout = requestHeaders.some(({ name }) =>
    /^(grpc-timeout|connect-timeout-ms)$/.test(name),
  );
  const timeoutMs = hasTimeout ? BigInt(Math.ceil(context.timeoutMs() ?? 0)) : undefined;
  const query = new URLSearchParams(context.url.split("?")[1]);
  const queryParams = [...query].map(([name, value]) => ({ name, value: [value] }));
  return {
    requestHeaders,
    timeoutMs,
    requests: [anyPack(input, request)],
    connectGetInfo: context.requestMethod === "GET" ? { queryParams } : undefined,
  };
}

function errorOf({ code, message }: { code: Code; message?: string }): ServiceError {
  const reasons = Object.keys(CODE_BY_REASON) as ErrorReason[];
  const reason = reasons.find((each) => CODE_BY_REASON[each] === code);
  if (reason === undefined) return new ServiceError("INTERNAL");
  return new ServiceError(reason, message === undefined ? {} : { message });
}
