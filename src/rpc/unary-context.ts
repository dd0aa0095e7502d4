import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { createContextValues, type ContextValues, type HandlerContext } from "@connectrpc/connect";
import type { Call } from "../kernel/call.ts";
import type { Clock } from "../kernel/clock.ts";
import { callKey } from "./call.ts";
import type { HttpHeaders, HttpRequest, HttpResponse } from "./http.ts";

/** What a UnaryContext is made from. */
export interface UnaryContextInit {
  readonly method: DescMethod;
  readonly protocolName: string;
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  /** Undefined for a method that needs no key. */
  readonly call: Call | undefined;
  /** On the monotonic clock, in milliseconds. */
  readonly deadlineMs: number;
  readonly clock: Clock;
}

/**
 * What a unary implementation is given besides its request. Headers and the signal are made when
 * they are first asked for, since most calls never do.
 */
export class UnaryContext implements HandlerContext {
  readonly values: ContextValues = createContextValues();
  readonly #init: UnaryContextInit;
  #signal: AbortSignal | undefined;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;

  constructor(init: UnaryContextInit) {
    this.#init = init;
    if (init.call !== undefined) this.values.set(callKey, init.call);
  }

  get method(): DescMethod {
    return this.#init.method;
  }

  get service(): DescService {
    return this.#init.method.parent;
  }

  get protocolName(): string {
    return this.#init.protocolName;
  }

  get requestMethod(): string {
    return this.#init.request.method ?? "POST";
  }

  get url(): string {
    return this.#init.request.url ?? "";
  }

  get requestHeader(): Headers {
    return (this.#requestHeader ??= toHeaders(this.#init.request));
  }

  get responseHeader(): Headers {
    return (this.#responseHeader ??= new Headers());
  }

  get responseTrailer(): Headers {
    return (this.#responseTrailer ??= new Headers());
  }

  /** The trailers that the implementation asked for; undefined if it never did. */
  get trailers(): Headers | undefined {
    return this.#responseTrailer;
  }

  /** Aborted when the caller hangs up or an answer was sent, as after the deadline. */
  get signal(): AbortSignal {
    if (this.#signal !== undefined) return this.#signal;
    const { response } = this.#init;
    const controller = new AbortController();
    if (response.writableEnded) controller.abort();
    else response.once("close", () => controller.abort());
    return (this.#signal = controller.signal);
  }

  readonly timeoutMs = (): number => this.#init.deadlineMs - this.#init.clock.monotonicMs();

  /** Adds what the implementation put into the headers of its answer. */
  addHeadersTo(headers: HttpHeaders): void {
    this.#responseHeader?.forEach((value, name) => (headers[name] = value));
  }
}

function toHeaders(request: HttpRequest): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (!name.startsWith(":") && value !== undefined) headers.set(name, String(value));
  }
  return headers;
}
