import { ServiceError } from "./errors.ts";

/** What a caller can be allowed to do; `admin` includes all the others. */
export const SCOPES = [
  "accounts:read",
  "accounts:write",
  "payments:read",
  "payments:write",
  "webhooks",
  "admin",
] as const;

/** One of `SCOPES`. */
export type Scope = (typeof SCOPES)[number];

/** True for one of `SCOPES`. */
export function isScope(text: unknown): text is Scope {
  return SCOPES.some((scope) => scope === text);
}

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

/** The condition that something is the caller's; part of each query for it, so never forgotten. */
export function ownedBy(principal: Principal): { ownerId?: string } {
  return isAdmin(principal) ? {} : { ownerId: principal.ownerId };
}

/** Throws MISSING_SCOPE for a caller who may not see and do everything. */
export function assertAdmin(principal: Principal): void {
  assertScope(principal, "admin");
}

/** Throws MISSING_SCOPE for a caller who may not do what needs the scope. */
export function assertScope(principal: Principal, scope: Scope): void {
  if (principal.scopes.has(scope) || isAdmin(principal)) return;
  const message = `The key lacks the scope ${scope}.`;
  throw new ServiceError("MISSING_SCOPE", { message, metadata: { scope } });
}
