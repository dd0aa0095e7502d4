/** What a caller may do; `admin` includes all the others. */
export type Scope =
  | "accounts:read"
  | "accounts:write"
  | "payments:read"
  | "payments:write"
  | "webhooks"
  | "admin";

/** Who calls, as authentication found it. Every use case takes one first. */
export interface Principal {
  /** Whose accounts and idempotency keys the caller works with. */
  readonly ownerId: string;
  readonly scopes: ReadonlySet<Scope>;
}

/** True if the caller may see and do everything. */
export function isAdmin(principal: Principal): boolean {
  return principal.scopes.has("admin");
}
