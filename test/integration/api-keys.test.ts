import { setTimeout as sleep } from "node:timers/promises";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AccountService } from "../../gen/instantpayment/v1/account_service_pb.ts";
import { ApiKeyService } from "../../gen/instantpayment/v1/api_key_service_pb.ts";
import { createMigratedDatabase } from "../support/ledger.ts";
import { clientOf, makeKey } from "../support/keys.ts";
import type { TestDatabase } from "../support/postgres.ts";
import { startTestApp, type TestApp } from "../support/running-app.ts";
import { runSql } from "../support/sql.ts";

/** Two instances on one database, as they run behind a load balancer. */
let database: TestDatabase;
let apps: [TestApp, TestApp];
let keys: ReturnType<typeof clientOf<typeof ApiKeyService>>;

beforeAll(async () => {
  database = await createMigratedDatabase();
  const start = () => startTestApp({ DATABASE_URL: database.url });
  apps = [await start(), await start()];
  keys = clientOf(ApiKeyService, apps[0].apiUrl, apps[0].adminKey);
});

afterAll(async () => {
  await Promise.all(apps.map((app) => app.stop()));
  await database.drop();
});

/** "ok", or why a call with the key is refused by an instance. */
async function tryKey(secret: string, app: TestApp = apps[0]): Promise<string> {
  try {
    await clientOf(AccountService, app.apiUrl, secret).listAccounts({});
    return "ok";
  } catch (error) {
    return Code[ConnectError.from(error).code];
  }
}

test("a key works at once on every instance, for its owner, and is stored as a digest alone", async () => {
  const { id, secret } = await makeKey(apps[0], "alice");
  expect(secret).toMatch(/^ipk_[0-9a-f]{32}_[\w-]{43}$/);
  const { account } = await clientOf(AccountService, apps[1].apiUrl, secret).createAccount({
    currencyCode: "EUR",
  });
  expect(account?.ownerId).toBe("alice");
  const [[row] = []] = await runSql(database.url, `select api_key::text from api_key`);
  expect(row).toContain(id);
  expect(row).not.toContain(secret.slice(-43));
});

test("one wrong character makes it another key", async () => {
  const { secret } = await makeKey(apps[0], "alice");
  for (const at of [4, 20, 37, 60, secret.length - 2]) {
    const other = secret[at] === "a" ? "b" : "a";
    expect(await tryKey(secret.slice(0, at) + other + secret.slice(at + 1))).toBe(
      "Unauthenticated",
    );
  }
  expect(await tryKey(`${secret}a`)).toBe("Unauthenticated");
  expect(await tryKey(secret.toUpperCase())).toBe("Unauthenticated");
  expect(await tryKey(secret)).toBe("ok");
});

test("a key that was revoked under load works nowhere two seconds later, and never again", async () => {
  const { id, secret } = await makeKey(apps[0], "alice");
  const stop = performance.now() + 3_500;
  let revokedMs = Number.POSITIVE_INFINITY;
  const lastUse = async (app: TestApp): Promise<number> => {
    let last = 0;
    while (performance.now() < stop) {
      const begin = performance.now();
      if ((await tryKey(secret, app)) === "ok") last = begin;
      await sleep(5);
    }
    return last;
  };
  const uses = apps.map(lastUse);
  await sleep(700);
  const { apiKey } = await keys.revokeApiKey({ apiKeyId: id });
  revokedMs = performance.now();
  for (const last of await Promise.all(uses)) {
    expect(last).toBeGreaterThan(revokedMs - 700);
    expect(last - revokedMs).toBeLessThan(2_000);
  }
  const again = await keys.revokeApiKey({ apiKeyId: id });
  expect(again.apiKey?.revokeTime).toEqual(apiKey?.revokeTime);
  await expect(keys.rotateApiKey({ apiKeyId: id })).rejects.toThrow("[failed_precondition]");
});

test("a rotated key has two secrets for the grace period, and never three", async () => {
  const { id, secret: first } = await makeKey(apps[0], "alice");
  const gracePeriod = { seconds: 3_600n, nanos: 0 };
  const { secret: second } = await keys.rotateApiKey({ apiKeyId: id, gracePeriod });
  expect([await tryKey(first), await tryKey(second)]).toEqual(["ok", "ok"]);
  const { secret: third, apiKey } = await keys.rotateApiKey({ apiKeyId: id, gracePeriod });
  const until = Number(apiKey!.previousSecretExpireTime!.seconds);
  expect(until - Number(apiKey!.rotateTime!.seconds)).toBe(3_600);
  await expect.poll(() => tryKey(first), { timeout: 5_000 }).toBe("Unauthenticated");
  expect([await tryKey(second), await tryKey(third)]).toEqual(["ok", "ok"]);
  await runSql(
    database.url,
    "update api_key set previous_expire_time = now() where previous_digest is not null",
  );
  await expect.poll(() => tryKey(second), { timeout: 5_000 }).toBe("Unauthenticated");
  const { secret: fourth } = await keys.rotateApiKey({
    apiKeyId: id,
    gracePeriod: { seconds: 0n, nanos: 0 },
  });
  await expect.poll(() => tryKey(third), { timeout: 5_000 }).toBe("Unauthenticated");
  expect(await tryKey(fourth)).toBe("ok");
});

test("rotations at once leave two secrets that work: the last one's and the one before", async () => {
  const { id } = await makeKey(apps[0], "alice");
  const rotated = await Promise.all(
    Array.from({ length: 8 }, () => keys.rotateApiKey({ apiKeyId: id })),
  );
  await sleep(1_100);
  const working = await Promise.all(rotated.map(({ secret }) => tryKey(secret)));
  expect(working.filter((answer) => answer === "ok")).toHaveLength(2);
});

test("a key works until the moment that it expires, by PostgreSQL's clock", async () => {
  const request = { ownerId: "alice", scopes: ["accounts:read"] };
  const past = timestampFromMs(Date.now() - 1_000);
  await expect(keys.createApiKey({ ...request, expireTime: past })).rejects.toThrow("expire_time");
  const expireTime = timestampFromMs(Date.now() + 1_500);
  const { secret } = await keys.createApiKey({ ...request, expireTime });
  const first = await tryKey(secret);
  const before = performance.now();
  expect(first).toBe("ok");
  await expect.poll(() => tryKey(secret), { interval: 20, timeout: 5_000 }).not.toBe("ok");
  expect(performance.now() - before).toBeGreaterThan(500);
});

test("a key's last use is told, and written once a minute however often it's used", async () => {
  const { id, secret } = await makeKey(apps[0], "carol");
  const read = async () => {
    const { apiKeys } = await keys.listApiKeys({ ownerId: "carol" });
    return apiKeys.find((key) => key.id === id)?.lastUseTime;
  };
  expect(await read()).toBeUndefined();
  await tryKey(secret);
  await expect.poll(read, { timeout: 5_000 }).toBeDefined();
  const first = await read();
  await sleep(1_100);
  await Promise.all(apps.map((app) => tryKey(secret, app)));
  expect(await read()).toEqual(first);
  await runSql(database.url, "update api_key set last_use_time = now() - interval '2 minutes'");
  await sleep(1_100);
  await Promise.all(apps.map((app) => tryKey(secret, app)));
  await expect
    .poll(async () => (await read())?.seconds, { timeout: 5_000 })
    .not.toBe(first!.seconds - 120n);
});

test("keys are listed in pages, an owner's alone if asked", async () => {
  for (const owner of ["dave", "erin", "dave", "erin", "dave"]) await makeKey(apps[0], owner);
  const first = await keys.listApiKeys({ ownerId: "dave", pageSize: 2 });
  const rest = await keys.listApiKeys({
    ownerId: "dave",
    pageSize: 2,
    pageToken: first.nextPageToken,
  });
  expect([first.apiKeys.length, rest.apiKeys.length, rest.nextPageToken]).toEqual([2, 1, ""]);
  const owners = [...first.apiKeys, ...rest.apiKeys].map(({ ownerId }) => ownerId);
  expect(new Set(owners)).toEqual(new Set(["dave"]));
  const { nextPageToken: pageToken } = first;
  await expect(keys.listApiKeys({ ownerId: "erin", pageToken })).rejects.toThrow(
    "[invalid_argument]",
  );
});

test("what a key can't be is refused, naming the field", async () => {
  const key = { ownerId: "alice", scopes: ["accounts:read"] };
  for (const [wrong, field] of [
    [{ ...key, ownerId: "" }, "owner_id"],
    [{ ...key, scopes: [] }, "scopes"],
    [{ ...key, scopes: ["payments:steal"] }, "scopes"],
    [{ ...key, scopes: ["admin", "admin"] }, "scopes"],
    [{ ...key, displayName: "n".repeat(101) }, "display_name"],
  ] as const) {
    await expect(keys.createApiKey({ ...wrong, scopes: [...wrong.scopes] })).rejects.toThrow(field);
  }
  const apiKeyId = "0198c1f0-0000-7000-8000-0000000000ff";
  await expect(keys.revokeApiKey({ apiKeyId })).rejects.toThrow("[not_found]");
  const gracePeriod = { seconds: 2_592_001n, nanos: 0 };
  await expect(keys.rotateApiKey({ apiKeyId, gracePeriod })).rejects.toThrow("grace_period");
});
