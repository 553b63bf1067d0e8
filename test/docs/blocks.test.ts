/**
 * The code blocks of the documents. Each is held to by a test: here, by what it is of, or by the test that runs it. What
 * cannot run without something that is not here says so in the line before: `<!-- needs: AWS -->`.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { isCommand } from '../../src/options/flags.ts';
import { findProblem, readValues, scan } from '../../src/options/pflag.ts';
import { PKI } from '../support/cli.ts';
import { startTestEmulator } from '../support/vending.ts';
import { type Block, blocksOf, DOCUMENTS, ROOT } from './read-blocks.ts';

/** The languages of blocks that show what a program writes, or a drawing: there is nothing to run. */
const SHOWN = new Set(['console', '']);
interface RunBy {
  readonly document: string;
  readonly language: string;
  /** The test takes those alone that have it. */
  readonly mark: RegExp;
  readonly test: string;
}

/** Blocks that another test runs as printed. */
const RUN_BY: readonly RunBy[] = [
  { document: 'docs/api.md', language: 'ts', mark: /^/, test: 'test/package/api-report.test.ts' },
  {
    document: 'docs/emulator.md',
    language: 'js',
    mark: /^<!-- example: \S+ -->$/,
    test: 'test/package/emulator-example.test.ts',
  },
  { document: 'docs/emulator.md', language: 'hcl', mark: /^/, test: 'test/clients/terraform.heavy.test.ts' },
  { document: 'README.md', language: 'sh', mark: /^<!-- run -->$/, test: 'test/docs/install.heavy.test.ts' },
  {
    document: 'docs/getting-started.md',
    language: 'sh',
    mark: /^<!-- run(?:: (?:openssl|step))? -->$/,
    test: 'test/docs/getting-started.heavy.test.ts',
  },
  {
    document: 'docs/getting-started.md',
    language: 'sh',
    mark: /^<!-- run: (?:install|standalone) -->$/,
    test: 'test/docs/install.heavy.test.ts',
  },
  { document: 'docs/switching.md', language: 'sh', mark: /^<!-- run -->$/, test: 'test/docs/switching.test.ts' },
  { document: 'docs/renewal.md', language: 'sh', mark: /^<!-- run -->$/, test: 'test/docs/renewal.heavy.test.ts' },
  { document: 'docs/identities.md', language: 'sh', mark: /^<!-- run -->$/, test: 'test/docs/tpm/identities.test.ts' },
];

const isRunBy = ({ document, language, mark }: Block, row: RunBy): boolean =>
  row.document === document && row.language === language && row.mark.test(mark);

const BLOCKS = DOCUMENTS.flatMap(blocksOf);

const named = (block: Block): [string, Block] => [`${block.document}:${block.line}`, block];
const blocksIn = (...languages: string[]): [string, Block][] =>
  BLOCKS.filter(({ language }) => languages.includes(language)).map(named);

/** The commands of a script: continued lines joined, comments and the text of here-documents left out. */
function commandsOf(script: string): string[] {
  return script
    .replaceAll(/<<(\w+)\n[^]*?\n\1(?=\n|$)/g, '')
    .replaceAll(/ *\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => line.replace(/(?:^|\s)#.*$/, '').trim())
    .filter((line) => line !== '');
}

/** The words of a command, quotes taken off, up to a pipe or a redirection. */
function wordsOf(command: string): string[] {
  const words = (command.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? []).map((word) => word.replaceAll(/['"]/g, ''));
  const end = words.findIndex((word) => /^(?:\||>|<|&)/.test(word));
  return end < 0 ? words : words.slice(0, end);
}

const leftOut = (word: string): boolean => word === '...' || /^\[[A-Z]+\]$/.test(word);

/** What the program has against a line of its own; `...`, `[FLAGS]` and the like stand for flags left out. */
function problemWith(words: readonly string[]): unknown {
  // A value that is left out is some text; what stands for further flags is nothing.
  const tokens = words.flatMap((word, index) => {
    if (!leftOut(word)) return [word];
    return words[index - 1]?.startsWith('--') === true ? ['VALUE'] : [];
  });
  const { flags, args: all, problem, dashesAt } = scan(tokens);
  if (problem !== undefined) return problem;
  const [command, ...args] = all;
  if (command === undefined || !isCommand(command)) return { kind: 'no-command', command };
  const { given, problem: wrong } = readValues(flags, command);
  if (wrong !== undefined) return wrong;
  const found = findProblem(command, given, args, false, dashesAt);
  // The rest is left out here, or in the profile.
  const elsewhere = words.some((word) => leftOut(word) || word === '--config-profile');
  return found?.kind === 'missing' && elsewhere ? undefined : found;
}

const isOwn = (command: string): boolean => /^(?:\S*\/)?roles-anywhere(?:\s|$)/.test(command);

/** The lines of the program in a block: commands, `credential_process`, and a list of flags that goes on from a line. */
function ownLines({ language, text }: Block): string[] {
  if (language === 'ini') return text.match(/(?<=^credential_process = ).*$/gm) ?? [];
  const commands = commandsOf(language === 'console' ? (text.match(/(?<=^\$ ).*$/gm) ?? []).join('\n') : text);
  if (commands[0]?.startsWith('--') === true && language === 'sh')
    return [`roles-anywhere credential-process ... ${commands.join(' ')}`];
  const inside = text.match(/(?<=^credential_process = ).*$/gm) ?? [];
  return [...commands.map((line) => line.replace(/^(?:[A-Z_]+=\S* )+/, '')), ...inside].filter(isOwn);
}

/** Whether a command runs in a clone with nothing else: `.ci/run` has it, it is a script of package.json, or a variable. */
function runsAnywhere(command: string): boolean {
  if (command === 'npm ci') return true;
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
  const script = /^npm (?:run )?([\w:]+)$/.exec(command)?.[1];
  return script === undefined ? /^export(?: [A-Z\d_]+=\S+)+$/.test(command) : Object.hasOwn(scripts, script);
}

/** The ways in which a block is held to. */
function waysOf(block: Block): string[] {
  const { language, needs } = block;
  const ways = RUN_BY.filter((row) => isRunBy(block, row)).map(({ test }) => test);
  if (needs !== undefined) ways.push(`needs ${needs}`);
  if (ways.length > 0) return ways;
  if (SHOWN.has(language)) return ['shown'];
  if (['ini', 'json', 'yaml'].includes(language)) return ['read'];
  if (language === 'js') return ['run'];
  if (language !== 'sh') return [];
  const own = ownLines(block).length;
  const others = commandsOf(block.text).filter((command) => !isOwn(command) && !command.startsWith('--'));
  return own + others.length > 0 && others.every(runsAnywhere) ? ['checked'] : [];
}

describe('a code block of the documents', () => {
  it.each(BLOCKS.map(named))('%s is run, checked, or says what it needs', (_, block) => {
    expect(waysOf(block)).toHaveLength(1);
  });

  it.each(RUN_BY)('is there in $document for $test, which reads it', (row) => {
    expect(BLOCKS.filter((block) => isRunBy(block, row))).not.toEqual([]);
    expect(readFileSync(join(ROOT, row.test), 'utf8')).toContain(row.document);
  });

  it.each(
    BLOCKS.filter((block) => ['sh', 'ini', 'console'].includes(block.language) && ownLines(block).length > 0).map(
      named,
    ),
  )('%s has lines that the program takes', (_, block) => {
    for (const line of ownLines(block)) {
      expect.soft(problemWith(wordsOf(line).slice(1)), line).toBeUndefined();
    }
  });

  it.each(blocksIn('json'))('%s is JSON', (_, { text }) => {
    expect(() => JSON.parse(text) as unknown).not.toThrow();
  });

  it.each(blocksIn('yaml'))('%s is YAML', (_, { text }) => {
    expect(parseDocument(text).errors).toEqual([]);
  });

  it.each(blocksIn('ini'))('%s has sections, keys and comments and nothing else', (_, { text }) => {
    const odd = text.split('\n').filter((line) => !/^(?:\[[^\]]+\]|\w+ = \S.*|#.*|)$/.test(line));
    expect(odd).toEqual([]);
  });
});

const pem = (name: string): string => readFileSync(join(PKI, name), 'utf8');

describe('a program of the documents', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'blocks-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it.each(blocksIn('js'))('%s is JavaScript', async (_, { text }) => {
    const file = join(folder, 'block.mjs');
    writeFileSync(file, text);
    const { stderr } = await promisify(execFile)(process.execPath, ['--check', file]);
    expect(stderr).toBe('');
  });

  it.each(blocksIn('js').filter(([, block]) => waysOf(block).includes('run')))(
    '%s runs as printed',
    async (_, { text }) => {
      const emulator = await startTestEmulator();
      try {
        writeFileSync(join(folder, 'certificate.pem'), pem('ec-p256.crt.pem') + pem('intermediate.pem'));
        writeFileSync(join(folder, 'key.pem'), pem('ec-p256.key.pem'), { mode: 0o600 });
        // The package as it is built, asked at the emulator: its endpoint is all that a reader at AWS has not.
        const own = join(folder, 'node_modules/roles-anywhere');
        mkdirSync(own, { recursive: true });
        const built = JSON.stringify(pathToFileURL(join(ROOT, 'dist/index.js')).href);
        writeFileSync(join(own, 'package.json'), '{"type":"module","exports":"./index.js"}');
        writeFileSync(
          join(own, 'index.js'),
          `import * as built from ${built};
export * from ${built};
export const fromRolesAnywhere = (options) => built.fromRolesAnywhere({ ...options, endpoint: process.env.AWS_ENDPOINT_URL });
`,
        );
        symlinkSync(join(ROOT, 'node_modules/@aws-sdk'), join(folder, 'node_modules/@aws-sdk'));
        writeFileSync(join(folder, 'program.mjs'), text);
        const before = emulator.verdicts.length;
        await promisify(execFile)(process.execPath, ['program.mjs'], {
          cwd: folder,
          env: {
            PATH: process.env['PATH'],
            AWS_ENDPOINT_URL: emulator.url,
            TRUST_ANCHOR_ARN: emulator.trustAnchorArns[0],
            PROFILE_ARN: emulator.profileArns[0],
            ROLE_ARN: emulator.roleArns[0],
          },
        });
        const asked = emulator.verdicts.slice(before).map(({ status }) => status);
        expect(asked).toEqual([201, 200]);
      } finally {
        await emulator.close();
      }
    },
  );
});
