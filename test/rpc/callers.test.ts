// Every RPC of the contract, whatever it is called with in the place of a key.
import type { DescMethod } from "@bufbuild/protobuf";
import { codeFromString, codeToHttpStatus } from "@connectrpc/connect/protocol-connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requiredScopeOf } from "../../src/rpc/required-scope.ts";
import { contractFiles } from "../support/contract.ts";
import { METHOD_CASES } from "./callers/methods.ts";
import { openWorld, type World } from "./callers/world.ts";

const methods = (await contractFiles())
  .flatMap((file) => file.services)
  .flatMap((service) => service.methods);

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.app.stop());

interface Answer {
  readonly status: number;
  readonly reason: string | undefined;
  readonly text: string;
  readonly headers: Record<string, string>;
}

async function call(
  method: DescMethod,
  key: string | undefined,
  request: Readonly<Record<string, unknown>>,
): Promise<Answer> {
  const path = `/${method.parent.typeName}/${method.name}`;
  const isStream = method.methodKind === "server_streaming";
  const body = JSON.stringify(request);
  const response = await fetch(`${world.app.apiUrl}${path}`, {
    method: "POST",
    headers: {
      "content-type": isStream ? "application/connect+json" : "application/json",
      ...(key !== undefined && { authorization: key }),
    },
    body: isStream ? enveloped(body) : body,
  });
  const headers = Object.fromEntries(response.headers);
  const { status, text } = isStream
    ? await firstOf(response.body!)
    : { status: response.status, text: await response.text() };
  const [, reason] = /"reason":"([A-Z_]+)","domain"/.exec(text) ?? [];
  return { status, reason, text, headers };
}

/** A message of a stream: one byte of flags, four of length. */
function enveloped(message: string): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(Buffer.byteLength(message), 1);
  return Buffer.concat([head, Buffer.from(message)]);
}

/** What a stream tells first, or its error with the status that it would have elsewhere. */
async function firstOf(body: ReadableStream<Uint8Array>): Promise<Pick<Answer, "status" | "text">> {
  let bytes = Buffer.alloc(0);
  // Leaving ends the stream.
  for await (const chunk of body) {
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt32BE(1)) break;
  }
  const text = bytes.toString("utf8", 5, 5 + bytes.readUInt32BE(1));
  const isEnd = bytes[0] === 2;
  const { error } = isEnd ? JSON.parse(text) : {};
  return { status: isEnd ? codeToHttpStatus(codeFromString(error.code)!) : 200, text };
}

test("there is a case for every RPC, and every RPC names its scope", () => {
  expect(Object.keys(METHOD_CASES).toSorted()).toEqual(methods.map(({ name }) => name).toSorted());
  // Callers that stream need another way to call than `call`.
  const kinds = new Set(methods.map(({ methodKind }) => methodKind));
  expect(kinds).toEqual(new Set(["unary", "server_streaming"]));
  expect(() => methods.map((method) => requiredScopeOf(method))).not.toThrow();
});

describe.each(methods.map((method) => [method.name, method] as const))("%s", (name, method) => {
  const { request, unknown, byBob } = METHOD_CASES[name]!;
  const scope = requiredScopeOf(method);

  test("isn't for callers without a key that works, whatever they send", async () => {
    const lastOther = world.alice.endsWith("A") ? "B" : "A";
    const wrong: [string, string | undefined][] = [
      ["no key", undefined],
      ["an empty key", "Bearer "],
      ["junk", "Bearer junk"],
      ["a key of another form", `Bearer ipk_${"0".repeat(32)}`],
      ["a key that there isn't", `Bearer ipk_${"0".repeat(32)}_${"A".repeat(43)}`],
      ["a wrong secret", `Bearer ${world.alice.slice(0, -1)}${lastOther}`],
      ["another scheme", `Basic ${world.alice}`],
      ["two keys", `Bearer ${world.alice}, Bearer ${world.alice}`],
      ["a revoked key", `Bearer ${world.revoked}`],
      ["an expired key", `Bearer ${world.expired}`],
      ["a secret that was rotated out", `Bearer ${world.rotatedOut}`],
    ];
    for (const [what, key] of wrong) {
      for (const body of [request(world), { no: "message" }]) {
        const { status, reason } = await call(method, key, body);
        expect([what, status, reason]).toEqual([what, 401, "MISSING_CREDENTIALS"]);
      }
    }
  });

  test("isn't for a key without its scope", async () => {
    const key = `Bearer ${world.without.get(scope)}`;
    for (const body of [request(world), { no: "message" }]) {
      const answer = await call(method, key, body);
      expect([answer.status, answer.reason]).toEqual([403, "MISSING_SCOPE"]);
      expect(answer.text).toContain(`"metadata":{"scope":"${scope}"}`);
    }
  });

  test("keeps what is Alice's from Bob, as if it weren't there", async () => {
    const answer = await call(method, `Bearer ${world.bob}`, request(world));
    if ("answer" in byBob) expect(JSON.parse(answer.text)).toEqual(byBob.answer);
    else expect(answer).toMatchObject(byBob);
    if (unknown === undefined) return;
    const nothing = await call(method, `Bearer ${world.bob}`, unknown(world));
    for (const { headers } of [answer, nothing]) for (const own of OWN) delete headers[own];
    expect(nothing).toEqual(answer);
  });

  test("is for whom it's meant", async () => {
    const key = scope === "admin" ? world.app.adminKey : world.alice;
    const { status, text } = await call(method, `Bearer ${key}`, request(world));
    expect([status, text]).toEqual([200, expect.stringMatching(/^\{/)]);
    expect(text).not.toContain('"error":{');
  });
});

/** Headers that differ from answer to answer. */
const OWN = ["x-request-id", "date"];
