import { getOption, type DescMethod } from "@bufbuild/protobuf";
import { required_scope } from "../../gen/instantpayment/v1/scope_pb.ts";
import { isScope, type Scope } from "../kernel/principal.ts";

/** The scope in a method's proto. Throws if there is none: a method is nobody's unless it says. */
export function requiredScopeOf(method: DescMethod): Scope {
  const scope = getOption(method, required_scope);
  if (isScope(scope)) return scope;
  throw new Error(`${method.toString()} needs the option (required_scope), not "${scope}"`);
}
