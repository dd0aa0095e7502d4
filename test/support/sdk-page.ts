import { readFile } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { join } from "node:path";

/** What the SDK's page needs in the browser's eyes. */
const PACKAGES = [
  "@instant-payment/sdk",
  "@connectrpc/connect",
  "@connectrpc/connect-web",
  "@bufbuild/protobuf",
];

/**
 * Serves an empty page that knows the packages of an installed project by an import map, as a
 * browser without a bundler takes them, and their files under `/node_modules/`.
 */
export async function createSdkPage(folder: string): Promise<RequestListener> {
  const importMap = JSON.stringify({ imports: await importsOf(folder) });
  const page = `<!doctype html><script type="importmap">${importMap}</script>`;
  return (request, response) => {
    const path = new URL(request.url ?? "/", "http://page").pathname;
    if (!path.startsWith("/node_modules/")) {
      response.writeHead(200, { "Content-Type": "text/html" }).end(page);
      return;
    }
    readFile(join(folder, path)).then(
      (script) => response.writeHead(200, { "Content-Type": "text/javascript" }).end(script),
      () => response.writeHead(404).end(),
    );
  };
}

async function importsOf(folder: string): Promise<Record<string, string>> {
  const imports: Record<string, string> = {};
  for (const name of PACKAGES) {
    const path = join(folder, "node_modules", name, "package.json");
    const { exports } = JSON.parse(await readFile(path, "utf8"));
    for (const [entry, target] of Object.entries(exports)) {
      const file = resolveConditions(target);
      if (file?.endsWith(".js")) imports[join(name, entry)] = join("/node_modules", name, file);
    }
  }
  return imports;
}

const BROWSER_CONDITIONS = new Set(["browser", "module", "import", "default"]);

/** The file of an entry in `exports`: the first condition that holds, as Node resolves them. */
function resolveConditions(target: unknown): string | undefined {
  if (typeof target === "string") return target;
  const found = Object.entries(Object(target)).find(([name]) => BROWSER_CONDITIONS.has(name));
  return found && resolveConditions(found[1]);
}
