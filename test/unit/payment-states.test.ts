import { expect, test } from "vitest";
import {
  mayBecome,
  nextStatuses,
  PAYMENT_STATUSES,
  PAYMENT_TRANSITIONS,
} from "../../src/kernel/payment-states.ts";
import { REFUSALS } from "../../src/payments/payment.ts";

test("Every way of the table has its reason and leads to a status of the table", () => {
  for (const ways of Object.values(PAYMENT_TRANSITIONS)) {
    for (const [to, why] of Object.entries(ways)) {
      expect(PAYMENT_STATUSES).toContain(to);
      expect(why).not.toBe("");
    }
  }
});

test("Two steps at once are a way too, since a batch may take both before it writes", () => {
  for (const from of PAYMENT_STATUSES) {
    for (const by of nextStatuses(from)) {
      for (const to of nextStatuses(by)) expect([from, to, mayBecome(from, to)]).toContain(true);
    }
  }
});

test("Open payments alone change their status, and nothing becomes pending again", () => {
  const changing = PAYMENT_STATUSES.filter((from) => nextStatuses(from).some((to) => to !== from));
  expect(changing).toEqual(["PENDING", "HELD"]);
  expect(PAYMENT_STATUSES.filter((from) => mayBecome(from, "PENDING"))).toEqual(["PENDING"]);
});

test("What ended by itself refuses every action with a reason of its own", () => {
  for (const [action, refusals] of Object.entries(REFUSALS)) {
    const { SETTLED, CANCELLED, EXPIRED } = refusals;
    expect([action, CANCELLED, EXPIRED]).toEqual([
      action,
      "PAYMENT_ALREADY_CANCELLED",
      "PAYMENT_EXPIRED",
    ]);
    expect(SETTLED).toBe(action === "refund" ? null : "PAYMENT_ALREADY_CAPTURED");
  }
});
