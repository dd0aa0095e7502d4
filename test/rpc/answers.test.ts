import { afterAll, beforeAll, describe, test } from "vitest";
import { openPaymentDesk, type PaymentDesk } from "../support/payment-desk.ts";
import { PROTOCOLS } from "../support/rpc-protocols.ts";
import { CHANGES } from "./answers/changes.ts";
import { OUTCOMES } from "./answers/outcomes.ts";
import { expectAnswer } from "./answers/row.ts";
import { WRONG_FIELDS } from "./answers/wrong-fields.ts";
import { WRONG_FRAMES } from "./answers/wrong-frames.ts";
import { WRONG_HEADERS } from "./answers/wrong-headers.ts";
import { WRONG_JSON } from "./answers/wrong-json.ts";

let desk: PaymentDesk;
beforeAll(async () => {
  desk = await openPaymentDesk();
});
afterAll(() => desk.close());

const ROWS = [
  ...WRONG_HEADERS,
  ...WRONG_FIELDS,
  ...WRONG_JSON,
  ...WRONG_FRAMES,
  ...OUTCOMES,
  ...CHANGES,
];

describe.each(PROTOCOLS)(
  "Over $name, answered as promised and the ledger exact after",
  (protocol) => {
    test.each(ROWS.filter((row) => row.in?.(protocol) ?? true))("$what", async (row) => {
      expectAnswer(row, protocol, await row.send(desk, protocol));
      await desk.expectExact(row.moves);
    });
  },
);
