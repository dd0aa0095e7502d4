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
