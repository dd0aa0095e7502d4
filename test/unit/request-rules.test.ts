import { getOption, toJson } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { expect, test } from "vitest";
import { field as fieldOption, FieldRulesSchema } from "../../gen/buf/validate/validate_pb.ts";
import { PATTERNS_IN_WORDS } from "../../src/rpc/request-rules.ts";
import { contractFiles } from "../support/contract.ts";

test("every pattern of the contract is told in words, since few callers read patterns", async () => {
  const types = (await contractFiles()).flatMap((file) => [...nestedTypes(file)]);
  const fields = types.flatMap((type) => (type.kind === "message" ? type.fields : []));
  const rules = fields.map((field) => toJson(FieldRulesSchema, getOption(field, fieldOption)));
  const patterns = [...JSON.stringify(rules).matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)].map(
    ([, pattern = ""]) => JSON.parse(pattern) as string,
  );
  expect(Object.keys(PATTERNS_IN_WORDS).toSorted()).toEqual([...new Set(patterns)].toSorted());
});
