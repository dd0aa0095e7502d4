import { Client, type QueryArrayResult } from "pg";

/** Runs one or several statements by hand, past every rule of the service; the last one's rows. */
export async function runSql(url: string, text: string, values: unknown[] = []) {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    // Several statements at once go without values alone, and answer with a result for each.
    const query = values.length > 0 ? { text, values } : { text };
    const result = await client.query({ ...query, rowMode: "array" });
    const last = (Array.isArray(result) ? result.at(-1) : result) as QueryArrayResult;
    return last.rows as unknown[][];
  } finally {
    await client.end();
  }
}
