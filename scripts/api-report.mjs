// The API report, docs/api.md: every exported name of the library with its declaration and documentation, from the built
// types, so that a change of surface shows in review.
// Usage: node scripts/api-report.mjs [--check]; --check writes nothing and fails when the report is not up to date.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'rolldown/utils';
import { readArguments } from './usage.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const report = join(root, 'docs/api.md');

const { values } = readArguments(import.meta.filename, { check: { type: 'boolean' } });

const INTRO = `# API

Made by \`npm run api\` from the declarations of the built library: do not edit. [The library](library.md) says how it is used.
`;

const SECTIONS = [
  { title: 'Functions', belongs: ({ type }) => type === 'TSDeclareFunction' || type === 'FunctionDeclaration' },
  { title: 'Classes', belongs: ({ type }) => type === 'ClassDeclaration' },
  { title: 'Constants', belongs: ({ type }) => type === 'VariableDeclaration' },
  { title: 'Types', belongs: () => true },
];

try {
  const text = render(collect(join(root, 'dist/types/index.d.ts')));
  const current = existsSync(report) ? readFileSync(report, 'utf8') : '';
  if (values.check) {
    if (text !== current) throw new Error('docs/api.md is not up to date: run `npm run build && npm run api`');
  } else writeFileSync(report, text);
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}

/** The entry's exported names, each with the text and the kind of its declaration. */
function collect(entry) {
  const found = [];
  for (const { type, source, specifiers } of parse(entry).program.body) {
    if (type !== 'ExportNamedDeclaration' || source === null)
      throw new Error('the entry does something else than export names from other files');
    const file = resolve(dirname(entry), source.value.replace(/\.js$/, '.d.ts'));
    const declarations = declarationsOf(file);
    for (const { local, exported } of specifiers) {
      const declared = declarations.get(local.name);
      if (declared === undefined) throw new Error(`${source.value} has no ${local.name}`);
      const text =
        local.name === exported.name ? declared.text : declared.text.replace(` ${local.name}`, ` ${exported.name}`);
      found.push({ ...declared, text, name: exported.name });
    }
  }
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The exported declarations of a file, each with the documentation in front of it. */
function declarationsOf(file) {
  const { text, program, comments } = parse(file);
  const found = new Map();
  for (const statement of program.body) {
    const { declaration } = statement;
    if (statement.type !== 'ExportNamedDeclaration' || declaration === null) continue;
    const before = comments.findLast(({ end }) => end <= statement.start);
    const isDocumentation = before?.value.startsWith('*') && /^\s*$/.test(text.slice(before.end, statement.start));
    const body = text.slice(isDocumentation ? before.start : statement.start, statement.end);
    const names = (declaration.declarations ?? [declaration]).map(({ id }) => id.name);
    for (const name of names) found.set(name, { text: body, type: declaration.type });
  }
  return found;
}

function parse(file) {
  const text = readFileSync(file, 'utf8');
  const { program, comments, errors } = parseSync(file, text);
  if (errors.length > 0) throw new Error(`${file}: ${errors[0].message}`);
  return { text, program, comments };
}

function render(declarations) {
  const parts = [INTRO];
  let rest = declarations;
  for (const { title, belongs } of SECTIONS) {
    const own = rest.filter(belongs);
    rest = rest.filter((declaration) => !own.includes(declaration));
    parts.push(`## ${title}\n`);
    for (const { name, text } of own) parts.push(`### ${name}\n\n\`\`\`ts\n${text}\n\`\`\`\n`);
  }
  return parts.join('\n');
}
