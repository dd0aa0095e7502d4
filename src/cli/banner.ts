import type { AdminKey } from "./admin-key.ts";
import type { DemoAccounts } from "./demo.ts";

/** What there is to tell after a start. */
export interface BannerFacts {
  readonly apiUrl: string;
  readonly adminUrl: string;
  readonly adminKey: AdminKey;
  /** On the embedded database; undefined on one of the user's own. */
  readonly demo:
    | {
        readonly dataDirectory: string;
        readonly accounts: DemoAccounts;
        /** For the curl line, new at each start so that it makes a payment. */
        readonly idempotencyKey: string;
      }
    | undefined;
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
  const { accounts, dataDirectory, idempotencyKey } = demo;
  const payment = {
    idempotencyKey,
    debtorAccountId: accounts.alice,
    creditorAccountId: accounts.bob,
    amount: { currencyCode: "EUR", amountMinor: "1000" },
  };
  return [
    ...lines,
    `  Database    PostgreSQL in ${dataDirectory}, kept over restarts`,
    "",
    "  This is a demo, not a production set-up: one machine, no TLS, no copy of the data.",
    "  For production set DATABASE_URL, ADMIN_API_KEY, TLS_CERT_FILE and TLS_KEY_FILE.",
    "",
    "  Pay 10.00 EUR from Alice to Bob (sent again it pays nothing: the key is used up):",
    "",
    curl(facts, "PaymentService/CreatePayment", payment),
    "",
    "  Look at Bob's balance:",
    "",
    curl(facts, "AccountService/GetBalance", { accountId: accounts.bob }),
    "",
    "",
  ].join("\n");
}

function describeKey(adminKey: AdminKey): string {
  if (adminKey.source === "setting") return "as set in ADMIN_API_KEY";
  if (adminKey.source === "kept") return `kept in ${adminKey.file}`;
  return `${adminKey.key} (shown once, kept in ${adminKey.file})`;
}

function curl(facts: BannerFacts, method: string, body: object): string {
  return [
    `curl ${facts.apiUrl}/instantpayment.v1.${method} \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -H "Authorization: Bearer ${shellKey(facts.adminKey)}" \\`,
    `  -d '${JSON.stringify(body)}'`,
  ].join("\n");
}

/** Within double quotes. A kept key is read by the shell, so that it is shown only once. */
function shellKey(adminKey: AdminKey): string {
  if (adminKey.source === "setting") return "$ADMIN_API_KEY";
  if (adminKey.source === "created") return adminKey.key;
  return `$(cat '${adminKey.file.replaceAll("'", `'\\''`)}')`;
}
