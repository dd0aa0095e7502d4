import type { JsonObject } from "@bufbuild/protobuf";
import { SCOPES } from "../../src/kernel/principal.ts";

const DESCRIPTION = `
**Calling.** Every method is \`POST /instantpayment.v1.Service/Method\` with a JSON body; methods
without side effects can also be called by \`GET\`. The same methods are served as gRPC, gRPC-Web
and Connect on the same port. Send your key as \`Authorization: Bearer <key>\`; here, press
**Authorize** and paste it. Each method names the scope that the key needs.

**Money** is a currency of ISO 4217 and a whole number of its smallest unit: \`{"currencyCode":
"EUR", "amountMinor": "1250"}\` is 12.50 €. 64-bit integers are strings in JSON, because numbers
lose digits above 2^53 - 1 in many languages.

**Repeating is safe.** A request that moves money carries an \`idempotencyKey\` of your choice, for
example a new UUID (or the header \`Idempotency-Key\`). Send the same request with the same key as
often as you like: the money moves once, and a repetition answers \`"replayed": true\`. After a
time-out or a lost connection send the same request again. The same key with another request is
refused with 409.

**A decline is an outcome, not an error.** A well-formed payment that can't be made (no funds, a
frozen account ...) answers HTTP 200 with \`"status": "PAYMENT_STATUS_REJECTED"\`, a \`reason\` and
the reason code of ISO 20022. Errors are for calls that are malformed, unauthenticated, forbidden,
conflicting or too many.

**Errors** are JSON: \`code\`, \`message\` for people, and \`details\` that begin with an ErrorInfo.
Branch on its \`reason\`, never on text. What isn't yours doesn't exist: it answers 404.

**Lists** come in pages: send \`nextPageToken\` back as \`pageToken\` with the rest unchanged, until
it's empty.
`;

/** The document's head, with what a reader must know before the first call. */
export const INFO = {
  title: "Instant Payment API",
  version: "v1",
  summary: "Moves money between accounts at once and exactly once.",
  description: DESCRIPTION.trim()
    .split("\n\n")
    .map((paragraph) => paragraph.replaceAll("\n", " "))
    .join("\n\n"),
  license: { name: "Apache-2.0", identifier: "Apache-2.0" },
} satisfies JsonObject;

/** How callers prove who they are. */
export const SECURITY_SCHEMES = {
  apiKey: {
    type: "http",
    scheme: "bearer",
    description:
      "A key of this service, or a JWT of the issuer that it trusts. Its first start prints a key; " +
      "`instant-payment keys create` and ApiKeyService make others. The scopes are " +
      `${SCOPES.map((scope) => `\`${scope}\``).join(", ")}, which includes all others.`,
  },
} satisfies JsonObject;
