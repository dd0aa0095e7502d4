import { createClient, type Client } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import type { DescService } from "@bufbuild/protobuf";
import { ApiKeyService } from "../../gen/instantpayment/v1/api_key_service_pb.ts";
import type { Scope } from "../../src/kernel/principal.ts";

/** A client of one service that sends this key. */
export function clientOf<S extends DescService>(service: S, url: string, key: string): Client<S> {
  return createClient(
    service,
    createConnectTransport({
      baseUrl: url,
      httpVersion: "1.1",
      interceptors: [
        (next) => (request) => {
          request.header.set("authorization", `Bearer ${key}`);
          return next(request);
        },
      ],
    }),
  );
}

/** Everything but what is an administrator's. */
const OWNERS_SCOPES: readonly Scope[] = [
  "accounts:read",
  "accounts:write",
  "payments:read",
  "payments:write",
  "webhooks",
];

/** Has the administrator make a key; its id and secret. */
export async function makeKey(
  app: { readonly apiUrl: string; readonly adminKey: string },
  ownerId: string,
  scopes: readonly Scope[] = OWNERS_SCOPES,
): Promise<{ readonly id: string; readonly secret: string }> {
  const keys = clientOf(ApiKeyService, app.apiUrl, app.adminKey);
  const { apiKey, secret } = await keys.createApiKey({ ownerId, scopes: [...scopes] });
  return { id: apiKey!.id, secret };
}
