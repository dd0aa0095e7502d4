// Rules for all containers of docker-compose.yml.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CLOSE_EXTRA_MS } from "../../src/cli/serve.ts";
import { type ComposeService, instancesIn, readComposeFile } from "../support/compose.ts";

const compose = readComposeFile();
const instances = instancesIn(compose);
const haproxy = readFileSync("deploy/compose/haproxy.cfg", "utf8");

/** The names of the services that break a rule. */
function breaking(isKept: (service: ComposeService) => boolean): string[] {
  const broken = Object.entries(compose.services).filter(([, service]) => !isKept(service));
  return broken.map(([name]) => name);
}

/** Of `30s` or `500ms`. */
function millisecondsOf(duration = ""): number {
  const [, number, unit] = /^(\d+)(ms|s)$/.exec(duration) ?? [];
  return Number(number) * (unit === "s" ? 1_000 : 1);
}

/** Of a word of the load balancer's configuration, in milliseconds. */
const timeIn = (word: string) =>
  millisecondsOf(new RegExp(`^[^#\\n]*\\b${word} (\\d+m?s)`, "m").exec(haproxy)?.[1]);

const isJob = ({ restart = "no" }: ComposeService) => restart === "no";

test("none is root but the one that writes new volumes, which are root's", () => {
  const isOther = (user: string) => !/^(root|0)(:|$)/.test(user);
  expect(breaking(({ user }) => user !== undefined && isOther(user))).toEqual(["secrets"]);
  const dockerfile = readFileSync("deploy/image/Dockerfile", "utf8");
  const user = /^USER (.+)$/m.exec(dockerfile)?.[1];
  expect(instances.filter(([, instance]) => instance.user !== user)).toEqual([]);
});

test("none can write to its file system but Kafka, which makes its configuration there", () => {
  expect(breaking((service) => service.read_only === true)).toEqual(["kafka"]);
});

test("none has a privilege, or can get one", () => {
  expect(breaking(({ cap_drop: dropped }) => dropped?.join() === "ALL")).toEqual([]);
  expect(breaking((service) => !("cap_add" in service || "privileged" in service))).toEqual([]);
  expect(
    breaking(({ security_opt: options }) => options?.join() === "no-new-privileges:true"),
  ).toEqual([]);
});

test("each has a limit of memory: an instance the one that the image is tested with", () => {
  const limitOf = ({ deploy }: ComposeService) => deploy?.resources?.limits?.memory ?? "";
  expect(breaking((service) => /^\d+[MG]$/.test(limitOf(service)))).toEqual([]);
  expect([...new Set(instances.map(([, instance]) => limitOf(instance)))]).toEqual(["256M"]);
});

test("none can be reached from another machine", () => {
  expect(
    breaking(({ ports = [] }) => ports.every((port) => port.startsWith("127.0.0.1:"))),
  ).toEqual([]);
  expect(breaking((service) => service["network_mode"] !== "host")).toEqual([]);
});

test("each that goes on has a health check", () => {
  const isChecked = ({ healthcheck }: ComposeService) => (healthcheck?.test?.length ?? 0) > 1;
  expect(breaking((service) => isJob(service) || isChecked(service))).toEqual([]);
});

test("an instance has ended by itself before it would be killed, whatever hangs", () => {
  for (const [name, { environment = {}, stop_grace_period: period }] of instances) {
    const { SHUTDOWN_DELAY_MS: delay, SHUTDOWN_GRACE_MS: grace } = environment;
    const endedMs = Number(delay) + Number(grace) + CLOSE_EXTRA_MS;
    expect(millisecondsOf(period), name).toBeGreaterThan(endedMs);
  }
});

test("the load balancer has cut what is open before it would be killed", () => {
  const { stop_grace_period: period } = compose.services["load-balancer"]!;
  expect(timeIn("hard-stop-after")).toBeGreaterThan(0);
  expect(millisecondsOf(period)).toBeGreaterThan(timeIn("hard-stop-after"));
});

test("the load balancer has seen that an instance will stop before that takes no more calls", () => {
  const fall = Number(/^[^#\n]*\bfall (\d+)/m.exec(haproxy)?.[1]);
  const checksMs = fall * timeIn("timeout check") + (fall - 1) * timeIn("fastinter");
  for (const [name, { environment = {} }] of instances) {
    expect(Number(environment["SHUTDOWN_DELAY_MS"]), name).toBeGreaterThan(
      timeIn("inter") + checksMs,
    );
  }
});
