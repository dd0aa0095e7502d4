import { matchesGlob, posix } from "node:path";
import type { AssignmentTarget, Expression, PrivateIdentifier } from "oxc-parser";
import type { SourceFile } from "./source-file.ts";

/** A part of the tree and the other parts it may import. */
export interface Layer {
  readonly name: string;
  readonly files: readonly string[];
  readonly mayImport: readonly string[];
  /** Parts of which it may take types alone, by `import type`. */
  readonly mayImportTypesOf?: readonly string[];
  /** Neither packages nor `node:` modules. */
  readonly noPackages?: boolean;
}

/** Something that may be written in its home alone. Patterns are looked for in the syntax tree. */
export interface Confined {
  readonly rule: string;
  /** Where the rule holds, and the files in there that are its home. */
  readonly within: readonly string[];
  readonly home: readonly string[];
  /** `process.env`; a leading `*.` stands for any object. */
  readonly members?: readonly string[];
  /** Names whose bare use breaks the rule: `new Date()`, or a global such as `fetch`. */
  readonly newWithoutArguments?: readonly string[];
  readonly globals?: readonly string[];
  /** Properties that are assigned to. */
  readonly assigned?: readonly string[];
  /** Strings and templates. */
  readonly text?: RegExp;
}

/** What may not be awaited in the functions that are handed to some methods. */
export interface NotAwaited {
  readonly rule: string;
  readonly inCallsOf: readonly string[];
  /** Looked for in the awaited expression's text. */
  readonly awaited: RegExp;
}

/** The rules of the house as one table; `test/house.ts` fills it in. */
export interface House {
  /** A file belongs to the first layer that lists it; a layer may import itself. */
  readonly layers: readonly Layer[];
  /** Files that only some may import, whatever the layers say. */
  readonly importedOnlyBy: Readonly<Record<string, readonly string[]>>;
  /** Packages (`@scope/*` for a scope, `gen/` for generated code) and the files they may be in. */
  readonly libraries: Readonly<Record<string, readonly string[]>>;
  readonly confined: readonly Confined[];
  readonly notAwaited: readonly NotAwaited[];
  readonly maxLines: Readonly<Record<string, number>>;
  readonly badNames: RegExp;
}

/** One breach: where, and which rule. */
export interface Breach {
  readonly path: string;
  readonly line: number;
  readonly rule: string;
}

const isIn = (path: string, globs: readonly string[]) =>
  globs.some((glob) => matchesGlob(path, glob));

/** Every breach of the table in one file. */
export function breachesOf(house: House, file: SourceFile): Breach[] {
  const found: Breach[] = [];
  const report = (line: number, rule: string) => found.push({ path: file.path, line, rule });
  checkName(house, file, report);
  checkImports(house, file, report);
  checkState(file, report);
  for (const confined of house.confined) checkConfined(confined, file, report);
  for (const notAwaited of house.notAwaited) checkAwaits(notAwaited, file, report);
  return found.toSorted((a, b) => a.line - b.line);
}

type Report = (line: number, rule: string) => void;

function checkName(house: House, file: SourceFile, report: Report): void {
  const bad = file.path.split(/[/.]/).find((part) => house.badNames.test(part));
  if (bad) report(1, `name: "${bad}" says nothing; name the file after what it holds`);
  if (/(^|\/)index\.ts$/.test(file.path)) report(1, "no barrel files: an index.ts is one");
  const glob = Object.keys(house.maxLines).find((key) => matchesGlob(file.path, key));
  const max = glob === undefined ? Infinity : (house.maxLines[glob] ?? Infinity);
  if (file.lineCount > max) report(max + 1, `length: ${file.lineCount} lines, ${max} at most`);
}

function checkImports(house: House, file: SourceFile, report: Report): void {
  const inSource = file.path.startsWith("src/");
  const from = house.layers.find((layer) => isIn(file.path, layer.files));
  if (inSource && !from) report(1, "layers: in no layer; give it a row in the table");
  for (const { line, from: specifier, kind, typeOnly } of file.imports) {
    if (kind === "re-export" && !file.path.startsWith("sdk/")) {
      report(line, `no barrel files: import "${specifier}" where it is used`);
    }
    const isPackage = !specifier.startsWith(".");
    const target = isPackage ? specifier : posix.join(posix.dirname(file.path), specifier);
    if (isPackage || target.startsWith("gen/")) {
      if (from?.noPackages) report(line, `packages: ${from.name} may not import "${specifier}"`);
      else if (inSource) checkLibrary(house, file.path, target, line, report);
      continue;
    }
    if (!/\.(ts|json)$/.test(specifier)) report(line, `imports: "${specifier}" lacks .ts`);
    const only = house.importedOnlyBy[target];
    if (inSource && only && !isIn(file.path, only)) {
      report(line, `imported by few: ${target} is for ${only.join(", ")}`);
    }
    const to = house.layers.find((layer) => isIn(target, layer.files));
    if (!from || to === from) continue;
    if (to && from.mayImport.includes(to.name)) continue;
    if (to && typeOnly && from.mayImportTypesOf?.includes(to.name)) continue;
    report(line, `layers: ${from.name} may not import ${target} (${to?.name ?? "no layer"})`);
  }
}

function checkLibrary(
  house: House,
  path: string,
  specifier: string,
  line: number,
  report: Report,
): void {
  const library = Object.keys(house.libraries).find((name) =>
    name.endsWith("/*")
      ? specifier.startsWith(name.slice(0, -1))
      : specifier === name || specifier.startsWith(name.endsWith("/") ? name : `${name}/`),
  );
  if (library === undefined) {
    if (specifier.startsWith("node:")) return;
    report(line, `libraries: "${specifier}" has no home in the table`);
  } else if (!isIn(path, house.libraries[library] ?? [])) {
    report(line, `libraries: ${library} belongs in ${house.libraries[library]?.join(", ")}`);
  }
}

/** Module-level `let`, and collections that start empty, so are there to be filled. */
function checkState(file: SourceFile, report: Report): void {
  if (!/^(src|sdk)\//.test(file.path)) return;
  const rule = "no module-level state: hand it out of a createX()";
  for (const statement of file.statements) {
    const node =
      statement.type === "ExportNamedDeclaration" && statement.declaration
        ? statement.declaration
        : statement;
    if (node.type !== "VariableDeclaration") continue;
    const empty = node.declarations.some(
      ({ init }) =>
        (init?.type === "ArrayExpression" && init.elements.length === 0) ||
        (init?.type === "ObjectExpression" && init.properties.length === 0) ||
        (init?.type === "NewExpression" &&
          init.arguments.length === 0 &&
          init.callee.type === "Identifier" &&
          /^(Weak)?(Map|Set)$/.test(init.callee.name)),
    );
    if ((node.kind !== "const" && !node.declare) || empty) report(file.lineAt(node.start), rule);
  }
}

/** The name in `.name` and `["name"]`; empty for what is computed. */
function nameOf(node: Expression | PrivateIdentifier): string {
  if (node.type === "Identifier" || node.type === "PrivateIdentifier") return node.name;
  return node.type === "Literal" && typeof node.value === "string" ? node.value : "";
}

function checkConfined(confined: Confined, file: SourceFile, report: Report): void {
  if (!isIn(file.path, confined.within) || isIn(file.path, confined.home)) return;
  const { rule, members, globals, assigned, text, newWithoutArguments } = confined;
  const hit = (offset: number, what: string) =>
    report(file.lineAt(offset), `${rule} (here: ${what})`);
  const assign = (target: Expression | AssignmentTarget) => {
    if (target.type !== "MemberExpression") return;
    const name = nameOf(target.property);
    if (assigned?.includes(name)) hit(target.start, name);
  };
  const string = (start: number, value: string) => {
    if (text?.test(value)) hit(start, value.trim().split("\n")[0] ?? "");
  };
  file.visit({
    MemberExpression({ object, property, start }) {
      const name = nameOf(property);
      if (members?.includes(`*.${name}`)) hit(start, `.${name}`);
      const full = `${nameOf(object)}.${name}`;
      if (members?.includes(full)) hit(start, full);
    },
    Identifier({ name, start }) {
      if (globals?.includes(name)) hit(start, name);
    },
    NewExpression({ callee, arguments: { length }, start }) {
      if (length > 0 || callee.type !== "Identifier") return;
      if (newWithoutArguments?.includes(callee.name)) hit(start, `new ${callee.name}()`);
    },
    AssignmentExpression: ({ left }) => assign(left),
    UpdateExpression: ({ argument }) => assign(argument),
    Literal({ value, start }) {
      if (typeof value === "string") string(start, value);
    },
    TemplateLiteral: ({ quasis, start }) =>
      string(start, quasis.map((quasi) => quasi.value.raw).join("?")),
  });
}

function checkAwaits(notAwaited: NotAwaited, file: SourceFile, report: Report): void {
  const { rule, inCallsOf, awaited } = notAwaited;
  let depth = 0;
  const isOne = (callee: Expression) =>
    callee.type === "MemberExpression" && inCallsOf.includes(nameOf(callee.property));
  file.visit({
    CallExpression({ callee }) {
      if (isOne(callee)) depth += 1;
    },
    "CallExpression:exit"({ callee }) {
      if (isOne(callee)) depth -= 1;
    },
    AwaitExpression({ argument, start }) {
      const [hit] = awaited.exec(file.text.slice(argument.start, argument.end)) ?? [];
      if (depth > 0 && hit) report(file.lineAt(start), `${rule} (here: ${hit})`);
    },
  });
}
