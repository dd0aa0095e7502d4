import {
  type DescMessage,
  fromJson,
  type JsonObject,
  type Registry,
  toBinary,
} from "@bufbuild/protobuf";
import { codeToHttpStatus, codeToString } from "@connectrpc/connect/protocol-connect";
import { ERROR_CATALOGUE, type ErrorReason } from "../../src/kernel/errors.ts";
import { CODE_BY_REASON, ERROR_DOMAIN } from "../../src/rpc/error-codes.ts";
import { withJsonNames } from "./comments.ts";

const TITLES: Record<number, string> = {
  400: "The request is wrong, or the state of what it's about forbids it",
  401: "The caller isn't known",
  403: "The caller may not do this",
  404: "What the request is about doesn't exist or isn't the caller's",
  409: "The request conflicts with an earlier one or with a change meanwhile",
  429: "Too much: the request's size or the load",
  500: "A fault of the service",
  503: "The service can't answer now",
  504: "The caller's time ran out",
};

const RETRYABLE = [429, 503, 504];

const reasons = Object.keys(ERROR_CATALOGUE) as ErrorReason[];
const statusOf = (reason: ErrorReason): number => codeToHttpStatus(CODE_BY_REASON[reason]);
const row = (reason: ErrorReason): string => {
  const { cause, fix } = ERROR_CATALOGUE[reason];
  const code = codeToString(CODE_BY_REASON[reason]);
  return `| \`${reason}\` | \`${code}\` | ${withJsonNames(cause)} | ${withJsonNames(fix)} |`;
};

/** References to the error answers that a method can give, by HTTP status. */
export function errorRefs(changesSomething: boolean): JsonObject {
  const statuses = Object.keys(TITLES).filter((status) => changesSomething || status !== "409");
  return Object.fromEntries(
    statuses.map((status) => [status, { $ref: `#/components/responses/${status}` }]),
  );
}

/** The answers for all HTTP statuses of errors, each with its reasons and an example. */
export function errorResponses(registry: Registry): JsonObject {
  return Object.fromEntries(
    Object.entries(TITLES).map(([status, title]) => {
      const own = reasons.filter((reason) => statusOf(reason) === Number(status));
      if (own.length === 0) throw new Error(`No reason is told with HTTP ${status}`);
      const table = ["| Reason | Code | Cause | Fix |", "|---|---|---|---|", ...own.map(row)];
      return [
        status,
        {
          description: `${title}.\n\n${table.join("\n")}`,
          ...(RETRYABLE.includes(Number(status)) ? { headers: RETRY_AFTER } : {}),
          content: {
            "application/json": {
              schema: { $ref: "#/components/schemas/Error" },
              examples: Object.fromEntries(
                own.map((reason) => [reason, { value: example(reason, registry) }]),
              ),
            },
          },
        },
      ];
    }),
  );
}

const RETRY_AFTER = {
  "Retry-After": {
    description: "How many seconds to wait before sending the same request again.",
    schema: { type: "integer", minimum: 1 },
  },
};

const EXAMPLE_REQUEST_ID = "01980000-0000-7000-8000-0000000000f1";

function example(reason: ErrorReason, registry: Registry): JsonObject {
  const info = { reason, domain: ERROR_DOMAIN };
  const details = [detail("google.rpc.ErrorInfo", info, registry)];
  if (reason === "INVALID_FIELD") {
    const field = "amount.amount_minor";
    const violation = { field, description: "must be greater than or equal to 1" };
    details.push(detail("google.rpc.BadRequest", { fieldViolations: [violation] }, registry));
  }
  if (RETRYABLE.includes(statusOf(reason)) && reason !== "REQUEST_TOO_LARGE") {
    details.push(detail("google.rpc.RetryInfo", { retryDelay: "1s" }, registry));
  }
  if (statusOf(reason) !== 404) {
    details.push(detail("google.rpc.RequestInfo", { requestId: EXAMPLE_REQUEST_ID }, registry));
  }
  const code = codeToString(CODE_BY_REASON[reason]);
  return { code, message: ERROR_CATALOGUE[reason].cause, details };
}

function detail(type: string, debug: JsonObject, registry: Registry): JsonObject {
  const desc = registry.getMessage(type) as DescMessage;
  const value = Buffer.from(toBinary(desc, fromJson(desc, debug))).toString("base64");
  return { type, value: value.replaceAll("=", ""), debug };
}

const text = (description: string): JsonObject => ({ type: "string", description });

/** The schemas of an error and its details. */
export function errorSchemas(): JsonObject {
  return {
    Error: {
      type: "object",
      description: "Why a call was refused, as Connect tells it in JSON.",
      required: ["code"],
      properties: {
        code: {
          ...text("The kind of error. It decides the HTTP status."),
          enum: [...new Set(reasons.map((reason) => codeToString(CODE_BY_REASON[reason])))],
        },
        message: text("A sentence for people. Its wording may change."),
        details: {
          type: "array",
          description: "Always an ErrorInfo, first; others where they help.",
          items: { $ref: "#/components/schemas/ErrorDetail" },
        },
      },
    },
    ErrorDetail: {
      type: "object",
      description: "One message of google.rpc that tells more about the error.",
      required: ["type", "value"],
      properties: {
        type: text("The message's full name, for example `google.rpc.ErrorInfo`."),
        value: text("The message in Protobuf, as base64 without padding."),
        debug: {
          description: "The message in JSON.",
          anyOf: ["ErrorInfo", "BadRequest", "RetryInfo", "RequestInfo"].map((name) => ({
            $ref: `#/components/schemas/${name}`,
          })),
        },
      },
    },
    ...detailSchemas(),
  };
}

function detailSchemas(): JsonObject {
  const all = reasons.map(
    (reason) => `- \`${reason}\`: ${withJsonNames(ERROR_CATALOGUE[reason].cause)}`,
  );
  return {
    ErrorInfo: {
      type: "object",
      description: "google.rpc.ErrorInfo: what to branch on.",
      required: ["reason", "domain"],
      properties: {
        reason: { ...text(`Why the call was refused.\n\n${all.join("\n")}`), enum: reasons },
        domain: { ...text("Whose reason it is."), const: ERROR_DOMAIN },
        metadata: {
          type: "object",
          description: "Names and values that help, for example the field that differs.",
          additionalProperties: { type: "string" },
        },
      },
    },
    BadRequest: {
      type: "object",
      description: "google.rpc.BadRequest: the fields that are wrong.",
      required: ["fieldViolations"],
      properties: {
        fieldViolations: {
          type: "array",
          description: "One for each wrong field.",
          items: {
            type: "object",
            required: ["field", "description"],
            properties: {
              field: text("The field's path in the proto, for example `amount.amount_minor`."),
              description: text("What is wrong with it."),
            },
          },
        },
      },
    },
    RetryInfo: {
      type: "object",
      description: "google.rpc.RetryInfo: sending the same request again may help.",
      required: ["retryDelay"],
      properties: { retryDelay: text("How long to wait first, for example `1s`.") },
    },
    RequestInfo: {
      type: "object",
      description: "google.rpc.RequestInfo: under what id the service's log has the call.",
      required: ["requestId"],
      properties: { requestId: text("The call's id.") },
    },
  };
}
