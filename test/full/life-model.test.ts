import { expect, test } from "vitest";
import { expectLifeAsModelled } from "../support/life-run.ts";

/** What the commands must have come to, so that the model was asked about it. */
const REACHED: Readonly<Record<string, readonly string[]>> = {
  create: ["SETTLED", "HELD", "PENDING", "REJECTED", "ACCOUNT_NOT_FOUND", "EXPIRE_TIME_PASSED"],
  capture: [
    "SETTLED",
    "HELD",
    "CAPTURE_DECLINED",
    "CAPTURE_EXCEEDS_HOLD",
    "CAPTURE_WOULD_RELEASE",
    "PAYMENT_EXPIRED",
  ],
  cancel: ["CANCELLED", "SETTLED", "PAYMENT_NOT_FOUND", "PAYMENT_ALREADY_CAPTURED"],
  refund: ["SETTLED", "REJECTED", "REFUND_EXCEEDS_CAPTURED", "PAYMENT_IS_REFUND"],
  retry: ["SETTLED", "HELD", "PENDING", "REJECTED", "PAYMENT_ALREADY_RETRIED"],
  due: ["SETTLED", "HELD", "PENDING", "REJECTED", "EXPIRED"],
};

test(
  "20,000 random commands by 16 at once do what the model says, and nothing is left unasked",
  { timeout: 600_000 },
  async () => {
    const seen = await expectLifeAsModelled(20_000, 20);
    const expected = Object.entries(REACHED).flatMap(([kind, told]) =>
      told.map((one) => `${kind} ${one}`),
    );
    expect([...seen.keys()]).toEqual(expect.arrayContaining(expected));
  },
);
