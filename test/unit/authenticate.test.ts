import { expect, test } from "vitest";
import { systemClock } from "../../src/kernel/clock.ts";
import { createAuthenticate, identifyAdmin } from "../../src/platform/authenticate.ts";

const authenticate = createAuthenticate({
  identify: [identifyAdmin("sesame-sesame-sesame")],
  clock: systemClock,
});

test("the administrator's key is let in, whatever the case of the scheme", async () => {
  const administrator = { ownerId: "admin", scopes: new Set(["admin"]) };
  expect(await authenticate("Bearer sesame-sesame-sesame")).toEqual(administrator);
  expect(await authenticate("bearer  sesame-sesame-sesame")).toEqual(administrator);
});

test.each([
  undefined,
  "",
  "Bearer",
  "Bearer ",
  "Bearer sesame",
  "Bearer sesame-sesame-sesame-",
  "Bearer sesame-sesame-sesame x",
  "Basic sesame-sesame-sesame",
  "sesame-sesame-sesame",
])("%j isn't", async (authorization) => {
  expect(await authenticate(authorization)).toBeUndefined();
});

test("a key that was ended isn't let in a second after its last use", async () => {
  let nowMs = 5_000;
  let isWorking = true;
  const principal = { ownerId: "alice", scopes: new Set<never>() };
  const validMs = Number.POSITIVE_INFINITY;
  const letIn = createAuthenticate({
    identify: [async () => (isWorking ? { principal, validMs } : undefined)],
    clock: { now: () => nowMs, monotonicMs: () => nowMs },
  });
  expect(await letIn("Bearer key")).toBe(principal);
  isWorking = false;
  nowMs += 1_000;
  expect(await letIn("Bearer key")).toBeUndefined();
});

test("a token isn't let in for longer than it's valid", async () => {
  let nowMs = 5_000;
  const principal = { ownerId: "alice", scopes: new Set<never>() };
  const letIn = createAuthenticate({
    identify: [async () => (nowMs < 5_100 ? { principal, validMs: 5_100 - nowMs } : undefined)],
    clock: { now: () => nowMs, monotonicMs: () => nowMs },
  });
  expect(await letIn("Bearer token")).toBe(principal);
  nowMs = 5_100;
  expect(await letIn("Bearer token")).toBeUndefined();
});
