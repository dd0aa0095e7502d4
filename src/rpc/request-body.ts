import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { ServiceError } from "../kernel/errors.ts";
import { queryOf, type HttpRequest } from "./http.ts";
import { ENVELOPE_HEAD_BYTES, type WireFormat } from "./wire-format.ts";

const gunzipAsync = promisify(gunzip);

/**
 * The one message of a POST, decompressed. Throws REQUEST_TOO_LARGE as soon as the message is
 * known to be above `maxBytes` (the rest is received and dropped), MALFORMED_REQUEST if the body
 * is cut or isn't in that format, UNIMPLEMENTED for no message or several, and for a compression
 * other than gzip.
 */
export async function messageFromBody(
  request: HttpRequest,
  format: WireFormat,
  maxBytes: number,
): Promise<Buffer> {
  if (format.protocol === "connect") {
    const encoding = compressionOf(request.headers["content-encoding"]);
    const body = await readBody(request, maxBytes);
    return encoding === "gzip" ? await decompress(body, maxBytes) : body;
  }
  const encoding = compressionOf(request.headers["grpc-encoding"]);
  const body = await readBody(request, maxBytes + ENVELOPE_HEAD_BYTES);
  if (body.length === 0) throw notOneMessage();
  if (body.length < ENVELOPE_HEAD_BYTES) throw malformed("the body is cut");
  const length = body.readUInt32BE(1);
  if (length > maxBytes) throw tooLarge(maxBytes);
  const rest = body.length - ENVELOPE_HEAD_BYTES - length;
  if (rest < 0) throw malformed("the body is cut");
  if (rest > 0) throw notOneMessage();
  const message = body.subarray(ENVELOPE_HEAD_BYTES);
  if (body[0] === 0) return message;
  if (body[0] !== 1 || encoding !== "gzip") throw malformed("the message has unknown flags");
  return await decompress(message, maxBytes);
}

/**
 * The message of a Connect GET, decompressed. Throws MALFORMED_REQUEST if the query isn't one of
 * Connect, and REQUEST_TOO_LARGE.
 */
export async function messageFromQuery(request: HttpRequest, maxBytes: number): Promise<Buffer> {
  const query = parseQuery(queryOf(request));
  const text = query.get("message");
  if (text === undefined) throw malformed("the query has no `message`");
  const isBase64 = query.get("base64") === "1";
  if (isBase64 && !/^[\w+/-]*={0,2}$/.test(text)) throw malformed("`message` isn't base64");
  const bytes = Buffer.from(text, isBase64 ? "base64" : "utf8");
  if (bytes.length > maxBytes) throw tooLarge(maxBytes);
  const encoding = compressionOf(query.get("compression"));
  return encoding === "gzip" ? await decompress(bytes, maxBytes) : bytes;
}

/** The encoding that a Connect GET names; undefined if it names none that is known. */
export function encodingFromQuery(request: HttpRequest): string | undefined {
  return /(?:^|&)encoding=(json|proto)(?:&|$)/.exec(queryOf(request))?.[1];
}

function parseQuery(query: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const part of query.split("&")) {
    const [name = "", value = ""] = part.split(/=(.*)/s).map(decodeQuery);
    if (parameters.has(name)) throw malformed("the query names a parameter twice");
    parameters.set(name, value);
  }
  return parameters;
}

function decodeQuery(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch (cause) {
    throw new ServiceError("MALFORMED_REQUEST", {
      message: "the query isn't percent-encoded UTF-8",
      cause,
    });
  }
}

function readBody(request: HttpRequest, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const declared = Number(request.headers["content-length"] ?? 0);
    if (declared > maxBytes) {
      request.resume();
      reject(tooLarge(maxBytes));
      return;
    }
    const chunks: Buffer[] = [];
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxBytes) chunks.push(chunk);
      else reject(tooLarge(maxBytes));
    });
    request.on("end", () => {
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length));
    });
    // Every request closes in the end: an error, with its stack, is made only where one is due.
    const onClose = (cause?: Error): void => {
      if (!request.readableEnded) reject(new ServiceError("CANCELLED", { cause }));
    };
    request.on("error", onClose);
    request.on("close", onClose);
  });
}

function compressionOf(encoding: string | string[] | undefined): "gzip" | "identity" {
  if (encoding === undefined || encoding === "" || encoding === "identity") return "identity";
  if (encoding === "gzip") return "gzip";
  throw new ServiceError("UNIMPLEMENTED", {
    message: `the compression ${JSON.stringify(encoding)} isn't supported: use gzip or identity`,
  });
}

async function decompress(bytes: Buffer, maxBytes: number): Promise<Buffer> {
  if (bytes.length === 0) return bytes;
  try {
    return await gunzipAsync(bytes, { maxOutputLength: maxBytes });
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(maxBytes);
    throw new ServiceError("MALFORMED_REQUEST", { message: "the body isn't gzip", cause });
  }
}

/** gRPC's word for a stream sent to a method that takes one message. */
function notOneMessage(): ServiceError {
  const message = "the body must be exactly one message";
  return new ServiceError("UNIMPLEMENTED", { message });
}

function malformed(message: string): ServiceError {
  return new ServiceError("MALFORMED_REQUEST", { message });
}

function tooLarge(maxBytes: number): ServiceError {
  return new ServiceError("REQUEST_TOO_LARGE", {
    message: `the message is larger than ${maxBytes} bytes`,
    metadata: { max_bytes: String(maxBytes) },
  });
}
