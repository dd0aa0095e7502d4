import { readFileSync } from "node:fs";
import { parse } from "yaml";

/** A service of docker-compose.yml, as far as tests look at it. */
export interface ComposeService {
  readonly image: string;
  readonly build?: { readonly args?: Readonly<Record<string, string>> };
  readonly pull_policy?: string;
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly disable?: boolean; readonly test?: readonly string[] };
  readonly deploy?: {
    readonly replicas?: number;
    readonly resources?: { readonly limits?: { readonly memory?: string } };
  };
  readonly stop_grace_period?: string;
  readonly restart?: string;
  readonly user?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly [member: string]: unknown;
}

/** docker-compose.yml. */
export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly [member: string]: unknown;
}

/** Reads docker-compose.yml, with what its anchors merge. */
export function readComposeFile(): ComposeFile {
  return parse(readFileSync("docker-compose.yml", "utf8"), { merge: true }) as ComposeFile;
}

/** Services that run our image for as long as they aren't stopped: each a role. */
export function instancesIn({ services }: ComposeFile): [string, ComposeService][] {
  return Object.entries(services).filter(
    ([, { image, restart }]) => image.startsWith("instant-payment:") && restart !== "no",
  );
}
