import type {
  DescField,
  DescMethod,
  DescMethodUnary,
  DescService,
  Registry,
} from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import {
  createMethodImplSpec,
  createServiceImplSpec,
  type ConnectRouter,
  type MethodImplSpec,
} from "@connectrpc/connect";
import type { Scope } from "../kernel/principal.ts";
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
  /** What the caller's key must allow; undefined: it needs no key. */
  readonly scope: Scope | undefined;
  /** It changes nothing, so Connect serves it by GET too. */
  readonly allowsGet: boolean;
  readonly idempotencyField: DescField | undefined;
}

/** Everything that is served: unary methods by their path, and the streaming ones. */
export interface MethodTable {
  readonly unary: ReadonlyMap<string, UnaryMethod>;
  readonly streams: readonly StreamMethod[];
}

/** A streaming method that is served. */
export interface StreamMethod {
  readonly spec: MethodImplSpec;
  /** What the caller's key must allow; undefined: it needs no key. */
  readonly scope: Scope | undefined;
}

/** What a method needs. Throws for a method that doesn't say. */
export type ScopeOf = (method: DescMethod) => Scope;

/** What the table is made with. */
export interface MethodTableOptions {
  readonly publicServices: readonly DescService[];
  readonly scopeOf: ScopeOf;
  readonly limits: RpcLimits;
  readonly types: Registry;
}

/**
 * Collects what `routes` registers. A method that a service leaves out answers UNIMPLEMENTED.
 * Those of `publicServices` need no key, any other one needs the scope of `scopeOf`, which throws
 * if there is none. `types` are those that JSON may carry in a `google.protobuf.Any`.
 */
export function createMethodTable(
  routes: (router: ConnectRouter) => void,
  { publicServices, scopeOf, limits, types }: MethodTableOptions,
): MethodTable {
  const unary = new Map<string, UnaryMethod>();
  const streams: StreamMethod[] = [];
  const add = (spec: MethodImplSpec): void => {
    const isPublic = publicServices.includes(spec.method.parent);
    const scope = isPublic ? undefined : scopeOf(spec.method);
    if (spec.kind !== "unary") {
      streams.push({ spec, scope });
      return;
    }
    const name = `${spec.method.parent.typeName}/${spec.method.name}`;
    unary.set(`/${name}`, {
      name,
      desc: spec.method,
      parse: createMessageParser(spec.method.input, types),
      implementation: spec.impl,
      limits: { ...limits, ...limits.methods[name] },
      scope,
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
