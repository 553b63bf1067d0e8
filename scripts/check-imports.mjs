// The dependency-direction check: which folder of src/ may import from which. Static and dynamic imports count, and those
// of types. Usage: node scripts/check-imports.mjs [SRC]
import { readFileSync, readdirSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Visitor, parseSync } from 'rolldown/utils';

/** What the emulator may import of the rest: nothing that it verifies. */
const EMULATOR = ['errors', 'log', 'clock', 'files', 'file-system'].map((name) => `platform/${name}.ts`);
/** Everything below the command line. */
const LIBRARY = [
  'platform',
  'x509',
  'options',
  'identity',
  'signing',
  'http',
  'aws',
  'credentials',
  'sources',
  'providers',
  'output',
  'server',
  'console',
];

/** Contracts: types that both sides of a border share, and no code. */
const IDENTITY = 'identity/identity.ts';
const CREDENTIALS = 'credentials/credentials.ts';
const COMMAND = 'commands/command.ts';

/**
 * For each folder or file of src/: the folders and files there that it may import from, besides its own folder. The order
 * is that of the data: options, identity, signing, aws, credentials, output. A new folder needs a row.
 */
const MAY_IMPORT = {
  platform: [],
  x509: ['platform/errors.ts', IDENTITY],
  options: ['platform', 'x509', COMMAND],
  identity: ['platform', 'x509', 'options'],
  signing: ['platform/errors.ts', 'x509', IDENTITY],
  http: ['platform'],
  aws: ['platform', 'http', 'signing', IDENTITY, CREDENTIALS, 'credentials/expiration.ts'],
  credentials: ['platform', 'http', 'signing', 'identity', 'aws'],
  // Where a caller's credentials and codes come from.
  sources: ['platform', 'options', 'http', 'aws', 'credentials'],
  // The library's face: what an application hands to an SDK.
  providers: ['platform', 'x509', 'options', 'identity', 'http', 'aws', 'credentials', 'sources', 'server'],
  // It must read a file as SDKs do before it writes to it.
  output: ['platform', 'options', 'credentials'],
  server: ['platform', 'http', 'credentials', 'output'],
  emulator: EMULATOR,
  commands: [...LIBRARY, 'emulator'],
  'index.ts': LIBRARY,
  'cli.ts': [...LIBRARY, 'commands'],
};

/** Folders that compute and do nothing else: the only builtins that they may import. */
const PURE = { x509: ['node:crypto', 'node:buffer'], signing: ['node:crypto', 'node:buffer'] };

const src = resolve(process.argv[2] ?? join(dirname(dirname(fileURLToPath(import.meta.url))), 'src'));
const files = readdirSync(src, { recursive: true }).filter((file) => file.endsWith('.ts'));
const problems = files.flatMap((file) =>
  Object.hasOwn(MAY_IMPORT, unitOf(file))
    ? specifiers(file).flatMap((specifier) => problemWith(file, specifier) ?? [])
    : [`src/${file}: ${unitOf(file)} has no row in scripts/check-imports.mjs`],
);
for (const problem of problems) console.error(problem);
if (files.length === 0) console.error(`no sources in ${src}`);
console.error(`${files.length} files, ${problems.length} imports against the direction`);
process.exitCode = files.length > 0 && problems.length === 0 ? 0 : 1;

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

/** What is wrong with `file` importing `specifier`, if anything. */
function problemWith(file, specifier) {
  const unit = unitOf(file);
  if (isBuiltin(specifier))
    return PURE[unit]?.includes(specifier) === false
      ? `src/${file}: ${unit} is pure and must not import ${specifier}`
      : undefined;
  if (!specifier.startsWith('.'))
    return unit in PURE ? `src/${file}: ${unit} is pure and must not import ${specifier}` : undefined;
  const target = relative(src, resolve(src, dirname(file), specifier)).replaceAll(sep, '/');
  if (target.startsWith('../')) return `src/${file}: ${specifier} is outside of src/`;
  if (unitOf(target) === unit || MAY_IMPORT[unit].includes(target) || MAY_IMPORT[unit].includes(unitOf(target)))
    return undefined;
  return `src/${file}: ${unit} must not import ${target}`;
}

/** The top folder of a file below src/, or the file itself at the top. */
function unitOf(file) {
  return file.replaceAll(sep, '/').split('/')[0];
}
