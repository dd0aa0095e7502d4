import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { AccountService } from "../../gen/instantpayment/v1/account_service_pb.ts";
import { ApiKeyService } from "../../gen/instantpayment/v1/api_key_service_pb.ts";
import { LedgerService } from "../../gen/instantpayment/v1/ledger_service_pb.ts";
import { PaymentService } from "../../gen/instantpayment/v1/payment_service_pb.ts";
import { WebhookService } from "../../gen/instantpayment/v1/webhook_service_pb.ts";

/**
 * What implements the contract, by the roles that have it where a role is needed for it; a service
 * that this instance doesn't offer is undefined.
 */
export interface Implementations {
  readonly payments: ServiceImpl<typeof PaymentService> | undefined;
  readonly accounts: ServiceImpl<typeof AccountService> | undefined;
  readonly ledger: ServiceImpl<typeof LedgerService>;
  readonly keys: ServiceImpl<typeof ApiKeyService>;
  readonly webhooks: ServiceImpl<typeof WebhookService>;
}

/** The services that an instance offers, and what registers them. */
export interface Contract {
  /** All of the contract, whoever offers them. */
  readonly described: readonly DescService[];
  readonly services: readonly DescService[];
  /** The roles that offer the services that this instance doesn't, by the services' full names. */
  readonly rolesElsewhere: ReadonlyMap<string, string>;
  readonly routes: (router: ConnectRouter) => void;
}

/** Puts each implementation beside its service of the contract. */
export function implementContract(implementations: Implementations): Contract {
  const { payments, accounts, ledger, keys, webhooks } = implementations;
  // What an instance serves and what all of them describe comes from one list.
  const offers = [
    offer(PaymentService, payments, "payments"),
    offer(AccountService, accounts, "accounts"),
    offer(LedgerService, ledger),
    offer(ApiKeyService, keys),
    offer(WebhookService, webhooks),
  ];
  const here = offers.filter(({ isHere }) => isHere);
  const elsewhere = offers.filter(({ isHere }) => !isHere);
  return {
    described: offers.map(({ service }) => service),
    services: here.map(({ service }) => service),
    rolesElsewhere: new Map(elsewhere.map(({ service, role }) => [service.typeName, role])),
    routes(router) {
      for (const { register } of here) register(router);
    },
  };
}

/** `role` is the one that has the service, if not all that take calls do. */
function offer<S extends DescService>(
  service: S,
  implementation: ServiceImpl<S> | undefined,
  role = "",
) {
  return {
    service: service as DescService,
    role,
    isHere: implementation !== undefined,
    register: (router: ConnectRouter) => {
      if (implementation !== undefined) router.service(service, implementation);
    },
  };
}
