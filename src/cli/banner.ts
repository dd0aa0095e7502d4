import type { AdminKey } from "./admin-key.ts";
import type { DemoAccounts } from "./demo.ts";

/** What there is to tell after a start. */
export interface BannerFacts {
  readonly apiUrl: string;
  readonly adminUrl: string;
  readonly adminKey: AdminKey;
  /** On the embedded database; undefined on one of the user's own. */
  readonly demo: Demo | undefined;
}

interface Demo {
  readonly dataDirectory: string;
  readonly accounts: DemoAccounts;
  /** What the keys of the calls begin with, new at each start so that they make payments. */
  readonly idempotencyKey: string;
}

/** The text that is shown when the service is up: where it is, and commands that work as printed. */
export function banner(facts: BannerFacts): string {
  const { apiUrl, adminUrl, demo } = facts;
  const lines = [
    "",
    "  Instant Payment API is up.",
    "",
    `  API         ${apiUrl}`,
    `  Reference   ${apiUrl}/swagger-ui.html`,
    `  Operations  ${adminUrl}/readyz  ${adminUrl}/metrics`,
    `  Admin key   ${describeKey(facts.adminKey)}`,
  ];
  if (demo === undefined) return [...lines, "", ""].join("\n");
  return [
    ...lines,
    `  Database    PostgreSQL in ${demo.dataDirectory}, kept over restarts`,
    "",
    "  This is a demo, not a production set-up: one machine, no TLS, no copy of the data.",
    "  For production set DATABASE_URL, ADMIN_API_KEY, TLS_CERT_FILE and TLS_KEY_FILE.",
    "",
    "  Three ways to pay 10.00 EUR from Alice to Bob, each to be copied as it is into a second",
    "  terminal in this folder. Sent again, the first two pay nothing: their key is used up.",
    "",
    "  1. curl",
    "",
    curl(facts, "PaymentService/CreatePayment", payment(demo, "curl")),
    "",
    "  2. grpcurl, from https://github.com/fullstorydev/grpcurl",
    "",
    grpcurl(facts, "PaymentService/CreatePayment", payment(demo, "grpcurl")),
    "",
    "  3. TypeScript or JavaScript: install the SDK in a folder of yours, then run a program there",
    "",
    'npm install --prefix ../shop "./sdk/$(cd sdk && npm pack --silent)"',
    "",
    sdkProgram(facts, demo),
    "",
    "  Bob's balance after that:",
    "",
    curl(facts, "AccountService/GetBalance", [`"accountId": "${demo.accounts.bob}"`]),
    "",
    "",
  ].join("\n");
}

/** What is shown when an instance is up that takes no calls. */
export function workerBanner(adminUrl: string, roles: readonly string[]): string {
  return [
    "",
    `  The ${roles.join(" and ")} of the Instant Payment API is up; it takes no calls.`,
    "",
    `  Operations  ${adminUrl}/readyz  ${adminUrl}/metrics`,
    "",
    "",
  ].join("\n");
}

function describeKey(adminKey: AdminKey): string {
  if (adminKey.source === "none") return "none is needed: AUTH=none lets everybody in";
  if (adminKey.source === "setting") return "as set in ADMIN_API_KEY";
  const kept = `kept in ${adminKey.file}`;
  return adminKey.source === "kept" ? kept : `${adminKey.key}\n              shown once, ${kept}`;
}

/** The members of a request, each for a line of its own. */
function payment({ accounts, idempotencyKey }: Demo, client: string): string[] {
  return [
    `"idempotencyKey": "${idempotencyKey}-${client}"`,
    `"debtorAccountId": "${accounts.alice}"`,
    `"creditorAccountId": "${accounts.bob}"`,
    `"amount": {"currencyCode": "EUR", "amountMinor": "1000"}`,
  ];
}

function curl(facts: BannerFacts, method: string, members: readonly string[]): string {
  return [
    `curl ${facts.apiUrl}/instantpayment.v1.${method} \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -H "Authorization: Bearer ${shellKey(facts.adminKey)}" \\`,
    `  -d '{${members.join(",\n       ")}}'`,
  ].join("\n");
}

function grpcurl(facts: BannerFacts, method: string, members: readonly string[]): string {
  const { protocol, host } = new URL(facts.apiUrl);
  return [
    `grpcurl ${protocol === "http:" ? "-plaintext " : ""}\\`,
    `  -H "Authorization: Bearer ${shellKey(facts.adminKey)}" \\`,
    `  -d '{${members.join(",\n       ")}}' \\`,
    `  ${host} instantpayment.v1.${method}`,
  ].join("\n");
}

/** A here-document, in which the shell reads a kept key as it does in the other calls. */
function sdkProgram({ apiUrl, adminKey }: BannerFacts, { accounts }: Demo): string {
  return [
    "(cd ../shop && node --input-type=module) <<END",
    'import { createInstantPayment } from "@instant-payment/sdk";',
    "const client = createInstantPayment({",
    `  baseUrl: "${apiUrl}",`,
    `  apiKey: "${shellKey(adminKey)}",`,
    "});",
    "const payment = await client.createPayment({",
    `  debtorAccountId: "${accounts.alice}",`,
    `  creditorAccountId: "${accounts.bob}",`,
    '  amount: { value: "10.00", currencyCode: "EUR" },',
    "});",
    "console.log(payment.status, payment.debtorBalanceAfter, payment.creditorBalanceAfter);",
    "END",
  ].join("\n");
}

/** Within double quotes. A kept key is read by the shell, so that it is shown only once. */
function shellKey(adminKey: AdminKey): string {
  if (adminKey.source === "none") return "none";
  if (adminKey.source === "setting") return "$ADMIN_API_KEY";
  if (adminKey.source === "created") return adminKey.key;
  return `$(cat '${adminKey.file.replaceAll("'", `'\\''`)}')`;
}
