import { CreatePaymentRequestSchema } from "../../../gen/instantpayment/v1/payment_service_pb.ts";
import { MALFORMED, TOO_LARGE, type Expected } from "../../support/expect-error.ts";
import type { PaymentDesk } from "../../support/payment-desk.ts";
import { CREATE_PAYMENT, paymentRequest } from "../../support/payment-requests.ts";
import { callRaw, encode, frame, isFramed, type Protocol } from "../../support/rpc-protocols.ts";
import type { Row } from "./row.ts";

const NO_PROTOBUF: [what: string, bytes: number[]][] = [
  ["what is no Protobuf", [0xff, 0xff, 0xff, 0xff]],
  ["a field that ends too late", [0x0a, 0x7f, 0x61]],
  ["text that isn't UTF-8", [0x0a, 0x02, 0xff, 0xfe]],
  ["field number 0", [0x00, 0x01]],
  ["a varint without an end", Array.from({ length: 11 }, () => 0xff)],
  ["a group without an end", [0x0b]],
];

// As the protocols have it; HTTP's status is always 200 here.
const NOT_ONE: Expected = ["unimplemented", 200, "UNIMPLEMENTED"];

const FRAMES: [what: string, body: (message: Uint8Array) => Buffer, Expected][] = [
  ["nothing", () => Buffer.alloc(0), NOT_ONE],
  ["half a head", () => Buffer.from([0, 0]), MALFORMED],
  ["two messages", (message) => Buffer.concat([frame(message), frame(message)]), NOT_ONE],
  ["a message shorter than it says", (message) => frame(message).subarray(0, -1), MALFORMED],
  ["a length of 4 GiB", () => Buffer.from([0, 0xff, 0xff, 0xff, 0xff]), TOO_LARGE],
  ["a compressed message without an encoding", (message) => frame(message, 1), MALFORMED],
  ["unknown flags", (message) => frame(message, 2), MALFORMED],
];

/** Bytes that aren't a message of Protobuf, or not framed as gRPC has it. */
export const WRONG_FRAMES: readonly Row[] = [
  ...NO_PROTOBUF.map(([what, bytes]): Row => ({
    what,
    in: ({ isJson }) => !isJson,
    send: (desk, protocol) => desk.send(protocol, CREATE_PAYMENT, Buffer.from(bytes)),
    expected: MALFORMED,
  })),
  ...FRAMES.map(([what, body, expected]): Row => ({
    what: `frames: ${what}`,
    in: isFramed,
    send: (desk, protocol) => sendRaw(desk, protocol, body),
    expected,
  })),
];

function sendRaw(desk: PaymentDesk, protocol: Protocol, body: (message: Uint8Array) => Buffer) {
  const message = encode(protocol, CreatePaymentRequestSchema, paymentRequest());
  const headers = { authorization: desk.authorization };
  return callRaw(desk.url, protocol, CREATE_PAYMENT, body(message), headers);
}
