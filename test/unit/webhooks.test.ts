import { describe, expect, test } from "vitest";
import { verifyWebhook } from "../../sdk/src/verify-webhook.ts";
import { judgeAnswer } from "../../src/webhooks/judge-answer.ts";
import { deliveryId } from "../../src/webhooks/plan-deliveries.ts";
import { createIsPublicAddress } from "../../src/webhooks/public-address.ts";
import { signWebhook } from "../../src/webhooks/sign-webhook.ts";
import { newWebhookSecret, toSecretText } from "../../src/webhooks/webhook-secret.ts";
import { checkWebhookUrl } from "../../src/webhooks/webhook-url.ts";
import { Webhook } from "standardwebhooks";

const BODY = JSON.stringify({
  eventId: "01a2044d-4eeb-77f0-bd8c-18b39937e929",
  type: "PAYMENT_EVENT_TYPE_SETTLED",
  payment: { id: "p", amount: { currencyCode: "EUR", amountMinor: "1250" } },
  addedLater: true,
});
const id = "01a2044d-4eeb-87f0-bd8c-18b39937e929";

function signed(secrets: readonly Uint8Array[], nowMs = Date.now()): Record<string, string> {
  return signWebhook({ id, timestampSeconds: Math.floor(nowMs / 1_000), body: BODY }, secrets);
}

describe("A signature", () => {
  test("is right in the eyes of the specification's library and of the SDK, for each secret", async () => {
    const secrets = [newWebhookSecret(), newWebhookSecret()];
    const headers = signed(secrets);
    for (const secret of secrets.map(toSecretText)) {
      expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
      new Webhook(secret).verify(BODY, headers);
      const event = await verifyWebhook(BODY, headers, secret);
      expect([event.type, event.payment.amount.value]).toEqual(["SETTLED", "12.50"]);
    }
    const bytes = new TextEncoder().encode(BODY);
    const other = toSecretText(newWebhookSecret());
    const some = [other, toSecretText(secrets[1]!)];
    expect((await verifyWebhook(bytes, new Headers(headers), some)).sequence).toBe(0);
  });

  test("of what the library signed is right in the eyes of the SDK", async () => {
    const secret = toSecretText(newWebhookSecret());
    const now = new Date();
    const headers = {
      "Webhook-Id": id,
      "Webhook-Timestamp": String(Math.floor(now.getTime() / 1_000)),
      "Webhook-Signature": `v2,abc ${new Webhook(secret).sign(id, now, BODY)}`,
    };
    expect(await verifyWebhook(BODY, headers, secret)).toMatchObject({ type: "SETTLED" });
  });

  const secret = newWebhookSecret();
  const text = toSecretText(secret);
  const headers = signed([secret]);
  const hour = 3_600_000;
  test.each([
    ["another secret", BODY, headers, toSecretText(newWebhookSecret()), "doesn't fit"],
    ["a changed body", BODY.replace("1250", "1251"), headers, text, "doesn't fit"],
    ["another id", BODY, { ...headers, "webhook-id": "x" }, text, "doesn't fit"],
    [
      "no signature that's one",
      BODY,
      { ...headers, "webhook-signature": "v1,%" },
      text,
      "doesn't fit",
    ],
    ["another version", BODY, { ...headers, "webhook-signature": "v1a,AAAA" }, text, "doesn't fit"],
    ["no header", BODY, { ...headers, "webhook-id": undefined }, text, "webhook-id is missing"],
    ["no time", BODY, { ...headers, "webhook-timestamp": "x" }, text, "isn't a time"],
    ["an old time", BODY, signed([secret], Date.now() - hour), text, "more than 5 minutes"],
    ["a time to come", BODY, signed([secret], Date.now() + hour), text, "more than 5 minutes"],
  ])("with %s isn't taken", async (_, body, headers, secret, message) => {
    await expect(verifyWebhook(body, headers, secret)).rejects.toMatchObject({
      reason: "WEBHOOK_NOT_VERIFIED",
      message: expect.stringContaining(message),
    });
  });

  test.each([
    ["parsed", JSON.parse(BODY)],
    ["missing", undefined],
    ["missing", null],
  ])("of a body that is %s says that the raw one is needed", async (what, body) => {
    await expect(verifyWebhook(body, headers, text)).rejects.toMatchObject({
      reason: "INVALID_FIELD",
      message: `body is ${what}: give the raw body as it came, a string or bytes`,
    });
  });

  test("needs headers", async () => {
    await expect(verifyWebhook(BODY, undefined as never, text)).rejects.toMatchObject({
      reason: "INVALID_FIELD",
      violations: [{ field: "headers" }],
    });
  });

  test("needs a secret that is one", async () => {
    for (const secret of ["", "whsec_", "whsec_§", undefined as never]) {
      await expect(verifyWebhook(BODY, headers, secret)).rejects.toMatchObject({
        reason: "INVALID_FIELD",
      });
    }
  });
});

test("A delivery's id is the same for the same event and endpoint, and has the event's time", () => {
  const [event, endpoint] = [
    "01a2044d-4eeb-77f0-bd8c-18b39937e929",
    "01a2044d-0000-7000-8000-000000000001",
  ];
  const made = deliveryId(event, endpoint);
  expect(made).toMatch(/^01a2044d-4eeb-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(deliveryId(event, endpoint)).toBe(made);
  expect(deliveryId(event, endpoint.replace(/1$/, "2"))).not.toBe(made);
});

describe("An address", () => {
  const isPublic = createIsPublicAddress();
  const special = `0.0.0.0 0.1.2.3 10.1.2.3 100.64.0.1 127.0.0.1 127.255.255.255 169.254.169.254
    172.16.0.1 172.31.255.255 192.0.0.1 192.168.1.1 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255
    :: ::1 ::ffff:8.8.8.8 ::ffff:127.0.0.1 64:ff9b::7f00:1 100::1 fc00::1 fd12::1 fe80::1
    fe80::1%eth0 fec0::1 ff02::1 2001:db8::1 2002:7f00:1:: 2001::1 x`;
  test.each(special.split(/\s+/))("%s isn't a host of the internet", (address) => {
    expect(isPublic(address)).toBe(false);
  });

  test.each(["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450:4001::1"])(
    "%s is one",
    (address) => {
      expect(isPublic(address)).toBe(true);
    },
  );
});

describe("A URL", () => {
  test.each([
    ["no URL", "must be a URL"],
    ["ftp://example.com/", "must be a URL"],
    ["http://example.com/", "must be a URL"],
    ["https://user@example.com/", "neither user"],
    ["https://:secret@example.com/", "neither user"],
    ["https://example.com/#here", "fragment"],
    ["https://127.0.0.1/", "private"],
    ["https://2130706433/", "private"],
    ["https://0x7f.1/", "private"],
    ["https://[::1]/", "private"],
    ["https://[::ffff:192.168.0.1]:8443/", "private"],
  ])("%s is refused: %s", (url, message) => {
    expect(() => checkWebhookUrl(url, { allowPrivate: false })).toThrow(message);
  });

  test("is taken in its normal form; a private one and http if that's allowed", () => {
    const check = (url: string, allowPrivate: boolean) => checkWebhookUrl(url, { allowPrivate });
    expect(check("https://Example.com:443/a b", false)).toBe("https://example.com/a%20b");
    expect(check("http://127.0.0.1:8080/x?y=1", true)).toBe("http://127.0.0.1:8080/x?y=1");
    expect(() => check("http://a:b@127.0.0.1/", true)).toThrow("neither user");
  });
});

describe("An answer", () => {
  const delivery = { id, endpointId: "e", endpointMs: 0, attempt: 3, failures: 0 };
  const nowMs = Date.UTC(2026, 0, 1);
  const judge = (statusCode: number, retryAfter?: string) =>
    judgeAnswer(delivery, { statusCode, retryAfter }, nowMs);
  test("is a delivery from 200 to 299, the end of the endpoint with 410, a failure otherwise", () => {
    for (const status of [200, 204, 299]) expect(judge(status).outcome).toBe("delivered");
    for (const status of [301, 307, 400, 404, 429, 500, 503]) {
      expect(judge(status)).toMatchObject({ outcome: "failed", statusCode: status, attempt: 3 });
      expect(judge(status).waitMs).toBeGreaterThanOrEqual(2_500);
    }
    expect(judge(410)).toMatchObject({ outcome: "gone" });
    expect(judge(302).error).toMatch("redirects");
    const none = judgeAnswer(delivery, new Error("no answer within 10 s"), nowMs);
    expect(none).toMatchObject({ statusCode: undefined, error: "no answer within 10 s" });
  });

  test.each([
    [429, "120", 120_000],
    [503, "Thu, 01 Jan 2026 00:05:00 GMT", 300_000],
    [503, "999999999", 86_400_000],
    [429, "Wed, 31 Dec 2025 00:00:00 GMT", 0],
    [429, "soon", 0],
    [429, undefined, 0],
    [500, "120", 0],
  ])("%d with Retry-After %s pauses for %d ms", (status, retryAfter, pauseMs) => {
    expect(judge(status, retryAfter)).toMatchObject({ pauseMs });
  });
});
