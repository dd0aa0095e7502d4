import { Redis } from "ioredis";
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "./logger.ts";

/** A connection to Redis that knows whether it's worth waiting for. */
export interface RedisConnection {
  /** Why nobody should wait for Redis at the moment; undefined as long as it answers quickly. */
  readonly degraded: string | undefined;
  /**
   * Runs a Lua script on these keys, the arguments after them. It's sent once. Throws if it can't
   * be sent at once, isn't answered in time or is refused, and then `degraded` says so; not for a
   * key that is of another type.
   */
  run(
    script: string,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown>;
  close(): void;
}

/** What a connection needs. */
export interface RedisOptions {
  /** `redis://` or `rediss://` (TLS), for Redis 6.2 or newer, or Valkey. */
  readonly url: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The channel that is listened to. */
  readonly channel: string;
  readonly onMessage: (message: string) => void;
  /** Told whenever Redis can't be relied on any more. */
  readonly onDegraded: () => void;
}

/** A command that takes longer has failed, in milliseconds. */
const COMMAND_TIMEOUT_MS = 250;
/** How often Redis is asked whether it's there, in milliseconds. */
const PROBE_MS = 250;
/** An answer that takes longer is slow, and two of them in a row are too slow, in milliseconds. */
const SLOW_MS = 100;
/** A connection on which an answer has been missing for so long is dead, in milliseconds. */
const DEAD_AFTER_MS = 3_000;
const MAX_RECONNECT_MS = 500;
const PROBE_KEY = "lock:probe";
/** Returns how many listen to the channel. */
const PROBE = `
redis.call('set', KEYS[1], '')
redis.call('del', KEYS[1])
return redis.call('publish', ARGV[1], '')`;

/**
 * Connects to Redis, and again whenever the connection is lost. A probe in the background finds out
 * when Redis is away, slow, or back, so that no payment has to. Never throws; what goes wrong is
 * logged when it begins and when it's over.
 */
export function openRedis(options: RedisOptions): RedisConnection {
  const { clock, logger, channel } = options;
  let degraded: string | undefined = "not connected yet";
  let slowProbes = 0;
  let isProbing = false;

  // One connection for commands and messages, as RESP3 has it.
  const redis = new Redis(options.url, {
    protocol: 3,
    connectionName: "instant-payment",
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: 1_000,
    socketTimeout: DEAD_AFTER_MS,
    retryStrategy: (attempts) => Math.min(attempts * 50, MAX_RECONNECT_MS),
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    enableOfflineQueue: false,
    enableReadyCheck: false,
  });
  let lastError = "connection lost";
  redis.on("error", (error: Error) => (lastError = error.message));
  redis.on("close", () => degrade(`it can't be reached: ${lastError}`));
  redis.on("message", (_channel, message: string) => options.onMessage(message));
  redis.on("ready", () => {
    redis.subscribe(channel).then(probe, fail);
  });
  const timer = setInterval(() => void probe(), PROBE_MS);

  /** Asks for what the lock needs: scripts that write, a quick answer, messages that come through. */
  async function probe(): Promise<void> {
    if (isProbing || redis.status !== "ready") return;
    isProbing = true;
    const startMs = clock.monotonicMs();
    try {
      const listeners = await redis.eval(PROBE, 1, PROBE_KEY, channel);
      if (listeners === 0) throw new Error("it doesn't listen to its channel");
      const isSlow = clock.monotonicMs() - startMs > SLOW_MS;
      slowProbes = isSlow ? slowProbes + 1 : 0;
      if (!isSlow) recover();
      else if (slowProbes > 1) degrade(`it takes more than ${SLOW_MS} ms to answer`);
    } catch (error) {
      fail(error);
    } finally {
      isProbing = false;
    }
  }

  function fail(error: unknown): void {
    const { message } = error instanceof Error ? error : new Error(String(error));
    degrade(redis.status === "ready" ? message : `it can't be reached: ${lastError}`);
  }

  function degrade(reason: string): void {
    if (degraded === undefined) {
      logger.warn({ reason }, "payments go on without Redis");
      degraded = reason;
      options.onDegraded();
    }
    degraded = reason;
  }

  function recover(): void {
    if (degraded === undefined) return;
    degraded = undefined;
    logger.info("Redis is used");
  }

  return {
    get degraded() {
      return degraded;
    },
    async run(script, keys, args) {
      try {
        return await redis.eval(script, keys.length, ...keys, ...args);
      } catch (error) {
        // One key that somebody else has written to isn't the fault of Redis.
        if (!/WRONGTYPE/.test(String(error))) fail(error);
        throw error;
      }
    },
    close() {
      clearInterval(timer);
      redis.removeAllListeners("close");
      redis.disconnect();
    },
  };
}
