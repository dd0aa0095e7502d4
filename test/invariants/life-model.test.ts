import { expect, test } from "vitest";
import { expectLifeAsModelled } from "../support/life-run.ts";

const REACHED = (
  "create SETTLED, create HELD, create PENDING, create REJECTED, capture SETTLED, cancel CANCELLED, " +
  "refund SETTLED, retry REJECTED, due EXPIRED, due SETTLED, due PENDING, due REJECTED"
).split(", ");

test(
  "2,000 random commands by 16 at once do what the model says",
  { timeout: 120_000 },
  async () => {
    const seen = await expectLifeAsModelled(2_000, 2);
    // They have reached what they are there for; the rarer outcomes are for the 20,000.
    expect([...seen.keys()]).toEqual(expect.arrayContaining(REACHED));
  },
);
