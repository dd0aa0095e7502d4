import type { JsonObject } from "@bufbuild/protobuf";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXAMPLE_VALUES } from "../../src/rpc/docs-examples.ts";
import { type FirstStart, firstStart } from "../support/first-start.ts";

interface Operation {
  requestBody: { content: Record<string, { example: JsonObject }> };
}

interface OpenApi {
  paths: Record<string, { get?: unknown; post: Operation }>;
}

let service: FirstStart;
let openApi: OpenApi;
const ajv = new Ajv2020({ strict: false, allErrors: true });
formats.default(ajv);

beforeAll(async () => {
  service = await firstStart();
  openApi = (await (await fetch(`${service.url}/v3/api-docs`)).json()) as OpenApi;
  ajv.addSchema({ $id: "api", ...openApi });
}, 90_000);

afterAll(() => service?.stop());

async function call(path: string, init: RequestInit): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${service.url}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${service.key}`, "content-type": "application/json" },
  });
  return { status: response.status, body: await response.json() };
}

/** What the document's schema of an answer finds wrong with it. */
function faults(path: string, method: "get" | "post", status: number, body: unknown): unknown {
  const escaped = path.replaceAll("/", "~1");
  const at =
    status === 200 ? `paths/${escaped}/${method}/responses/200` : `components/responses/${status}`;
  const validate = ajv.getSchema(`api#/${at}/content/application~1json/schema`)!;
  return validate(body) ? [] : validate.errors;
}

/** What isn't there in the demo: it sends no webhooks. */
const MISSING = "/instantpayment.v1.WebhookService/RedeliverWebhook";

test("Every example works against the demo, and the answers are as the document says", async () => {
  for (const [path, { get, post }] of Object.entries(openApi.paths)) {
    const body = JSON.stringify(post.requestBody.content["application/json"]?.example);
    if (body === undefined) continue; // a stream
    const posted = await call(path, { method: "POST", body });
    const status = path === MISSING ? 404 : 200;
    expect(posted.status, path).toBe(status);
    expect(faults(path, "post", status, posted.body), path).toEqual([]);
    if (get === undefined) continue;
    const query = new URLSearchParams({ encoding: "json", message: body });
    const got = await call(`${path}?${query.toString()}`, { method: "GET" });
    expect(got.status, path).toBe(200);
    expect(faults(path, "get", 200, got.body), path).toEqual([]);
  }
});

test.for<[number, string, RequestInit]>([
  [400, "CreatePayment", { method: "POST", body: "{}" }],
  [400, "CreatePayment", { method: "POST", body: "no JSON" }],
  [404, "GetPayment", { method: "POST", body: `{"paymentId":"${EXAMPLE_VALUES.demoPaymentId}"}` }],
  [429, "CreatePayment", { method: "POST", body: " ".repeat(100_000) }],
])("An error with HTTP %d of %s is as the document says", async ([status, name, init]) => {
  const path = `/instantpayment.v1.PaymentService/${name}`;
  const answer = await call(path, init);
  expect(answer.status).toBe(status);
  expect(faults(path, "post", status, answer.body)).toEqual([]);
});
