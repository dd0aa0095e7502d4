import type { DescField, DescMethodUnary, DescService, Registry } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import {
  createMethodImplSpec,
  createServiceImplSpec,
  type ConnectRouter,
  type MethodImplSpec,
} from "@connectrpc/connect";
import type { MethodLimits, RpcLimits } from "./limits.ts";
import { createMessageParser, type ParseMessage } from "./request-message.ts";
import { idempotencyFieldOf } from "./request-rules.ts";

type Implementation<Kind extends MethodImplSpec["kind"]> = Extract<MethodImplSpec, { kind: Kind }>;

/** A unary method that is served, with all that is fixed about it. */
export interface UnaryMethod {
  /** `package.Service/Method`, for logs and metrics. */
  readonly name: string;
  readonly desc: DescMethodUnary;
  readonly parse: ParseMessage;
  readonly implementation: Implementation<"unary">["impl"];
  readonly limits: MethodLimits;
  /** It needs no key. */
  readonly isPublic: boolean;
  /** It changes nothing, so Connect serves it by GET too. */
  readonly allowsGet: boolean;
  readonly idempotencyField: DescField | undefined;
}

/** Everything that is served: unary methods by their path, and the streaming ones. */
export interface MethodTable {
  readonly unary: ReadonlyMap<string, UnaryMethod>;
  readonly streams: readonly MethodImplSpec[];
}

/**
 * Collects what `routes` registers. A method that a service leaves out answers UNIMPLEMENTED.
 * Services whose name is in `publicServices` need no key. `types` are those that JSON may carry in
 * a `google.protobuf.Any`.
 */
export function createMethodTable(
  routes: (router: ConnectRouter) => void,
  publicServices: readonly DescService[],
  limits: RpcLimits,
  types: Registry,
): MethodTable {
  const unary = new Map<string, UnaryMethod>();
  const streams: MethodImplSpec[] = [];
  const add = (spec: MethodImplSpec): void => {
    if (spec.kind !== "unary") {
      streams.push(spec);
      return;
    }
    const name = `${spec.method.parent.typeName}/${spec.method.name}`;
    unary.set(`/${name}`, {
      name,
      desc: spec.method,
      parse: createMessageParser(spec.method.input, types),
      implementation: spec.impl,
      limits: { ...limits, ...limits.methods[name] },
      isPublic: publicServices.includes(spec.method.parent),
      allowsGet: spec.method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS,
      idempotencyField: idempotencyFieldOf(spec.method.input),
    });
  };
  const router: ConnectRouter = {
    handlers: [],
    service: (service, implementation) => {
      Object.values(createServiceImplSpec(service, implementation).methods).forEach(add);
      return router;
    },
    rpc: (method, implementation) => {
      add(createMethodImplSpec(method, implementation));
      return router;
    },
  };
  routes(router);
  return { unary, streams };
}
