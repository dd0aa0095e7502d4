import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { chromiumPath } from "../support/services/chromium.ts";
import { type FirstStart, firstStart } from "../support/first-start.ts";

// Drawing the page takes a busy machine long.
const SLOW_MS = 120_000;

let service: FirstStart;
let browser: Browser;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  service = await firstStart();
  browser = await chromium.launch({ executablePath: await chromiumPath() });
}, 2 * SLOW_MS);

afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

beforeEach(async () => {
  page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
  complaints = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    const { origin } = new URL(request.url());
    if (origin !== service.url && origin !== "null") complaints.push(`asks ${request.url()}`);
  });
  await page.goto(`${service.url}/`);
  return () => page.close();
});

async function authorize(): Promise<void> {
  await page.getByRole("button", { name: "Authorize" }).first().click();
  const dialog = page.locator(".dialog-ux");
  await dialog.locator("input").fill(service.key);
  await dialog.getByRole("button", { name: "Apply credentials" }).click();
  await dialog.getByRole("button", { name: "Close" }).click();
}

/** Opens an operation and presses "Try it out". */
async function tryOut(operationId: string): Promise<Locator> {
  const operation = page.locator(`[id$="-${operationId}"]`);
  await operation.locator(".opblock-summary-control").click();
  await operation.getByRole("button", { name: "Try it out" }).click();
  return operation;
}

/** Presses "Execute" and returns the answer, once the page shows it. */
async function execute(operation: Locator): Promise<{ status: number; body: unknown }> {
  const answered = page.waitForResponse((response) => response.url().includes("/instantpayment."));
  await operation.getByRole("button", { name: "Execute" }).click();
  const response = await answered;
  const body: unknown = await response.json();
  const shown = operation.locator(".live-responses-table .highlight-code pre").first();
  const shownBody = async () => JSON.parse((await shown.textContent()) ?? "");
  await expect.poll(shownBody, { timeout: SLOW_MS }).toEqual(body);
  return { status: response.status(), body };
}

test(
  "Who has just started the service pays from the browser, once",
  { timeout: SLOW_MS },
  async () => {
    await authorize();
    const payment = await tryOut("createPayment");
    const settled = { payment: { status: "PAYMENT_STATUS_SETTLED" } };
    const first = await execute(payment);
    expect(first).toMatchObject({ status: 200, body: { ...settled, replayed: false } });
    const second = await execute(payment);
    expect(second).toMatchObject({ status: 200, body: { ...settled, replayed: true } });
    await page.reload();
    const balance = await tryOut("getBalanceByQuery");
    expect(await execute(balance)).toMatchObject({
      status: 200,
      body: { balance: { currencyCode: "EUR", postedMinor: "98750" } },
    });
    expect(complaints).toEqual([]);
  },
);

test("Who gives no key is told so on the page", { timeout: SLOW_MS }, async () => {
  const { status, body } = await execute(await tryOut("listPayments"));
  expect(status).toBe(401);
  expect(JSON.stringify(body)).toContain('"reason":"MISSING_CREDENTIALS"');
});

test("A stream isn't offered for trying out, any other call is", { timeout: SLOW_MS }, async () => {
  for (const [operationId, buttons] of [
    ["watchPayment", 0],
    ["watchAccount", 0],
    ["getPayment", 1],
  ] as const) {
    const operation = page.locator(`[id$="-${operationId}"]`);
    await operation.locator(".opblock-summary-control").click();
    await operation.getByRole("heading", { name: "Parameters" }).waitFor();
    const button = operation.getByRole("button", { name: "Try it out" });
    expect([operationId, await button.count()]).toEqual([operationId, buttons]);
  }
  expect(complaints).toEqual([]);
});
