import { join } from "node:path";
import { freePort } from "../../../src/platform/listen.ts";
import { run } from "./process-service.ts";
import { findProgram } from "./service.ts";

/** A listener with TLS that asks its clients for a certificate and a login. */
export interface SecuredListener {
  readonly port: number;
  /** PEM file of the authority that signed the broker's certificate: itself. */
  readonly caFile: string;
  /** Who may log in, by SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN. */
  readonly username: string;
  readonly password: string;
  /** PKCS #12 files of the broker's own key and of the clients' certificates. */
  readonly keyStore: string;
  readonly trustStore: string;
}

const STORE_PASSWORD = "of-both-stores";
const SCRAM = ["SCRAM-SHA-512", "SCRAM-SHA-256"];

/**
 * Makes a key and certificate for a broker at 127.0.0.1, in `folder`, by the keytool of the Java
 * that it runs on. Clients must show the certificate of `clientCertFile`.
 */
export async function makeSecuredListener(
  folder: string,
  clientCertFile: string,
): Promise<SecuredListener> {
  const keytool = findProgram("keytool");
  if (!keytool) throw new Error("keytool is missing: it comes with Java");
  const listener: SecuredListener = {
    port: await freePort(),
    caFile: join(folder, "broker.pem"),
    username: "payments",
    password: "open sesame!",
    keyStore: join(folder, "broker.p12"),
    trustStore: join(folder, "clients.p12"),
  };
  const password = ["-storepass", STORE_PASSWORD];
  const store = (file: string) => ["-storetype", "PKCS12", "-keystore", file, ...password];
  const broker = ["-alias", "broker", ...store(listener.keyStore)];
  const key = ["-keyalg", "EC", "-groupname", "secp256r1", "-validity", "2"];
  const name = ["-dname", "CN=broker", "-ext", "SAN=IP:127.0.0.1"];
  const client = ["-alias", "client", "-file", clientCertFile, ...store(listener.trustStore)];
  await Promise.all([
    run(keytool, "-genkeypair", ...broker, ...key, ...name),
    run(keytool, "-importcert", "-noprompt", ...client),
  ]);
  await run(keytool, "-exportcert", "-rfc", ...broker, "-file", listener.caFile);
  return listener;
}

/** What the broker needs to know of it. */
export function securedSettings(listener: SecuredListener): Readonly<Record<string, string>> {
  const login = "org.apache.kafka.common.security";
  const settings = {
    "ssl.keystore.type": "PKCS12",
    "ssl.keystore.location": listener.keyStore,
    "ssl.keystore.password": STORE_PASSWORD,
    "ssl.truststore.type": "PKCS12",
    "ssl.truststore.location": listener.trustStore,
    "ssl.truststore.password": STORE_PASSWORD,
    "ssl.client.auth": "required",
    "sasl.enabled.mechanisms": ["PLAIN", ...SCRAM].join(","),
    "plain.sasl.jaas.config": `${login}.plain.PlainLoginModule required user_${listener.username}="${listener.password}";`,
    ...Object.fromEntries(
      SCRAM.map((mechanism) => [
        `${mechanism.toLowerCase()}.sasl.jaas.config`,
        `${login}.scram.ScramLoginModule required;`,
      ]),
    ),
  };
  const prefixed = Object.entries(settings).map(([key, value]) => [
    `listener.name.secured.${key}`,
    value,
  ]);
  return Object.fromEntries(prefixed);
}

/** Arguments of the storage tool, which writes the passwords of SCRAM before the first start. */
export function scramArguments({ username, password }: SecuredListener): string[] {
  return SCRAM.flatMap((mechanism) => [
    "--add-scram",
    `${mechanism}=[name=${username},password="${password}"]`,
  ]);
}
