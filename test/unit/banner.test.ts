import { expect, test } from "vitest";
import { banner } from "../../src/cli/banner.ts";

const accounts = { funding: "f-id", alice: "a-id", bob: "b-id" };
const urls = { apiUrl: "http://127.0.0.1:8080", adminUrl: "http://127.0.0.1:9090" };
const demo = { dataDirectory: "/srv/o'neil/.data", accounts, idempotencyKey: "demo-1" };
const file = "/srv/o'neil/.data/admin-key";
const created = { source: "created", key: "ipa_secret", file } as const;
const kept = { source: "kept", key: "ipa_secret", file } as const;

test("a first start shows where everything is, the key, and that it isn't for production", () => {
  const text = banner({ ...urls, demo, adminKey: created });
  expect(text).toContain("http://127.0.0.1:8080/swagger-ui.html");
  expect(text).toContain("http://127.0.0.1:9090/metrics");
  expect(text).toMatch(/ipa_secret\n +shown once, kept in \/srv\/o'neil\/.data\/admin-key/);
  expect(text).toContain("not a production set-up");
});

test("its curl, grpcurl and SDK calls carry the demo's ids and the key", () => {
  const text = banner({ ...urls, demo, adminKey: created });
  expect(text).toContain(`
curl http://127.0.0.1:8080/instantpayment.v1.PaymentService/CreatePayment \\
  -H 'Content-Type: application/json' \\
  -H "Authorization: Bearer ipa_secret" \\
  -d '{"idempotencyKey": "demo-1-curl",
       "debtorAccountId": "a-id",
       "creditorAccountId": "b-id",
       "amount": {"currencyCode": "EUR", "amountMinor": "1000"}}'
`);
  expect(text).toContain(`
grpcurl -plaintext \\
  -H "Authorization: Bearer ipa_secret" \\
  -d '{"idempotencyKey": "demo-1-grpcurl",
       "debtorAccountId": "a-id",
       "creditorAccountId": "b-id",
       "amount": {"currencyCode": "EUR", "amountMinor": "1000"}}' \\
  127.0.0.1:8080 instantpayment.v1.PaymentService/CreatePayment
`);
  expect(text).toContain(`
const client = createInstantPayment({
  baseUrl: "http://127.0.0.1:8080",
  apiKey: "ipa_secret",
});
const payment = await client.createPayment({
  debtorAccountId: "a-id",
  creditorAccountId: "b-id",
`);
  expect(text).toContain(`-d '{"accountId": "b-id"}'`);
});

test("no line of it is wider than 100 columns, with ids, key and folder as they are", () => {
  const id = "cb1de714-8db4-475a-bada-d4eed4babfc5";
  const key = `ipa_${"k".repeat(43)}`;
  const folder = "/home/somebody/work/instant-payment-api/.data";
  const text = banner({
    ...urls,
    demo: {
      dataDirectory: folder,
      accounts: { funding: id, alice: id, bob: id },
      idempotencyKey: "demo-662e62a251c7",
    },
    adminKey: { source: "created", key, file: `${folder}/admin-key` },
  });
  expect(text.split("\n").filter((line) => line.length > 100)).toEqual([]);
});

test("with TLS grpcurl is told nothing of plain text", () => {
  const text = banner({ ...urls, apiUrl: "https://127.0.0.1:8080", demo, adminKey: created });
  expect(text).toContain("grpcurl \\\n");
  expect(text).not.toContain("-plaintext");
});

test("later starts don't show the key; the shell reads it, whatever the directory is called", () => {
  const text = banner({ ...urls, demo, adminKey: kept });
  expect(text).not.toContain("ipa_secret");
  const reads = `$(cat '/srv/o'\\''neil/.data/admin-key')"`;
  expect(text.split(reads)).toHaveLength(5);
});

test("a key and a database of the user's own are neither shown nor played with", () => {
  const text = banner({ ...urls, demo: undefined, adminKey: { source: "setting", key: "hidden" } });
  expect(text).not.toContain("hidden");
  expect(text).not.toContain("curl");
  expect(text).not.toContain("demo");
});
