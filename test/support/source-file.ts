import { parseSync, Visitor } from "oxc-parser";
import type { VisitorObject } from "oxc-parser";

type Module = ReturnType<typeof parseSync>["module"];
type Statement = ReturnType<typeof parseSync>["program"]["body"][number];

/** An `import`, `export ... from` or `import()` of a file. */
export interface ImportOf {
  readonly line: number;
  /** As written: a package, `node:` module or relative path. */
  readonly from: string;
  readonly kind: "import" | "re-export";
  /** True if nothing of it is left at run time. */
  readonly typeOnly: boolean;
}

/** A name that a file exports, and whether a doc comment stands right before it. */
export interface ExportOf {
  readonly line: number;
  readonly name: string;
  readonly documented: boolean;
}

/** What the house rules look at in one TypeScript file. */
export interface SourceFile {
  /** Relative to the root, with slashes: `src/kernel/money.ts`. */
  readonly path: string;
  readonly text: string;
  readonly lineCount: number;
  readonly imports: readonly ImportOf[];
  readonly exports: readonly ExportOf[];
  readonly statements: readonly Statement[];
  /** The line of an offset into the text, from 1. */
  lineAt(offset: number): number;
  /** Calls the visitor on each node. */
  visit(visitor: VisitorObject): void;
}

/** Parses a file's text. Throws the parser's first complaint, with path and line. */
export function parseSource(path: string, text: string): SourceFile {
  const { program, module, comments, errors } = parseSync(path, text);
  const lineAt = (offset: number) => text.slice(0, offset).split("\n").length;
  const [error] = errors;
  if (error) throw new Error(`${path}:${lineAt(error.labels[0]?.start ?? 0)}: ${error.message}`);
  const documentedAt = (offset: number) =>
    comments.some(
      ({ type, value, start, end }) =>
        type === "Block" &&
        value.startsWith("*") &&
        end <= offset &&
        text.slice(end, offset).trim() === "" &&
        start < offset,
    );
  return {
    path,
    text,
    lineCount: text.split("\n").length - (text.endsWith("\n") ? 1 : 0),
    imports: importsOf(module, text, lineAt),
    exports: exportsOf(program.body, lineAt, documentedAt),
    statements: program.body,
    lineAt,
    visit: (visitor) => new Visitor(visitor).visit(program),
  };
}

/** Imports, `export ... from` and `import()`; of a re-export one, however many names it has. */
function importsOf(module: Module, text: string, lineAt: (offset: number) => number): ImportOf[] {
  return [
    ...module.staticImports.map(({ start, moduleRequest, entries }) => ({
      line: lineAt(start),
      from: moduleRequest.value,
      kind: "import" as const,
      typeOnly: entries.length > 0 && entries.every(({ isType }) => isType),
    })),
    ...module.staticExports.flatMap(({ start, entries }) =>
      entries.slice(0, 1).flatMap(({ moduleRequest }) =>
        moduleRequest
          ? [
              {
                line: lineAt(start),
                from: moduleRequest.value,
                kind: "re-export" as const,
                typeOnly: false,
              },
            ]
          : [],
      ),
    ),
    ...module.dynamicImports.map(({ start, moduleRequest }) => ({
      line: lineAt(start),
      from: text.slice(moduleRequest.start + 1, moduleRequest.end - 1),
      kind: "import" as const,
      typeOnly: false,
    })),
  ];
}

/** The names that a top-level declaration makes. */
function namesOf(node: Statement): string[] {
  if (node.type === "VariableDeclaration") {
    return node.declarations.flatMap(({ id }) => (id.type === "Identifier" ? [id.name] : []));
  }
  return "id" in node && node.id?.type === "Identifier" ? [node.id.name] : [];
}

/** Each exported name once: of overloads, one comment will do; `export { a }` counts at `a`. */
function exportsOf(
  statements: readonly Statement[],
  lineAt: (offset: number) => number,
  documentedAt: (offset: number) => boolean,
): ExportOf[] {
  const found = new Map<string, ExportOf>();
  const add = (name: string, offset: number) => {
    const documented = documentedAt(offset) || found.get(name)?.documented === true;
    found.set(name, { name, line: lineAt(offset), documented });
  };
  const declaredAt = new Map(
    statements.flatMap((node) => namesOf(node).map((name) => [name, node.start] as const)),
  );
  for (const node of statements) {
    if (node.type === "ExportDefaultDeclaration") add("default", node.start);
    if (node.type !== "ExportNamedDeclaration" || node.source) continue;
    if (node.declaration) {
      for (const name of namesOf(node.declaration)) add(name, node.start);
    }
    for (const { local } of node.specifiers) {
      if (local.type === "Identifier") add(local.name, declaredAt.get(local.name) ?? node.start);
    }
  }
  return [...found.values()];
}
