import type { ConnectError } from "@connectrpc/connect";
import { codeToHttpStatus, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { trailerFlag, trailerSerialize } from "@connectrpc/connect/protocol-grpc-web";
import type { HttpHeaders, HttpResponse } from "./http.ts";

/** One protocol with one encoding: how the bytes of a unary call are laid out. */
export interface WireFormat {
  readonly protocol: "connect" | "grpc" | "grpc-web";
  readonly isJson: boolean;
  /** The content type of the answer. */
  readonly contentType: string;
}

/** Bytes before each message of gRPC and gRPC-Web: one of flags, four of length. */
export const ENVELOPE_HEAD_BYTES = 5;

/** Connect with JSON: also the form of errors where no protocol is known. */
export const CONNECT_JSON: WireFormat = {
  protocol: "connect",
  isJson: true,
  contentType: "application/json",
};

/** What is told in no protocol: JSON, and not in the very content type of Connect's errors. */
export const PLAIN_JSON: WireFormat = {
  ...CONNECT_JSON,
  contentType: "application/json; charset=utf-8",
};

/** Connect with Protobuf. */
export const CONNECT_PROTO: WireFormat = {
  protocol: "connect",
  isJson: false,
  contentType: "application/proto",
};

const grpc = (protocol: "grpc" | "grpc-web", encoding: "proto" | "json"): WireFormat => ({
  protocol,
  isJson: encoding === "json",
  contentType: `application/${protocol}+${encoding}`,
});

const FORMATS: ReadonlyMap<string, WireFormat> = new Map([
  ["application/json", CONNECT_JSON],
  ["application/proto", CONNECT_PROTO],
  ["application/grpc", grpc("grpc", "proto")],
  ["application/grpc+proto", grpc("grpc", "proto")],
  ["application/grpc+json", grpc("grpc", "json")],
  ["application/grpc-web", grpc("grpc-web", "proto")],
  ["application/grpc-web+proto", grpc("grpc-web", "proto")],
  ["application/grpc-web+json", grpc("grpc-web", "json")],
]);

/** Content types of unary requests, for the header `Accept-Post`. */
export const UNARY_CONTENT_TYPES = [...FORMATS.keys()].join(", ");

/** Content types of streams, in Connect each message in an envelope. */
export const STREAM_CONTENT_TYPES =
  "application/connect+json, application/connect+proto, application/grpc, application/grpc-web";

/** The format of a request's content type; undefined if it isn't one of a unary call. */
export function formatOf(contentType: string | undefined): WireFormat | undefined {
  if (contentType === undefined) return undefined;
  const exact = FORMATS.get(contentType);
  if (exact !== undefined) return exact;
  const [type = "", ...parameters] = contentType.toLowerCase().split(/\s*;\s*/);
  const isUtf8 = parameters.every((each) => /^$|^charset="?utf-?8"?$/.test(each));
  return isUtf8 ? FORMATS.get(type.trim()) : undefined;
}

/** Answers with a message: JSON text or Protobuf bytes, as the format has it. */
export function sendMessage(
  response: HttpResponse,
  format: WireFormat,
  message: string | Uint8Array,
  headers: HttpHeaders,
  trailers: Headers | undefined,
): void {
  headers["content-type"] = format.contentType;
  if (format.protocol === "connect") {
    trailers?.forEach((value, name) => (headers[`trailer-${name}`] = value));
    headers["content-length"] = Buffer.byteLength(message);
    response.writeHead(200, headers);
    response.end(message);
    return;
  }
  const frame = envelope(0, message);
  if (format.protocol === "grpc") {
    response.writeHead(200, headers);
    response.addTrailers({ ...(trailers && Object.fromEntries(trailers)), "grpc-status": "0" });
    response.end(frame);
    return;
  }
  response.writeHead(200, headers);
  response.end(Buffer.concat([frame, trailers ? okTrailer(trailers) : OK_TRAILER]));
}

/** Answers with an error in the protocol's own form. `status` replaces Connect's HTTP status. */
export function sendError(
  response: HttpResponse,
  format: WireFormat,
  error: ConnectError,
  headers: HttpHeaders,
  status?: number,
): void {
  if (format.protocol === "connect") {
    const body = errorToJsonBytes(error, undefined);
    error.metadata.forEach((value, name) => (headers[name] = value));
    headers["content-type"] = (format.isJson ? format : CONNECT_JSON).contentType;
    headers["content-length"] = body.byteLength;
    response.writeHead(status ?? codeToHttpStatus(error.code), headers);
    response.end(body);
    return;
  }
  headers["content-type"] = format.contentType;
  const trailer = setTrailerStatus(new Headers(), error);
  if (format.protocol === "grpc") {
    // In trailers even though there is no message: Node ends the headers' stream only with a
    // frame of data, and then gRPC clients miss them.
    response.writeHead(200, headers);
    response.addTrailers(Object.fromEntries(trailer));
    response.end();
    return;
  }
  response.writeHead(200, headers);
  response.end(envelope(trailerFlag, trailerSerialize(trailer)));
}

function envelope(flags: number, message: string | Uint8Array): Buffer {
  const length = Buffer.byteLength(message);
  const frame = Buffer.allocUnsafe(ENVELOPE_HEAD_BYTES + length);
  frame[0] = flags;
  frame.writeUInt32BE(length, 1);
  if (typeof message === "string") frame.write(message, ENVELOPE_HEAD_BYTES);
  else frame.set(message, ENVELOPE_HEAD_BYTES);
  return frame;
}

function okTrailer(trailers: Headers): Buffer {
  trailers.set("grpc-status", "0");
  return envelope(trailerFlag, trailerSerialize(trailers));
}

const OK_TRAILER = envelope(trailerFlag, "grpc-status: 0\r\n");
