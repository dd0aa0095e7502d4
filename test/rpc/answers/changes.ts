import type { DescMethodUnary } from "@bufbuild/protobuf";
import { expect } from "vitest";
import { PaymentStatus } from "../../../gen/instantpayment/v1/payment_pb.ts";
import {
  CaptureMode,
  CreatePaymentResponseSchema,
  PaymentService,
} from "../../../gen/instantpayment/v1/payment_service_pb.ts";
import { INVALID } from "../../support/expect-error.ts";
import { decode, type PaymentDesk } from "../../support/payment-desk.ts";
import { ACCOUNTS, type PaymentChanges } from "../../support/payment-requests.ts";
import type { Outcome, Protocol } from "../../support/rpc-protocols.ts";
import type { Row } from "./row.ts";

const { capturePayment, cancelPayment, refundPayment, retryPayment } = PaymentService.method;

type ChangeMethod =
  | typeof capturePayment
  | typeof cancelPayment
  | typeof refundPayment
  | typeof retryPayment;

const METHODS: readonly ChangeMethod[] = [
  capturePayment,
  cancelPayment,
  refundPayment,
  retryPayment,
];

const euros = (amountMinor: bigint) => ({ amount: { currencyCode: "EUR", amountMinor } });
const HELD: PaymentChanges = { captureMode: CaptureMode.MANUAL };
const REJECTED: PaymentChanges = { debtorAccountId: ACCOUNTS.empty };

/** Sends a change of a payment. */
function send(
  desk: PaymentDesk,
  protocol: Protocol,
  method: DescMethodUnary,
  fields: Readonly<Record<string, unknown>>,
): Promise<Outcome> {
  return desk.call(protocol, method, fields);
}

/** A row about a change of a payment that is made for it, of 500 unless told otherwise. */
function row(
  what: string,
  made: PaymentChanges,
  method: ChangeMethod,
  rest: Pick<Row, "expected" | "moves"> & {
    readonly fields?: object;
    readonly before?: ChangeMethod;
  },
): Row {
  const { fields, before, ...promised } = rest;
  return {
    what: `${method.name} of ${what}`,
    async send(desk, protocol) {
      const name = `${method.name} of ${what}, ${protocol.name}`;
      const paid = await desk.pay(protocol, { idempotencyKey: `for ${name}`, ...made });
      const paymentId = decode(protocol, CreatePaymentResponseSchema, paid).payment!.id;
      if (before)
        await send(desk, protocol, before, { paymentId, idempotencyKey: `before ${name}` });
      return await send(desk, protocol, method, { paymentId, idempotencyKey: name, ...fields });
    },
    ...promised,
  };
}

const refused = (reason: string) => ["failed_precondition", 400, reason] as const;

const becomes =
  (method: ChangeMethod, status: PaymentStatus, fields: object = {}): Row["expected"] =>
  (outcome, protocol) => {
    const { payment } = decode(protocol, method.output, outcome);
    expect(payment).toMatchObject({ status, ...fields });
  };

const ofAll: Row[] = METHODS.flatMap((method): Row[] => [
  {
    what: `${method.name} of a payment that doesn't exist`,
    send: (desk, protocol) =>
      send(desk, protocol, method, { paymentId: ACCOUNTS.unknown, idempotencyKey: "none" }),
    expected: ["not_found", 404, "PAYMENT_NOT_FOUND"],
  },
  {
    what: `${method.name} without a payment or a key`,
    send: (desk, protocol) => send(desk, protocol, method, {}),
    expected: INVALID("payment_id", "idempotency_key"),
  },
  {
    what: `${method.name} under the key of a CreatePayment`,
    async send(desk, protocol) {
      const idempotencyKey = `${method.name} after CreatePayment, ${protocol.name}`;
      const paid = await desk.pay(protocol, { idempotencyKey, ...HELD });
      const paymentId = decode(protocol, CreatePaymentResponseSchema, paid).payment!.id;
      return await send(desk, protocol, method, { paymentId, idempotencyKey });
    },
    expected: ["already_exists", 409, "IDEMPOTENCY_KEY_REUSED", ["method"]],
  },
]);

const amounts: Row[] = [capturePayment, refundPayment].flatMap((method) => {
  const made = method === capturePayment ? HELD : {};
  const moves = method === capturePayment ? 0n : 500n;
  return [
    row("an amount of 0", made, method, {
      fields: euros(0n),
      expected: INVALID("amount.amount_minor"),
      moves,
    }),
    row("an amount in currency usd", made, method, {
      fields: { amount: { currencyCode: "usd", amountMinor: 1n } },
      expected: INVALID("amount.currency_code"),
      moves,
    }),
    row("1 more than there is", made, method, {
      fields: euros(501n),
      expected: refused(
        method === capturePayment ? "CAPTURE_EXCEEDS_HOLD" : "REFUND_EXCEEDS_CAPTURED",
      ),
      moves,
    }),
  ];
});

/** Captures, cancellations, refunds and retries: what each state of a payment answers. */
export const CHANGES: readonly Row[] = [
  ...ofAll,
  ...amounts,
  row("what is held", HELD, capturePayment, {
    expected: becomes(capturePayment, PaymentStatus.SETTLED, { capturedMinor: 500n }),
    moves: 500n,
  }),
  row("a part of what is held", HELD, capturePayment, {
    fields: euros(200n),
    expected: becomes(capturePayment, PaymentStatus.SETTLED, { capturedMinor: 200n }),
    moves: 200n,
  }),
  row("a settled payment", {}, capturePayment, {
    expected: refused("PAYMENT_ALREADY_CAPTURED"),
    moves: 500n,
  }),
  row("a cancelled payment", HELD, capturePayment, {
    before: cancelPayment,
    expected: refused("PAYMENT_ALREADY_CANCELLED"),
  }),
  row("a rejected payment", REJECTED, capturePayment, { expected: refused("PAYMENT_REJECTED") }),
  row("what is held", HELD, cancelPayment, {
    expected: becomes(cancelPayment, PaymentStatus.CANCELLED, { capturedMinor: 0n }),
  }),
  row("a settled payment", {}, cancelPayment, {
    expected: refused("PAYMENT_ALREADY_CAPTURED"),
    moves: 500n,
  }),
  row("a rejected payment", REJECTED, cancelPayment, { expected: refused("PAYMENT_REJECTED") }),
  row("a settled payment", {}, refundPayment, {
    expected: becomes(refundPayment, PaymentStatus.SETTLED, { capturedMinor: 500n }),
  }),
  row("a payment that is refunded already", {}, refundPayment, {
    before: refundPayment,
    expected: refused("REFUND_EXCEEDS_CAPTURED"),
  }),
  row("what is held", HELD, refundPayment, { expected: refused("PAYMENT_NOT_CAPTURED") }),
  row("a rejected payment", REJECTED, refundPayment, { expected: refused("PAYMENT_REJECTED") }),
  row("a rejected payment", REJECTED, retryPayment, {
    expected: becomes(retryPayment, PaymentStatus.REJECTED, { reasonCode: "AM04" }),
  }),
  row("a payment that was retried already", REJECTED, retryPayment, {
    before: retryPayment,
    expected: refused("PAYMENT_ALREADY_RETRIED"),
  }),
  row("a settled payment", {}, retryPayment, {
    expected: refused("PAYMENT_ALREADY_CAPTURED"),
    moves: 500n,
  }),
  row("what is held", HELD, retryPayment, { expected: refused("PAYMENT_ALREADY_HELD") }),
];
