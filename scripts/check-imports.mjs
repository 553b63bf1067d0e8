// The dependency-direction check: imports between the folders of src/ are those of the table in docs/architecture.md and no
// others, and neither folders nor files import each other in a circle. Static and dynamic imports count, and those of
// types. Usage: node scripts/check-imports.mjs [SRC]
import { readFileSync, readdirSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Visitor, parseSync } from 'rolldown/utils';
import { readArguments } from './usage.mjs';

/** Folders that compute and do nothing else: the only builtins that they may import. */
const PURE = { x509: ['node:crypto', 'node:buffer'], signing: ['node:crypto', 'node:buffer'] };

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const own = join(root, 'src');
const src = resolve(readArguments(import.meta.filename, {}, true).positionals[0] ?? own);
const allowed = readTable(join(root, 'docs/architecture.md'));
const used = new Set();

const files = readdirSync(src, { recursive: true })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.replaceAll(sep, '/'))
  .toSorted();
const imports = new Map(files.map((file) => [file, specifiers(file)]));
const problems = [
  ...files.flatMap((file) =>
    allowed.has(unitOf(file))
      ? imports.get(file).flatMap((specifier) => problemWith(file, specifier) ?? [])
      : [`src/${file}: ${unitOf(file)} has no row in docs/architecture.md`],
  ),
  ...circles(new Map([...allowed].map(([unit, targets]) => [unit, targets.map((target) => unitOf(target))]))).map(
    (units) => `docs/architecture.md: a circle of folders: ${units.join(' -> ')}`,
  ),
  ...circles(new Map(files.map((file) => [file, imports.get(file).flatMap((name) => targetOf(file, name) ?? [])]))).map(
    (circle) => `a circle of imports: ${circle.map((file) => `src/${file}`).join(' -> ')}`,
  ),
  ...(src === own ? unused() : []),
];
for (const problem of problems) console.error(problem);
if (files.length === 0) console.error(`no sources in ${src}`);
console.error(`${files.length} files, ${problems.length} problems with their imports`);
process.exitCode = files.length > 0 && problems.length === 0 ? 0 : 1;

/** What each folder or file of src/ may import besides itself: the last column of the table of folders. */
function readTable(page) {
  const rows = readFileSync(page, 'utf8').matchAll(/^\| `src\/([\w.-]+)\/?` +\|.*\|([^|]*)\|$/gm);
  return new Map([...rows].map(([, unit, cell]) => [unit, [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name)]));
}

/** Every module name that a file imports or re-exports. */
function specifiers(file) {
  const { program, errors } = parseSync(file, readFileSync(join(src, file), 'utf8'));
  if (errors.length > 0) throw new Error(`${file}: ${errors[0].message}`);
  const found = [];
  const add = ({ source }) => {
    if (source?.type === 'Literal') found.push(source.value);
  };
  new Visitor({
    ImportDeclaration: add,
    ExportNamedDeclaration: add,
    ExportAllDeclaration: add,
    ImportExpression: add,
    TSImportType: add,
  }).visit(program);
  return found;
}

/** The file that a relative specifier means, by its path below src/. */
function targetOf(file, specifier) {
  return specifier.startsWith('.')
    ? relative(src, resolve(src, dirname(file), specifier)).replaceAll(sep, '/')
    : undefined;
}

/** What is wrong with `file` importing `specifier`, if anything. */
function problemWith(file, specifier) {
  const unit = unitOf(file);
  const target = targetOf(file, specifier);
  if (target === undefined)
    return unit in PURE && !(isBuiltin(specifier) && PURE[unit].includes(specifier))
      ? `src/${file}: ${unit} is pure and must not import ${specifier}`
      : undefined;
  if (target.startsWith('../')) return `src/${file}: ${specifier} is outside of src/`;
  if (unitOf(target) === unit) return undefined;
  const permission = allowed.get(unit).find((one) => one === target || one === unitOf(target));
  if (permission === undefined) return `src/${file}: ${unit} must not import ${target}`;
  used.add(`${unit} ${permission}`);
  return undefined;
}

/** What the picture allows and no file does. */
function unused() {
  return [...allowed].flatMap(([unit, targets]) =>
    targets
      .filter((target) => !used.has(`${unit} ${target}`))
      .map((target) => `docs/architecture.md: ${unit} imports nothing of ${target}`),
  );
}

/** The circles of a graph, one for each edge that leads back. */
function circles(graph) {
  const found = [];
  const done = new Set();
  const visit = (node, path) => {
    if (path.includes(node)) return found.push([...path.slice(path.indexOf(node)), node]);
    if (done.has(node)) return undefined;
    for (const next of new Set(graph.get(node) ?? [])) visit(next, [...path, node]);
    return done.add(node);
  };
  for (const node of graph.keys()) visit(node, []);
  return found;
}

/** The top folder of a file below src/, or the file itself at the top. */
function unitOf(file) {
  return file.split('/')[0];
}
