import { AccountEntity } from "./accounts/account.entity.ts";
import { PaymentEventEntity } from "./events/payment-event.entity.ts";
import { ApiKeyEntity } from "./keys/api-key.entity.ts";
import { RelayEntity, RelayLeaseEntity } from "./events/relay-lease.entity.ts";
import { UnpublishedEventEntity } from "./events/unpublished-event.entity.ts";
import { EntryEntity } from "./ledger/entry.entity.ts";
import { IdempotencyKeyEntity } from "./payments/idempotency-key.entity.ts";
import { PaymentEntity } from "./payments/payment.entity.ts";
import { WebhookDeliveryEntity } from "./webhooks/webhook-delivery.entity.ts";
import { WebhookEndpointEntity } from "./webhooks/webhook-endpoint.entity.ts";

/** Every table that MikroORM knows. */
export const entities = [
  AccountEntity,
  PaymentEntity,
  EntryEntity,
  IdempotencyKeyEntity,
  PaymentEventEntity,
  UnpublishedEventEntity,
  ApiKeyEntity,
  RelayEntity,
  RelayLeaseEntity,
  WebhookEndpointEntity,
  WebhookDeliveryEntity,
];
