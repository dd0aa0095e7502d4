import { expect, test } from "vitest";
import { createLogger } from "../../src/platform/logger.ts";

function logged(write: (logger: ReturnType<typeof createLogger>) => void): unknown {
  let text = "";
  write(createLogger("info", { write: (line) => void (text += line) }));
  return JSON.parse(text);
}

test("an error is logged with its causes but without the data that a database puts into it", () => {
  const cause = Object.assign(new Error("duplicate key"), {
    code: "23505",
    detail: "Key (owner)=(alice) already exists.",
  });
  const line = logged((logger) => logger.error({ err: new Error("failed", { cause }) }, "oops"));
  expect(line).toMatchObject({
    level: "error",
    msg: "oops",
    err: { message: "failed", cause: { message: "duplicate key", code: "23505" } },
  });
  expect(JSON.stringify(line)).not.toContain("alice");
});

test("an authorization header is never logged", () => {
  const line = logged((logger) => logger.info({ headers: { authorization: "Bearer sesame" } }));
  expect(line).toMatchObject({ headers: { authorization: "[redacted]" } });
});
