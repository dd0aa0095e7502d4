import { afterEach, expect, test } from "vitest";
import {
  type AdminServer,
  type ReadinessCheck,
  createAdminServer,
} from "../../src/platform/admin-server.ts";
import { createMetrics } from "../../src/platform/metrics.ts";

const servers: AdminServer[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));

async function startWith(checks: Record<string, ReadinessCheck>, port = 0): Promise<string> {
  const metrics = createMetrics().registry;
  const server = createAdminServer({ host: "127.0.0.1", port, checks, metrics });
  servers.push(server);
  return `http://127.0.0.1:${await server.start()}`;
}

test("it is alive as soon as it runs and ready when every check passes", async () => {
  const url = await startWith({ database: async () => {} });
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  const ready = await fetch(`${url}/readyz?verbose`);
  expect(ready.status).toBe(200);
  expect(await ready.json()).toEqual({ ready: true, checks: { database: { ok: true } } });
});

test("a failed or hanging check makes it unready, by name, and never dead", async () => {
  const url = await startWith({
    database: async () => {
      throw new Error("connection refused");
    },
    relay: () => new Promise<void>(() => {}),
    serving: async () => {},
  });
  const unready = await fetch(`${url}/readyz`);
  expect(unready.status).toBe(503);
  expect(await unready.json()).toEqual({
    ready: false,
    checks: {
      database: { ok: false, error: "connection refused" },
      relay: { ok: false, error: "took too long" },
      serving: { ok: true },
    },
  });
  expect((await fetch(`${url}/livez`)).status).toBe(200);
});

test("a part that callers can do without leaves it ready, with a note", async () => {
  const metrics = createMetrics().registry;
  const degraded = () => ({ redis: "connection lost" });
  const options = { host: "127.0.0.1", port: 0, checks: {}, metrics, degraded };
  const server = createAdminServer(options);
  servers.push(server);
  const ready = await fetch(`http://127.0.0.1:${await server.start()}/readyz`);
  expect(ready.status).toBe(200);
  expect(await ready.json()).toEqual({
    ready: true,
    checks: {},
    degraded: { redis: "connection lost" },
  });
});

test("metrics come in Prometheus's text format, of this process", async () => {
  const response = await fetch(`${await startWith({})}/metrics`);
  expect(response.headers.get("content-type")).toContain("text/plain; version=0.0.4");
  expect(await response.text()).toMatch(/^process_cpu_user_seconds_total [\d.]+$/m);
});

test("what it doesn't have and methods that change things are refused", async () => {
  const url = await startWith({});
  expect((await fetch(`${url}/`)).status).toBe(404);
  expect((await fetch(`${url}/livez`, { method: "POST" })).status).toBe(405);
});

test("a taken port is told in one line that names the setting", async () => {
  const port = Number(new URL(await startWith({})).port);
  await expect(startWith({}, port)).rejects.toThrow(
    `port ${port} on 127.0.0.1 is taken: free it or set ADMIN_PORT`,
  );
});
