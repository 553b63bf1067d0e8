/** One table says what there is: help, man pages, docs/commands.md and the parser have its commands and flags, and no others. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { manPages } from '../../scripts/man-pages.ts';
import { commandsPage } from '../../scripts/make-docs.ts';
import { parseAny } from '../../src/options/any-line.ts';
import { COMMAND_HELP, EXIT_STATUS_HELP } from '../../src/options/command-help.ts';
import { describeFlag } from '../../src/options/describe.ts';
import { COMMANDS, COMMON, FLAGS, flagsOf, isCommand, isFlag } from '../../src/options/flags.ts';
import type { CommandName, FlagName } from '../../src/options/flags.ts';
import { FLAG_HELP } from '../../src/options/help.ts';
import { findProblem, readValues, scan } from '../../src/options/pflag.ts';

const PAGES = manPages('0.1.0');
const COMMANDS_PAGE = commandsPage();
const ALL = Object.keys(COMMANDS).filter(isCommand);

async function helpOf(...tokens: readonly string[]): Promise<string> {
  const outcome = await parseAny([...tokens, '--help'], { program: 'roles-anywhere', compat: false });
  if (outcome.kind !== 'help') throw new Error(`came to ${outcome.kind}`);
  return outcome.text;
}

/** A man page as its reader sees it, but for the layout. */
function plain(name: string): string {
  const text = PAGES.get(`${name}.1`);
  if (text === undefined) throw new Error(`there is no page ${name}.1`);
  return text
    .replaceAll(/^\.(?:TP|PP|RS 4|RE|nf|fi|nh|ad l)\n/gm, '')
    .replaceAll(/\\f[BIR]|\\&/g, '')
    .replaceAll(String.raw`\-`, '-')
    .replaceAll(String.raw`\(aq`, "'")
    .replaceAll(String.raw`\(ti`, '~')
    .replaceAll(String.raw`\(ha`, '^')
    .replaceAll(String.raw`\(ga`, '`')
    .replaceAll(String.raw`\e`, '\\');
}

/** Text as the letters that are said: no layout, which may break a line anywhere, and nothing that a document has to escape. */
const flat = (text: string): string =>
  text.replaceAll('\\|', '|').replaceAll('&lt;', '<').replaceAll(/\s+/g, '').toLowerCase();
const sectionOf = (name: CommandName): string =>
  new RegExp(String.raw`^## ${name}\n[^]*?(?=^## )`, 'm').exec(COMMANDS_PAGE)?.[0] ?? '';

/** The flags that stand at the beginning of a line, as definitions do. */
const defined = (text: string, before: RegExp): string[] =>
  [...text.matchAll(new RegExp(String.raw`${before.source}--([a-z][\w-]*)`, 'gm'))]
    .map(([, flag = '']) => flag)
    .toSorted();

describe.each(ALL)('%s', (name) => {
  const flags = [...flagsOf(name)].toSorted();

  it('has the same flags in help, in its man page and in docs/commands.md', async () => {
    expect(defined(await helpOf(name), /^ {2}/)).toEqual(flags);
    expect(defined(plain(`roles-anywhere-${name}`), /^/)).toEqual(flags);
    const taken = /^Takes (.*?), and the flags that every command takes\.|^Takes (.*?)\./m.exec(sectionOf(name));
    const documented = defined(taken?.[1] ?? taken?.[2] ?? '', /`/);
    expect(documented).toEqual(flags.filter((flag) => !COMMON.some((common) => common === flag)));
  });

  it('says the same of each flag in help and in its man page', async () => {
    const [help, man] = [flat(await helpOf(name)), flat(plain(`roles-anywhere-${name}`))];
    const without = (text: string): ((flag: FlagName) => boolean) => {
      return (flag) => !text.includes(flat(describeFlag(flag, name)));
    };
    expect({ help: flagsOf(name).filter(without(help)), man: flagsOf(name).filter(without(man)) }).toEqual({
      help: [],
      man: [],
    });
  });

  it('is described with the same words, examples and exit statuses in all of them', async () => {
    const { summary, text = `${summary}.`, examples } = COMMAND_HELP[name];
    const page = flat(plain(`roles-anywhere-${name}`));
    for (const place of [flat(await helpOf(name)), page, flat(sectionOf(name))]) {
      expect(place).toContain(flat(text));
      for (const { line } of examples) expect(place).toContain(flat(`roles-anywhere ${line.join(' \\\n')}`));
    }
    for (const place of [flat(await helpOf()), flat(plain('roles-anywhere')), page])
      expect(place).toContain(flat(summary));
    for (const [status, meaning] of EXIT_STATUS_HELP) expect(page).toContain(flat(`${status}${meaning}.`));
  });

  it('has examples that it can run with', () => {
    const { examples } = COMMAND_HELP[name];
    expect(examples.length).toBeGreaterThan(1);
    expect(new Set(examples.map(({ text }) => text)).size).toBe(examples.length);
    for (const { line } of examples) {
      const words = (line.join(' ').match(/(?:'[^']*'|[^\s'])+/g) ?? []).map((word) => word.replaceAll("'", ''));
      const end = words.findIndex((word) => /^[>|]/.test(word));
      const { flags: given, args, problem, dashesAt } = scan(end < 0 ? words : words.slice(0, end));
      expect({ line, problem }).toEqual({ line, problem: undefined });
      expect(args[0]).toBe(name);
      const values = readValues(given, name);
      expect({ line, problem: values.problem }).toEqual({ line, problem: undefined });
      const found = findProblem(name, values.given, args.slice(1), false, dashesAt);
      // The rest is in the profile.
      const isElsewhere = found?.kind === 'missing' && values.given['config-profile'] !== undefined;
      expect({ line, found: isElsewhere ? undefined : found }).toEqual({ line, found: undefined });
    }
  });
});

describe('the program', () => {
  it('has every command in its help, its man page and docs/commands.md, and a page for each', async () => {
    const help = [...(await helpOf()).matchAll(/^ {2}roles-anywhere ([\w-]+) /gm)].map(([, command]) => command);
    expect(help).toEqual(ALL);
    const man = [...plain('roles-anywhere').matchAll(/See roles-anywhere-([\w-]+)\(1\)/g)].map(
      ([, command]) => command,
    );
    expect(man).toEqual(ALL);
    expect([...PAGES.keys()]).toEqual(['roles-anywhere.1', ...ALL.map((name) => `roles-anywhere-${name}.1`)]);
    const headings = [...COMMANDS_PAGE.matchAll(/^## ([a-z][\w-]*)$/gm)].map(([, command]) => command);
    expect(headings).toEqual(ALL);
  });

  it('documents every flag of the table once, with what help says of it', () => {
    const rows = [...COMMANDS_PAGE.matchAll(/^\| `--([a-z][\w-]*)[^`]*` \| (.*?) \| [^|]* ?\|$/gm)];
    expect(rows.map(([, flag = '']) => flag).toSorted()).toEqual(Object.keys(FLAGS).toSorted());
    const text = flat(COMMANDS_PAGE);
    const names = Object.keys(FLAG_HELP).filter(isFlag);
    expect(names.filter((flag) => !text.includes(flat(`${describeFlag(flag)}.`)))).toEqual([]);
  });

  it('defines the flags that every command takes in its own help and man page', async () => {
    const common = [...COMMON].toSorted();
    expect(defined(await helpOf(), /^ {2}/)).toEqual(common);
    expect(defined(plain('roles-anywhere'), /^/)).toEqual(common);
  });

  it('is taken with the short forms that help names, and no others', () => {
    const shown = Object.keys(FLAG_HELP)
      .filter(isFlag)
      .flatMap((flag) => / also (-[a-z])$/.exec(FLAG_HELP[flag].text)?.[1] ?? []);
    const letters = Array.from({ length: 26 }, (_, at) => `-${String.fromCharCode(97 + at)}`);
    expect(letters.filter((word) => scan([word]).problem === undefined)).toEqual(shown);
  });
});

it('docs/commands.md in the repository is that page', () => {
  expect(readFileSync(join(import.meta.dirname, '../../docs/commands.md'), 'utf8')).toBe(COMMANDS_PAGE);
});
