import {
  fromBinary,
  toBinary,
  toJsonString,
  type DescMessage,
  type Message,
} from "@bufbuild/protobuf";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { sendHttp1, sendHttp2, type HttpAnswer } from "./http-exchange.ts";

/** One way to make a unary call. */
export interface Protocol {
  readonly name: string;
  readonly isJson: boolean;
  readonly isHttp2: boolean;
  readonly contentType: string;
}

/** The ways that every behaviour is tried in. */
export const PROTOCOLS: readonly Protocol[] = [
  { name: "Connect JSON h1", isJson: true, isHttp2: false, contentType: "application/json" },
  { name: "Connect JSON h2", isJson: true, isHttp2: true, contentType: "application/json" },
  { name: "Connect proto", isJson: false, isHttp2: false, contentType: "application/proto" },
  { name: "gRPC", isJson: false, isHttp2: true, contentType: "application/grpc" },
  { name: "gRPC-Web", isJson: false, isHttp2: false, contentType: "application/grpc-web+proto" },
];

/** What a call came to, the same for every protocol. */
export interface Outcome {
  readonly status: number;
  /** Connect's name of the code; "ok" for none. */
  readonly code: string;
  readonly message: string;
  readonly reason: string | undefined;
  readonly domain: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  /** Field names of the violations. */
  readonly fields: readonly string[];
  readonly retryAfterMs: number | undefined;
  /** The request id in the error's details. */
  readonly requestId: string | undefined;
  readonly headers: HttpAnswer["headers"];
  /** The answered message's bytes; empty for an error. */
  readonly body: Buffer;
}

/** Sends a message that is encoded already, framed as the protocol has it, gRPC's with the flags. */
export async function callUnary(
  url: string,
  protocol: Protocol,
  path: string,
  message: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
  flags = 0,
): Promise<Outcome> {
  const body = isFramed(protocol) ? frame(message, flags) : message;
  return await callRaw(url, protocol, path, body, headers);
}

/** Sends a body as it is. */
export async function callRaw(
  url: string,
  protocol: Protocol,
  path: string,
  body: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const send = protocol.isHttp2 ? sendHttp2 : sendHttp1;
  const answer = await send(url, {
    path,
    headers: { "content-type": protocol.contentType, ...headers },
    body,
  });
  return isFramed(protocol) ? grpcOutcome(answer) : connectOutcome(answer);
}

/** True for gRPC and gRPC-Web, which have their status in trailers and HTTP's at 200. */
export function isFramed(protocol: Protocol): boolean {
  return protocol.contentType.includes("grpc");
}

/** The message's bytes in the protocol's encoding. */
export function encode(protocol: Protocol, schema: DescMessage, message: Message): Uint8Array {
  if (protocol.isJson) return Buffer.from(toJsonString(schema, message));
  return toBinary(schema, message);
}

/** The header that asks for a deadline. */
export function timeoutHeader(protocol: Protocol, timeoutMs: number): Record<string, string> {
  if (isFramed(protocol)) return { "grpc-timeout": `${timeoutMs}m` };
  return { "connect-timeout-ms": String(timeoutMs) };
}

/** A message of gRPC or gRPC-Web with its five bytes before it. */
export function frame(message: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function connectOutcome(answer: HttpAnswer): Outcome {
  if (answer.status === 200) return outcome(answer, "ok", "", [], answer.body);
  const error = JSON.parse(answer.body.toString()) as {
    code: string;
    message: string;
    details?: { type: string; value: string }[];
  };
  const details = (error.details ?? []).map(({ type, value }) => ({
    type,
    value: Buffer.from(value, "base64"),
  }));
  return outcome(answer, error.code, error.message, details, Buffer.alloc(0));
}

function grpcOutcome(answer: HttpAnswer): Outcome {
  const frames = framesOf(answer.body);
  const web = frames.find(({ flags }) => flags === 0x80)?.data.toString() ?? "";
  const lines = web.split("\r\n").map((line) => line.split(/: ?(.*)/s));
  const trailers: Record<string, string> = { ...answer.trailers, ...Object.fromEntries(lines) };
  const number = Number(trailers["grpc-status"]);
  const message = decodeURIComponent(trailers["grpc-message"] ?? "");
  const bin = Buffer.from(trailers["grpc-status-details-bin"] ?? "", "base64");
  const details = fromBinary(StatusSchema, bin).details.map(({ typeUrl, value }) => ({
    type: typeUrl.replace("type.googleapis.com/", ""),
    value,
  }));
  const merged = { ...answer, headers: { ...answer.headers, ...trailers } };
  const body = frames.find(({ flags }) => flags === 0)?.data ?? Buffer.alloc(0);
  return outcome(merged, GRPC_CODES[number] ?? `grpc-status ${number}`, message, details, body);
}

function framesOf(body: Buffer): { flags: number; data: Buffer }[] {
  const frames = [];
  for (let at = 0; at < body.length;) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    frames.push({ flags: body[at]!, data: body.subarray(at + 5, end) });
    at = end;
  }
  return frames;
}

function outcome(
  { status, headers }: Pick<HttpAnswer, "status" | "headers">,
  code: string,
  message: string,
  details: readonly { type: string; value: Uint8Array }[],
  body: Buffer,
): Outcome {
  const find = (name: string): Uint8Array =>
    details.find(({ type }) => type === `google.rpc.${name}`)?.value ?? new Uint8Array();
  const info = fromBinary(ErrorInfoSchema, find("ErrorInfo"));
  const { retryDelay } = fromBinary(RetryInfoSchema, find("RetryInfo"));
  const { fieldViolations } = fromBinary(BadRequestSchema, find("BadRequest"));
  return {
    status,
    code,
    message,
    reason: info.reason || undefined,
    domain: info.domain || undefined,
    metadata: info.metadata,
    fields: fieldViolations.map(({ field }) => field),
    retryAfterMs: retryDelay && Number(retryDelay.seconds) * 1_000 + retryDelay.nanos / 1e6,
    requestId: fromBinary(RequestInfoSchema, find("RequestInfo")).requestId || undefined,
    headers,
    body,
  };
}

const GRPC_CODES = (
  "ok canceled unknown invalid_argument deadline_exceeded not_found already_exists " +
  "permission_denied resource_exhausted failed_precondition aborted out_of_range " +
  "unimplemented internal unavailable data_loss unauthenticated"
).split(" ");
