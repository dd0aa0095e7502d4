/**
 * What the examples in gen/openapi.json stand for. The document carries these values, so that it
 * is valid as it is; `docsRoutes` puts real ones in their place.
 */
export const EXAMPLE_VALUES = {
  demoDebtorAccountId: "01980000-0000-7000-8000-00000000000d",
  demoCreditorAccountId: "01980000-0000-7000-8000-00000000000c",
  demoApiKeyId: "01980000-0000-7000-8000-00000000000b",
  demoPaymentId: "01980000-0000-7000-8000-00000000000a",
  demoHeldPaymentId: "01980000-0000-7000-8000-0000000000a1",
  demoCancelPaymentId: "01980000-0000-7000-8000-0000000000a2",
  demoRejectedPaymentId: "01980000-0000-7000-8000-0000000000a3",
  demoWebhookId: "01980000-0000-7000-8000-0000000000b1",
  demoUnusedWebhookId: "01980000-0000-7000-8000-0000000000b2",
} as const satisfies Record<string, string>;

/** How an idempotency key in the examples begins; each is served as a UUID, new every time. */
export const EXAMPLE_KEY_PREFIX = "example-key-";
