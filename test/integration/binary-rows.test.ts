import { expect, test } from "vitest";
import { createRowLayouts, encodeRows } from "../../src/platform/binary-rows.ts";
import { runSql } from "../support/sql.ts";
import { useLedger } from "../support/use-ledger.ts";

const used = useLedger();

const ROWS = [
  {
    uuid: "0193b3c0-0aF9-7000-8000-fFaB00000001",
    text: `é "{,}" \\ 'x' 😀\n`,
    bigint: 2n ** 63n - 1n,
    number: 2 ** 53 - 1,
    int: -2147483648,
    smallint: 63,
    time: new Date("2026-02-28T23:59:59.999Z"),
    bytes: Uint8Array.of(0, 255, 92),
    json: { 'a"\\': "ü" },
  },
  {
    uuid: "ffffffff-ffff-ffff-ffff-ffffffffffff",
    text: "",
    bigint: -(2n ** 63n),
    number: -(2 ** 32) - 1,
    int: 0,
    smallint: -1,
    time: new Date("1969-12-31T23:59:59.001Z"),
    bytes: new Uint8Array(),
    json: {},
  },
  { uuid: null, text: "x".repeat(100_000) },
];

test("Values of every type arrive as they were, and null where there is none", async () => {
  const { orm, commitPool } = used.ledger.database;
  await runSql(
    used.url,
    `create table every_type (uuid uuid, text text, gone int, bigint bigint, number bigint, int int,
       smallint smallint, time timestamptz(3), bytes bytea, json jsonb, unknown text)`,
  );
  await runSql(used.url, "alter table every_type drop column gone");
  const layout = (await createRowLayouts(orm, ["every_type"]).get()).get("every_type")!;
  const names = Object.keys(ROWS[0]!);
  const encoded = encodeRows(layout, new Map(names.map((name) => [name, name])), ROWS);
  const text = `select u.*, u.number::text as number, u.unknown is null as is_null
    from unnest($1::every_type[]) u`;
  const { rows } = await commitPool.query<Record<string, unknown>>(text, [encoded]);
  const [first, second, third] = ROWS;
  expect(rows).toEqual([
    { ...toRead(first!), uuid: String(first!.uuid).toLowerCase() },
    toRead(second!),
    { ...toRead(third!), ...Object.fromEntries(names.slice(2).map((name) => [name, null])) },
  ]);
  await runSql(used.url, "drop table every_type");
});

/** The row as the driver reads it. */
function toRead(row: (typeof ROWS)[number]): Record<string, unknown> {
  const { bigint, number, bytes } = row;
  const texts = { bigint: bigint?.toString(), number: number?.toString() };
  return { ...row, ...texts, bytes: bytes && Buffer.from(bytes), unknown: null, is_null: true };
}

test("A column that a newer release adds while this one runs doesn't stop payments", async () => {
  const { ledger } = used;
  const account = await ledger.openFunded(100n);
  await runSql(used.url, "alter table payment add column later text, add column last int");
  await runSql(used.url, "alter table account add column later text");
  const creditor = await ledger.open();
  const sides = { debtorAccountId: account.id, creditorAccountId: creditor.id };
  const { payment } = await ledger.pay({ ...sides, amountMinor: 1n });
  expect(payment.status).toBe("SETTLED");
  await runSql(used.url, "alter table payment drop column later");
  const { payment: next } = await ledger.pay({ ...sides, amountMinor: 1n });
  expect(next.status).toBe("SETTLED");
});
