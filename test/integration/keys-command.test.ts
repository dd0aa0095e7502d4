import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { AccountService } from "../../gen/instantpayment/v1/account_service_pb.ts";
import { createMigratedDatabase } from "../support/ledger.ts";
import { clientOf } from "../support/keys.ts";
import type { TestDatabase } from "../support/postgres.ts";
import { startTestApp, type TestApp } from "../support/running-app.ts";
import { type Ended, run } from "../support/service-process.ts";

// Each starts several processes, and the machine may be busy.
vi.setConfig({ testTimeout: 60_000 });

let database: TestDatabase;
let app: TestApp;

beforeAll(async () => {
  database = await createMigratedDatabase();
  app = await startTestApp({ DATABASE_URL: database.url });
});

afterAll(async () => {
  await app.stop();
  await database.drop();
});

function keys(...args: string[]): Promise<Ended> {
  const command = [process.execPath, "src/cli/instant-payment.ts", "keys", ...args] as const;
  return run([...command], { DATABASE_URL: database.url }).ended;
}

async function works(secret: string): Promise<boolean> {
  const accounts = clientOf(AccountService, app.apiUrl, secret);
  return accounts.listAccounts({}).then(
    () => true,
    () => false,
  );
}

test("a key is made, listed, rotated and revoked from the command line, as by the API", async () => {
  const scopes = ["accounts:read", "payments:read"];
  const expires = "2999-01-31T00:00:00+01:00";
  const shop = ["create", "--owner", "alice", "--scopes", scopes.join(","), "--name", "Shop"];
  const made = await keys(...shop, "--expires", expires, "--json");
  const { apiKey, secret } = JSON.parse(made.stdout);
  expect(apiKey).toMatchObject({
    ownerId: "alice",
    scopes,
    displayName: "Shop",
    expireTime: "2999-01-30T23:00:00Z",
  });
  expect(await works(secret)).toBe(true);

  const listed = await keys("list", "--owner", "alice");
  expect(listed.stdout).toMatch(
    new RegExp(`^key ${apiKey.id} of alice: accounts:read,payments:read, "Shop", expires 2999`),
  );
  expect(listed.stdout).not.toContain(secret.slice(-43));
  expect((await keys("list", "--owner", "bob")).stdout).toBe("");

  const rotated = await keys("rotate", "--key", apiKey.id.toUpperCase(), "--grace", "0.5");
  const [, second = ""] = /secret, shown once: (ipk_\S+)\n$/.exec(rotated.stdout) ?? [];
  expect([await works(secret), await works(second)]).toEqual([true, true]);

  const revoked = await keys("revoke", "--key", apiKey.id, "--json");
  expect(JSON.parse(revoked.stdout)).toMatchObject({ apiKey: { revokeTime: expect.any(String) } });
  await expect
    .poll(async () => [await works(secret), await works(second)], { timeout: 6_000 })
    .toEqual([false, false]);
  const again = await keys("rotate", "--key", apiKey.id);
  expect(again).toMatchObject({ code: 64, stderr: expect.stringContaining("was revoked") });
});

test("what can't be is refused in a line that names the option", async () => {
  const unknown = "0198c1f0-0000-7000-8000-0000000000ff";
  const refusals = await Promise.all([
    keys("create", "--scopes", "admin"),
    keys("create", "--owner", "alice"),
    keys("create", "--owner", "alice", "--scopes", "payments:steal"),
    keys("create", "--owner", "alice", "--scopes", "admin", "--expires", "tomorrow"),
    keys("rotate", "--key", unknown, "--grace", "721"),
    keys("revoke", "--key", "none"),
    keys("revoke", "--key", unknown),
    keys("revoke", "--key", `ipk_${unknown.replaceAll("-", "")}_${"s".repeat(43)}`),
    ...["2020-01-01T00:00:00Z", "2999-02-29T00:00:00Z", "9999-12-31T23:59:59-12:00"].map((time) =>
      keys("create", "--owner", "alice", "--scopes", "admin", "--expires", time),
    ),
  ]);
  const expected = [
    "--owner must be 1 to 128",
    "--scopes must be some of",
    "separated by commas, not 'payments:steal'",
    "--expires must be a time",
    "--grace must be 0 to 720 hours",
    "--key must be a key's id, as `keys list` shows it, not 'none'",
    "There is no API key of this id.",
    "--key must be a key's id, as `keys list` shows it\n",
    "--expires must be in the future, not '2020-01-01T00:00:00Z'",
    "--expires must be a time such as",
    "--expires must be a time such as",
  ];
  for (const [i, { code, stdout, stderr }] of refusals.entries()) {
    expect([code, stdout]).toEqual([64, ""]);
    expect(stderr).toMatch(/^instant-payment: .*\n$/);
    expect(stderr).toContain(expected[i]);
  }
});
