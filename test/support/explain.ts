import type { MikroORM } from "@mikro-orm/postgresql";
import { runSql } from "./sql.ts";

/** How PostgreSQL finds rows in one table or partition. */
export interface TableScan {
  readonly table: string;
  /** The index; undefined where the whole table is read. */
  readonly index: string | undefined;
}

/** A query and how PostgreSQL ran it. */
export interface ExplainedRead {
  readonly sql: string;
  /** Without those of partitions that turned out not to be needed. */
  readonly scans: readonly TableScan[];
  /** True if rows are sorted that no index had in order. */
  readonly sorts: boolean;
}

interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Actual Loops": number;
  readonly Plans?: readonly PlanNode[];
}

/** Runs some work and explains, in order, every read that it sent through MikroORM. */
export async function explainReadsOf(
  { orm, url }: { readonly orm: MikroORM; readonly url: string },
  work: () => Promise<unknown>,
): Promise<ExplainedRead[]> {
  const sent: string[] = [];
  orm.config.set("onQuery", (sql, params) => {
    sent.push(orm.em.getPlatform().formatQuery(sql, params));
    return sql;
  });
  try {
    await work();
  } finally {
    orm.config.set("onQuery", (sql) => sql);
  }
  return Promise.all(sent.map((sql) => explain(url, sql)));
}

async function explain(url: string, sql: string): Promise<ExplainedRead> {
  const [row] = await runSql(url, `explain (analyze, format json) ${sql}`);
  const [{ Plan: root }] = row![0] as [{ Plan: PlanNode }];
  const nodes = withChildren(root).filter((node) => node["Actual Loops"] > 0);
  return {
    sql,
    scans: nodes.flatMap((node) => {
      const table = node["Relation Name"];
      // A bitmap heap scan reads what the bitmap index scans below it have found.
      const index = withChildren(node).find((one) => one["Index Name"])?.["Index Name"];
      return table === undefined ? [] : [{ table, index }];
    }),
    sorts: nodes.some((node) => /^(Incremental )?Sort$/.test(node["Node Type"])),
  };
}

function withChildren(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(withChildren)];
}
