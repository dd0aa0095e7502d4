import { defineConfig } from "vitest/config";

// `npm test` leaves out test/full/, which needs Redis, Kafka, a browser: see package.json.
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    pool: "forks",
    // A machine with two cores runs a broker, a database and the service beside the tests.
    testTimeout: 20_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    allowOnly: false,
  },
});
