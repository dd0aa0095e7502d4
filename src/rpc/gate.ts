import { ServiceError } from "../kernel/errors.ts";
import { assertScope, type Principal, type Scope } from "../kernel/principal.ts";

/** Finds who calls by the header `Authorization`; undefined if no valid key is in it. */
export type Authenticate = (authorization: string | undefined) => Promise<Principal | undefined>;

/** Lets a call in or throws why not. */
export interface Gate {
  /**
   * The caller of a method that needs the scope. Throws MISSING_CREDENTIALS, MISSING_SCOPE, and
   * whatever the authentication itself throws.
   */
  admit(authorization: string | undefined, scope: Scope): Promise<Principal>;
  readonly isShut: () => boolean;
  /** Throws UNAVAILABLE once the gate is shut. */
  assertOpen(): void;
  /** From now on nobody is let in. */
  shut(): void;
}

/** Makes the gate that every call passes before its body is read. */
export function createGate(authenticate: Authenticate): Gate {
  let isShut = false;
  return {
    isShut: () => isShut,
    async admit(authorization, scope) {
      const principal = await authenticate(authorization);
      if (principal === undefined) throw new ServiceError("MISSING_CREDENTIALS");
      assertScope(principal, scope);
      return principal;
    },
    assertOpen() {
      if (isShut) {
        throw new ServiceError("UNAVAILABLE", { message: "the instance is shutting down" });
      }
    },
    shut() {
      isShut = true;
    },
  };
}
