import { readFile } from "node:fs/promises";
import type { TestApp } from "./running-app.ts";

/** All samples of the SDK's README as one TypeScript program that talks to this service. */
export async function sdkReadmeProgram(options: {
  readonly app: TestApp;
  readonly fundedAccountId: string;
}): Promise<string> {
  const { app, fundedAccountId } = options;
  const readme = await readFile("sdk/README.md", "utf8");
  const samples = [...readme.matchAll(/^```ts\n(.*?)^```/gms)].map(([, sample]) => sample);
  return [
    `const API_KEY = ${JSON.stringify(app.adminKey)};`,
    `const FUNDED_ACCOUNT_ID = ${JSON.stringify(fundedAccountId)};`,
    ...samples,
  ]
    .join("\n")
    .replaceAll("http://127.0.0.1:8080", app.apiUrl);
}
