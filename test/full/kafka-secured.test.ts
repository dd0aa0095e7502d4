// A Kafka that takes nobody without TLS, a client's certificate and a login.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { untilPublished } from "../support/event-drill.ts";
import { callAs, createMigratedDatabase, openLedger, type TestLedger } from "../support/ledger.ts";
import type { TestDatabase } from "../support/postgres.ts";
import { startTestApp } from "../support/running-app.ts";
import { type Ended, run } from "../support/service-process.ts";
import { startKafka, type KafkaService } from "../support/services/kafka.ts";
import { makeSecuredListener, type SecuredListener } from "../support/services/kafka-secured.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 180_000 });

const TOPIC = "secured";
const TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const CLIENT_CERT = join(import.meta.dirname, "..", "support", "tls", "cert.pem");
const CLIENT_KEY = join(import.meta.dirname, "..", "support", "tls", "key.pem");

let folder: string;
let secured: SecuredListener;
let kafka: KafkaService;
let database: TestDatabase;
let ledger: TestLedger;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "kafka-secured-"));
  secured = await makeSecuredListener(folder, CLIENT_CERT);
  kafka = await startKafka({ own: true, secured });
  database = await createMigratedDatabase();
  ledger = await openLedger(database.url);
});

afterAll(async () => {
  await ledger?.close();
  await kafka?.stop();
  await database?.drop();
  await rm(folder, { recursive: true });
});

/** All that a client has to set; a setting that is given as "" is left out. */
const settings = (changes: Readonly<Record<string, string>> = {}) => ({
  KAFKA_BROKERS: `127.0.0.1:${secured.port}`,
  KAFKA_TOPIC: TOPIC,
  KAFKA_TLS: "on",
  KAFKA_TLS_CA_FILE: secured.caFile,
  KAFKA_TLS_CERT_FILE: CLIENT_CERT,
  KAFKA_TLS_KEY_FILE: CLIENT_KEY,
  KAFKA_SASL_MECHANISM: "scram-sha-512",
  KAFKA_SASL_USERNAME: secured.username,
  KAFKA_SASL_PASSWORD: secured.password,
  ...changes,
});

const startRelay = (changes: Readonly<Record<string, string>> = {}) =>
  startTestApp({ DATABASE_URL: database.url, ROLES: "relay", ...settings(changes) });

function tail(changes: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const args = ["events", "tail", "--limit", "1", "--json"];
  return run([process.execPath, "src/cli/instant-payment.ts", ...args], settings(changes)).ended;
}

const readiness = async (adminUrl: string): Promise<unknown> =>
  (await fetch(`${adminUrl}/readyz`)).json();

test("the relay publishes and events tail reads with TLS and each kind of login", async () => {
  const passwordFile = join(folder, "password");
  await writeFile(passwordFile, `${secured.password}\n`);
  const relay = await startRelay({
    KAFKA_SASL_PASSWORD: "",
    KAFKA_SASL_PASSWORD_FILE: passwordFile,
  });
  const debtor = await ledger.open({ overdraftMode: "UNBOUNDED" });
  const creditor = await ledger.open({ ownerId: "bob" });
  const { payment } = await ledger.pay(
    { debtorAccountId: debtor.id, creditorAccountId: creditor.id, amountMinor: 1n },
    { ...callAs("admin"), traceparent: TRACEPARENT },
  );
  await untilPublished(database.url);
  await expect
    .poll(() => readiness(relay.adminUrl), { timeout: 6_000 })
    .toMatchObject({ ready: true, checks: { kafka: { ok: true } } });
  await relay.stop();
  const tails = await Promise.all(
    ["plain", "scram-sha-256"].map((mechanism) => tail({ KAFKA_SASL_MECHANISM: mechanism })),
  );
  for (const { code, stdout, stderr } of tails) {
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({
      payment: { id: payment.id },
      traceparent: TRACEPARENT,
    });
  }
});

test("a wrong password leaves the relay unready, with the reason, and ends events tail", async () => {
  const relay = await startRelay({ KAFKA_SASL_PASSWORD: "wrong" });
  expect(await readiness(relay.adminUrl)).toMatchObject({
    ready: false,
    checks: {
      database: { ok: true },
      kafka: { ok: false, error: expect.stringMatching(/^Kafka: .*authentication failed/i) },
    },
  });
  await relay.stop();
  for (const mechanism of ["plain", "scram-sha-512"]) {
    const wrong = { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_PASSWORD: "wrong" };
    const { code, stderr } = await tail(wrong);
    expect(code).toBe(69);
    expect(stderr).toMatch(/^instant-payment: Kafka can't be read: .*authentication failed.*\n$/i);
    expect(stderr).not.toContain("wrong");
  }
});

test("what is missing for TLS is told soon, not after minutes of trying", async () => {
  const [noAuthority, noCertificate, noTls] = await Promise.all([
    tail({ KAFKA_TLS_CA_FILE: "" }),
    tail({ KAFKA_TLS_CERT_FILE: "", KAFKA_TLS_KEY_FILE: "" }),
    tail({
      KAFKA_TLS: "off",
      KAFKA_TLS_CA_FILE: "",
      KAFKA_TLS_CERT_FILE: "",
      KAFKA_TLS_KEY_FILE: "",
    }),
  ]);
  expect([noAuthority, noCertificate, noTls].map(({ code }) => code)).toEqual([69, 69, 69]);
  expect(noAuthority.stderr).toMatch(/Kafka can't be read: .*self-signed certificate/i);
  expect(noCertificate.stderr).toMatch(/Kafka can't be read: .*certificate/i);
  expect(noTls.stderr).toMatch(/Kafka can't be read: ./);
});
