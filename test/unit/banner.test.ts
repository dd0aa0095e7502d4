import { expect, test } from "vitest";
import { banner } from "../../src/cli/banner.ts";

const accounts = { funding: "f-id", alice: "a-id", bob: "b-id" };
const urls = { apiUrl: "http://127.0.0.1:8080", adminUrl: "http://127.0.0.1:9090" };
const demo = { dataDirectory: "/srv/o'neil/.data", accounts, idempotencyKey: "demo-1" };
const file = "/srv/o'neil/.data/admin-key";

test("a first start shows where everything is, the key, and that it isn't for production", () => {
  const text = banner({ ...urls, demo, adminKey: { source: "created", key: "ipa_secret", file } });
  expect(text).toContain("http://127.0.0.1:8080/swagger-ui.html");
  expect(text).toContain("http://127.0.0.1:9090/metrics");
  expect(text).toContain(`ipa_secret (shown once, kept in ${file})`);
  expect(text).toContain("not a production set-up");
});

test("its curl lines carry the demo's ids and the key", () => {
  const text = banner({ ...urls, demo, adminKey: { source: "created", key: "ipa_secret", file } });
  expect(text).toContain(
    [
      "curl http://127.0.0.1:8080/instantpayment.v1.PaymentService/CreatePayment \\",
      "  -H 'Content-Type: application/json' \\",
      '  -H "Authorization: Bearer ipa_secret" \\',
      `  -d '{"idempotencyKey":"demo-1","debtorAccountId":"a-id","creditorAccountId":"b-id",` +
        `"amount":{"currencyCode":"EUR","amountMinor":"1000"}}'`,
    ].join("\n"),
  );
  expect(text).toContain(`-d '{"accountId":"b-id"}'`);
});

test("later starts don't show the key; the shell reads it, whatever the directory is called", () => {
  const text = banner({ ...urls, demo, adminKey: { source: "kept", key: "ipa_secret", file } });
  expect(text).not.toContain("ipa_secret");
  expect(text).toContain(`Bearer $(cat '/srv/o'\\''neil/.data/admin-key')"`);
});

test("a key and a database of the user's own are neither shown nor played with", () => {
  const text = banner({ ...urls, demo: undefined, adminKey: { source: "setting", key: "hidden" } });
  expect(text).not.toContain("hidden");
  expect(text).not.toContain("curl");
  expect(text).not.toContain("demo");
});
