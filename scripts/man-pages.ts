/**
 * The man pages of the program and of each command, from the table of flags and the words of the help, so that they say
 * nothing else than the program does. The build writes them into dist/man; the `man` field of package.json names them.
 *
 * The language is that of man(7), and no more of it than groff and mandoc agree on.
 */
// Tests: test/package/man-pages.test.ts
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeFlag, groupOf, label } from '../src/options/describe.ts';
import { variableOf } from '../src/options/config/sources.ts';
import { COMMANDS, COMMON, flagsOf, isCommand, isFlag } from '../src/options/flags.ts';
import type { CommandName, FlagName } from '../src/options/flags.ts';
import { COMMAND_HELP, EXIT_STATUS_HELP } from '../src/options/command-help.ts';
import { GROUPS } from '../src/options/flag-help.ts';
import { FLAG_HELP } from '../src/options/help.ts';

const PROGRAM = 'roles-anywhere';
const SUMMARY = 'temporary AWS credentials from an X.509 certificate';

/** What a reader of a page finds outside of the command line. */
const FILES = [
  ['~/.aws/config', 'The AWS config file, or that which AWS_CONFIG_FILE names: the profile of --config-profile.'],
  ['~/.aws/credentials', 'The shared credentials file, or that which AWS_SHARED_CREDENTIALS_FILE names.'],
] as const;

const ENVIRONMENT = [
  [
    'ROLES_ANYWHERE_...',
    'Most flags have a variable, which is named with the flag. The command line counts before it, and it before the profile.',
  ],
  ['AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE', 'Other places of these files.'],
  ['HTTPS_PROXY, HTTP_PROXY, NO_PROXY', 'The proxy to connect through, and the hosts that are reached without it.'],
  ['NO_COLOR', 'Not empty: no colour in help and errors. There is none where the output is no terminal.'],
] as const;

/** The pages by the name of their files. */
export function manPages(version: string): ReadonlyMap<string, string> {
  const commands = Object.keys(COMMANDS).filter(isCommand);
  return new Map([
    [`${PROGRAM}.1`, programPage(commands, version)],
    ...commands.map((command): [string, string] => [`${pageOf(command)}.1`, commandPage(command, version)]),
  ]);
}

function programPage(commands: readonly CommandName[], version: string): string {
  return page(PROGRAM, SUMMARY, version, [
    ['SYNOPSIS', `.B ${escaped(PROGRAM)}\n.I COMMAND\n.RI [ FLAGS ]`],
    [
      'DESCRIPTION',
      filled(
        'Exchanges an X.509 certificate for temporary AWS credentials by IAM Roles Anywhere, and gives them to the AWS CLI, the SDKs and other programs. A value follows its flag as --flag VALUE or --flag=VALUE; a flag that is on or off takes one only as in --flag=false.',
      ),
    ],
    [
      'COMMANDS',
      commands
        .map((command) =>
          tagged(bold(command), `${sentence(COMMAND_HELP[command].summary)} See ${pageOf(command)}(1).`),
        )
        .join('\n'),
    ],
    ['OPTIONS', `${filled('Every command takes these.')}\n${options(COMMON)}`],
    ['ENVIRONMENT', ENVIRONMENT.map(([name, text]) => tagged(bold(name), text)).join('\n')],
    ['FILES', FILES.map(([name, text]) => tagged(italic(name), text)).join('\n')],
    ['EXIT STATUS', statuses()],
    ['SEE ALSO', seeAlso(commands.map((command) => pageOf(command)))],
  ]);
}

function commandPage(command: CommandName, version: string): string {
  const { args, summary, text = summary, examples } = COMMAND_HELP[command];
  const given = args === undefined ? [] : [`.I ${escaped(args)}`];
  const flags = flagsOf(command);
  return page(pageOf(command), summary, version, [
    ['SYNOPSIS', [`.B ${escaped(`${PROGRAM} ${command}`)}`, '.RI [ FLAGS ]', ...given].join('\n')],
    ['DESCRIPTION', filled(sentence(text))],
    ...GROUPS.flatMap((group): [string, string][] => {
      const members = flags.filter((flag) => groupOf(flag) === group);
      return members.length === 0 ? [] : [[`.SS ${escaped(group)}`, options(members, command)]];
    }),
    ['EXAMPLES', examples.map(({ text: what, line }) => `${filled(sentence(what))}\n${shown(line)}`).join('\n.PP\n')],
    ['EXIT STATUS', statuses()],
    ['SEE ALSO', seeAlso([PROGRAM])],
  ]);
}

/** A section is a heading and its text; a heading that begins with a macro is one below OPTIONS. */
function page(
  name: string,
  summary: string,
  version: string,
  sections: readonly (readonly [string, string])[],
): string {
  let isOfOptions = false;
  const body = sections.flatMap(([heading, text]) => {
    const isPart = heading.startsWith('.');
    const opening = isPart && !isOfOptions ? ['.SH OPTIONS'] : [];
    isOfOptions = isPart;
    return [...opening, isPart ? heading : `.SH ${heading}`, text];
  });
  return [
    String.raw`.\" Made by the build from the table of flags.`,
    // Without a date: the same sources give the same pages.
    `.TH ${name.toUpperCase().replaceAll('-', String.raw`\-`)} 1 "" "${PROGRAM} ${version}"`,
    // Names of flags and variables are not to be broken, nor lines padded.
    '.nh',
    '.ad l',
    '.SH NAME',
    String.raw`${escaped(name)} \- ${escaped(summary)}`,
    ...body,
    '',
  ].join('\n');
}

/** In the order of the help's own table, as --help has them. */
function options(flags: readonly FlagName[], command?: CommandName): string {
  return Object.keys(FLAG_HELP)
    .filter(isFlag)
    .filter((flag) => flags.includes(flag))
    .map((flag) => {
      const { value } = FLAG_HELP[flag];
      const name = bold(`--${flag}`);
      const head = value === undefined ? name : name + label(flag).slice(flag.length).replace(value, italic(value));
      const variable = variableOf(flag);
      const from = variable === undefined ? '' : ` Environment: ${variable}.`;
      return tagged(head, `${sentence(describeFlag(flag, command))}${from}`);
    })
    .join('\n');
}

function statuses(): string {
  return EXIT_STATUS_HELP.map(([status, text]) => tagged(bold(String(status)), sentence(text))).join('\n');
}

function seeAlso(names: readonly string[]): string {
  return names.map((name, at) => `.BR ${escaped(name)} (1)${at < names.length - 1 ? ' ,' : ''}`).join('\n');
}

function pageOf(command: CommandName): string {
  return `${PROGRAM}-${command}`;
}

/** An indented text below a heading of its own. */
function tagged(head: string, text: string): string {
  return `.TP\n${head}\n${filled(text)}`;
}

/** A line to try, as it stands. */
function shown(line: readonly string[]): string {
  const lines = escaped([PROGRAM, line.join(' \\\n    ')].join(' ')).split('\n');
  return ['.PP', '.RS 4', '.nf', ...lines.map(guarded), '.fi', '.RE'].join('\n');
}

/** Text that is filled, a sentence a line, as man(7) has it, with flags in bold. */
function filled(text: string): string {
  return escaped(text)
    .replaceAll(/(?<=[.;:]) (?=[A-Z-])/g, '\n')
    .replaceAll(/(?<![\w-])(?:\\-){2}[a-z][\w\\-]*/g, (flag) => String.raw`\fB${flag}\fR`)
    .split('\n')
    .map(guarded)
    .join('\n');
}

function sentence(text: string): string {
  return `${text.replace(/^./, (first) => first.toUpperCase())}${/[.!?]$/.test(text) ? '' : '.'}`;
}

function bold(text: string): string {
  return String.raw`\fB${escaped(text)}\fR`;
}

function italic(text: string): string {
  return String.raw`\fI${escaped(text)}\fR`;
}

/** Text as it stands: dashes that can be searched for and copied, quotes and accents that stay ASCII. */
function escaped(text: string): string {
  return text
    .replaceAll('\\', String.raw`\e`)
    .replaceAll('-', String.raw`\-`)
    .replaceAll("'", String.raw`\(aq`)
    .replaceAll('~', String.raw`\(ti`)
    .replaceAll('^', String.raw`\(ha`)
    .replaceAll('`', String.raw`\(ga`);
}

/** A line of text that begins like a request is none. */
function guarded(line: string): string {
  return line.replace(/^(?=\.)/, String.raw`\&`);
}

const [, script = '', folder, version] = process.argv;
if (script.endsWith('man-pages.ts') && folder !== undefined && version !== undefined) {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of manPages(version)) writeFileSync(join(folder, name), text);
}
