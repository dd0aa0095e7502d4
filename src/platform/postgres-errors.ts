/** The five-character SQLSTATE of an error from PostgreSQL; undefined for any other error. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) && "severity" in (error as object)
    ? code
    : undefined;
}

/**
 * True if the connection is gone or can't be had: whether a COMMIT on its way took effect is
 * unknown, and the same transaction may be tried on another connection.
 */
export function isConnectionError(error: unknown): boolean {
  const state = sqlState(error);
  if (state) return state.startsWith("08") || state.startsWith("57P") || state === "53300";
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code && NETWORK_CODES.has(code)) return true;
  const message = error instanceof Error ? error.message : "";
  return /connection terminated|not queryable|query read timeout|timeout exceeded when trying to connect|connection ended/i.test(
    message,
  );
}

const NETWORK_CODES = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ENOENT",
]);

/** The SQLSTATE of `expect_rows`: another transaction changed a version first. */
const VERSION_CONFLICT = "IP001";

/** True if the role that we are may not do this. */
export function isDenial(error: unknown): boolean {
  return sqlState(error) === "42501";
}

/**
 * True if PostgreSQL refused a row in its binary format: a table has got or lost a column since
 * its layout was read.
 */
export function isLayoutError(error: unknown): boolean {
  return sqlState(error) === "42804";
}

/**
 * True if the transaction lost a race and the same one may succeed when it's run again: version
 * conflict, serialization failure, deadlock, lock time-out, a table that has just changed.
 */
export function isConflict(error: unknown): boolean {
  const state = sqlState(error);
  return (
    state === VERSION_CONFLICT ||
    state === "40001" ||
    state === "40P01" ||
    state === "55P03" ||
    isLayoutError(error)
  );
}

/**
 * True if PostgreSQL can't do the work now, whoever asks: no disk space or memory, an I/O error, or
 * a server that only reads, as a standby does (SQLSTATE 53, 58, 25006).
 */
export function isServerTrouble(error: unknown): boolean {
  const state = sqlState(error);
  return state !== undefined && (/^5[38]/.test(state) || state === "25006");
}

/**
 * True if there is no partition for a row: the clock that gave its time was wrong, or nobody has
 * made partitions for months. The SQLSTATE is that of any check; where it was raised tells them apart.
 */
function isPartitionMissing(error: unknown): boolean {
  const { routine } = (error ?? {}) as { routine?: unknown };
  return sqlState(error) === "23514" && routine === "ExecFindPartition";
}

/** True if the same may succeed later: any of the above, or a statement that took too long. */
export function isPassing(error: unknown): boolean {
  return (
    isConflict(error) ||
    isConnectionError(error) ||
    isServerTrouble(error) ||
    isPartitionMissing(error) ||
    sqlState(error) === "57014"
  );
}
