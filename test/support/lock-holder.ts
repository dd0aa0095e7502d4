// A process that takes the lock of an account and keeps it until it's told to give it back.
// node test/support/lock-holder.ts REDIS_URL ACCOUNT: prints "held", then "lost N" after SIGUSR2.
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { createHotAccountLock } from "../../src/accounts/hot-account-lock.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { createLogger } from "../../src/platform/logger.ts";

const [redisUrl = "", accountId = ""] = process.argv.slice(2);
const told = once(process, "SIGUSR2");
let lost = 0;
const lock = createHotAccountLock({
  redisUrl,
  clock: systemClock,
  logger: createLogger("silent"),
  onLost: () => lost++,
});
while (lock.degraded !== undefined) await sleep(5);
const held = await lock.acquire([accountId]);
console.log("held");
await told;
// Who wakes after a pause takes Redis for slow at first, and then nobody says what was lost.
await sleep(50);
while (lock.degraded !== undefined) await sleep(5);
held.release();
await sleep(100);
console.log(`lost ${lost}`);
lock.close();
