import { expect } from "vitest";
import { isFramed, type Outcome, type Protocol } from "./rpc-protocols.ts";

/** What a row expects: code, HTTP status under Connect, reason, and the fields named. */
export type Expected = readonly [code: string, status: number, reason: string, fields?: string[]];

/** A message with wrong fields, by their proto paths. */
export const INVALID = (...fields: string[]): Expected => [
  "invalid_argument",
  400,
  "INVALID_FIELD",
  fields,
];

/** What is no message at all. */
export const MALFORMED: Expected = ["invalid_argument", 400, "MALFORMED_REQUEST"];

/** More than the limit. */
export const TOO_LARGE: Expected = ["resource_exhausted", 429, "REQUEST_TOO_LARGE"];

/** Expects an error in the protocol's own form, with every detail that it owes. */
export function expectError(protocol: Protocol, outcome: Outcome, expected: Expected): void {
  const [code, status, reason, fields] = expected;
  const { domain, headers, requestId } = outcome;
  const id = headers["x-request-id"];
  expect({ code: outcome.code, reason: outcome.reason, domain }).toEqual({
    code,
    reason,
    domain: "instantpayment",
  });
  expect(outcome.status).toBe(isFramed(protocol) ? 200 : status);
  if (fields !== undefined) expect(outcome.fields).toEqual(fields);
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  // What doesn't exist and what isn't the caller's are answered with the same bytes.
  expect(requestId).toBe(code === "not_found" ? undefined : id);
}
