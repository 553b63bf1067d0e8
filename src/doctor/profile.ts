/** The profile of the AWS config file that AWS's tools take: its `credential_process`, and what else it has. */
// Tests: test/doctor/broken.heavy.test.ts
import { accessSync, constants, openSync, readSync, closeSync, statSync } from 'node:fs';
import { basename, delimiter, isAbsolute, join } from 'node:path';
import { CREDENTIAL_KEYS } from '../options/config/credential-keys.ts';
import { ConfigFile, readConfigText } from '../options/config/file.ts';
import type { ConfigSection } from '../options/config/file.ts';
import type { Origin } from '../options/config/sources.ts';
import { configPath, credentialsPath } from '../options/config/shared.ts';
import { shownWords } from '../options/config/shown-setting.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { systemCode } from '../platform/files.ts';
import { REDACTED } from '../platform/redact.ts';
import type { Notebook } from './notebook.ts';
import { differenceInCmd, differenceInShell, splitLikePython, splitLikeWindows } from './words.ts';
import type { Reading } from './words.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where a line is looked at, and by whom it is written anew. */
export interface ProfileSurroundings {
  readonly env: Environment;
  readonly platform: NodeJS.Platform;
  /** A line of words that every SDK reads alike. */
  readonly commandLine: (words: readonly string[]) => string;
  /** The PATH of cron and of services. */
  readonly barePath: string;
}

/** A profile, and the line of this program in it. */
export interface ProfileLine {
  readonly profile: string;
  /** Where the line is. */
  readonly origin: Origin;
  /** The words behind the program's name; undefined where it is another program's line. */
  readonly tokens: readonly string[] | undefined;
  /** Whether it is called as AWS's helper is. */
  readonly compat: boolean;
}

/** Names under which this program is started. */
const OWN_NAME = /^(roles-anywhere|aws_signing_helper)(?:\.(?:cmd|exe|cjs|js))?$|^cli\.cjs$/i;

/**
 * Checks the profile, and gives the line in it.
 *
 * @param isWanted whether a profile without a `credential_process` is an error
 */
export function checkProfile(
  profile: string,
  surroundings: ProfileSurroundings,
  isWanted: boolean,
  notes: Notebook,
): ProfileLine | undefined {
  const { env } = surroundings;
  const path = configPath(env);
  const sections = notes.try('profile', () => {
    const config = readShared(path);
    const shared = readShared(credentialsPath(env));
    const section = config?.find('profile', profile);
    if (section === undefined && shared?.find('key', profile) === undefined)
      if (config !== undefined) config.profile(profile);
      else if (isWanted)
        throw new RolesAnywhereError('ERR_CONFIG_FILE', `the config file ${path} does not exist`, {
          hint: 'it is ~/.aws/config, or what AWS_CONFIG_FILE names: roles-anywhere init writes it; to look at a command line, give doctor its flags',
        });
    return { config: section, credentials: shared?.find('key', profile) };
  });
  if (sections === undefined) return undefined;
  const { config, credentials } = sections;
  const line = notes.try('profile', () => config?.get('credential_process') ?? credentials?.get('credential_process'));
  if (line === undefined) {
    if (isWanted && !notes.hasErrors('profile'))
      notes.fail(
        'profile',
        new RolesAnywhereError('ERR_CONFIG_PROFILE', `profile ${profile} of ${path} has no credential_process`, {
          hint: 'roles-anywhere init writes one, or name the profile that has it with --profile',
        }),
      );
    return undefined;
  }
  notes.fact('profile', 'credential_process', `line ${line.line} of ${path}, profile ${profile}`);
  const others = [...(config?.lines(CREDENTIAL_KEYS) ?? []), ...(credentials?.lines(CREDENTIAL_KEYS) ?? [])].flatMap(
    ([name, at]) => (name === 'credential_process' ? [] : [`${name} (line ${at})`]),
  );
  if (others.length > 0)
    notes.find('WARN_PROFILE_OTHER_CREDENTIALS', `profile ${profile} also has ${[...new Set(others)].join(', ')}`);
  checkRegion(profile, config, credentials, env, notes);
  const origin = { kind: 'profile', name: 'credential_process', profile, file: path, line: line.line } as const;
  return { profile, origin, ...checkLine(line.value, surroundings, notes) };
}

function readShared(path: string): ConfigFile | undefined {
  try {
    return new ConfigFile(readConfigText(path));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function checkRegion(
  profile: string,
  config: ConfigSection | undefined,
  credentials: ConfigSection | undefined,
  env: Environment,
  notes: Notebook,
): void {
  const region = notes.try('profile', () => config?.get('region') ?? credentials?.get('region'));
  if (region === undefined && !env['AWS_REGION'] && !env['AWS_DEFAULT_REGION'])
    notes.find('WARN_PROFILE_REGION', `profile ${profile} has no region, and AWS_REGION is not set`);
}

type OfLine = Pick<ProfileLine, 'tokens' | 'compat'>;

const NOT_OURS: OfLine = { tokens: undefined, compat: false };

function checkLine(line: string, surroundings: ProfileSurroundings, notes: Notebook): OfLine {
  const { platform, env, commandLine } = surroundings;
  const reading = platform === 'win32' ? splitLikeWindows(line) : splitLikePython(line);
  if ('problem' in reading) {
    notes.fail(
      'profile',
      lineError(
        `credential_process cannot be taken apart: ${reading.problem}`,
        'close the quote, and escape one that is meant',
      ),
    );
    return NOT_OURS;
  }
  const { words } = reading;
  if (words.length === 0) {
    notes.fail('profile', lineError('credential_process holds no words', 'roles-anywhere init writes one'));
    return NOT_OURS;
  }
  const difference = platform === 'win32' ? differenceInCmd(line) : (differenceInShell(line) ?? assignment(words));
  if (difference !== undefined) {
    const isOneForAll = platform !== 'win32' && expandable(line) && assignment(words) === undefined;
    const expanded = isOneForAll ? expandLikeShell(line, env) : undefined;
    const corrected = expanded === undefined ? undefined : wordsOf(splitLikePython(expanded));
    notes.fail(
      'profile',
      lineError(
        `credential_process is not read alike by all: ${difference}, and the AWS CLI and boto3, which use no shell, take it as it is`,
        corrected === undefined
          ? 'write the words themselves, with quotes around those that hold such characters, or call a script that does the rest'
          : 'write the values themselves, as in the line below',
      ),
      corrected === undefined ? [] : [`credential_process = ${commandLine(shownWords(corrected))}`],
    );
  }
  return checkProgram(words, surroundings, notes);
}

function lineError(message: string, hint: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_PROCESS_LINE', message, { hint });
}

function assignment([first = '']: readonly string[]): string | undefined {
  return /^[A-Za-z_]\w*=/.test(first) ? 'a shell takes what stands before the program for a variable' : undefined;
}

/** Whether all that a shell does with a line is to put variables and the home directory in their places. */
function expandable(line: string): boolean {
  return differenceInShell(line.replaceAll(/\$\w+|\$\{\w+\}|(?<=^|\s)~(?=\/)/g, 'x')) === undefined;
}

function wordsOf(reading: Reading): readonly string[] | undefined {
  return 'words' in reading ? reading.words : undefined;
}

/**
 * A line with variables and `~` in their places, as a shell has it; undefined where a variable is not certain to hold
 * something that may be shown.
 */
function expandLikeShell(line: string, env: Environment): string | undefined {
  let isShown = true;
  const value = (name: string): string => {
    const text = env[name] ?? '';
    isShown &&= isTold(name, text);
    return text.replaceAll(/["\\$`\s']/g, String.raw`\$&`);
  };
  const expanded = line.replaceAll(
    /'[^']*'|\$(\w+)|\$\{(\w+)\}|(?<=^|\s)~(?=\/)/g,
    (whole, plain: string | undefined, braced: string | undefined) => {
      if (whole.startsWith("'")) return whole;
      return value(plain ?? braced ?? 'HOME');
    },
  );
  return isShown ? expanded : undefined;
}

/** Whether a variable's value may stand in a report: a path or an ARN, under a name that promises nothing else. */
function isTold(name: string, text: string): boolean {
  return text === '' || (/^(?:\/|arn:)/.test(text) && !/SECRET|PASS|PWD.|TOKEN|PIN|KEY$|CRED|AUTH/i.test(name));
}

/** The word in a program's place, which may be a whole line, or a variable with its value, when quotes are not where they belong. */
function shownProgram(word: string): string {
  return shownWords([word.replace(/(?<==).*/s, REDACTED)]).join('');
}

/** Finds the program that the words start, and the words that it gets. */
function checkProgram(words: readonly string[], surroundings: ProfileSurroundings, notes: Notebook): OfLine {
  const { env, platform, barePath } = surroundings;
  const [first = ''] = words;
  const isNode = /^node(?:js)?(?:\.exe)?$/i.test(basename(first.replaceAll('\\', '/')));
  const found = findProgram(first, env['PATH'] ?? '', platform);
  if (found === undefined) {
    const where = /[/\\]/.test(first) ? 'does not exist, or may not be run' : 'is in no folder of PATH';
    notes.fail(
      'profile',
      new RolesAnywhereError(
        'ERR_PROCESS_PROGRAM',
        `the program of credential_process, ${shownProgram(first)}, ${where}`,
        {
          hint: 'write the absolute path of the program: roles-anywhere init does',
        },
      ),
    );
    return NOT_OURS;
  }
  const [script = ''] = isNode ? words.slice(1) : [first];
  if (!isAbsolute(first))
    notes.find(
      'WARN_PROCESS_PATH',
      `credential_process starts ${first}, which is ${/[/\\]/.test(first) ? 'below the working directory of whoever asks' : `found by PATH: ${found} here`}`,
    );
  else if (!isNode && platform !== 'win32' && asksForNode(found)) checkNode(found, env, barePath, notes);
  if (isNode && findProgram(script, '', platform, constants.R_OK) === undefined) {
    notes.fail(
      'profile',
      new RolesAnywhereError(
        'ERR_PROCESS_PROGRAM',
        `the script of credential_process, ${shownProgram(script)}, cannot be read`,
        {
          hint: 'write the absolute path of the program: roles-anywhere init does',
        },
      ),
    );
    return NOT_OURS;
  }
  const name = OWN_NAME.exec(basename(script.replaceAll('\\', '/')));
  notes.fact('profile', 'program', isNode ? `${found} ${script}` : found);
  if (name === null) {
    notes.find('NOTE_PROCESS_OTHER', `credential_process runs ${basename(script)}, which is not this program`);
    return NOT_OURS;
  }
  return { tokens: words.slice(isNode ? 2 : 1), compat: name[1]?.toLowerCase() === 'aws_signing_helper' };
}

/** The path of a program, as execvp and `shutil.which` find it. */
function findProgram(name: string, path: string, platform: NodeJS.Platform, mode = constants.X_OK): string | undefined {
  if (name === '') return undefined;
  const suffixes = platform === 'win32' ? ['', '.exe', '.cmd'] : [''];
  const bases = /[/\\]/.test(name)
    ? [name]
    : path
        .split(delimiter)
        .filter((folder) => folder !== '')
        .map((folder) => join(folder, name));
  return bases
    .flatMap((base) => suffixes.map((suffix) => base + suffix))
    .find((file) => {
      try {
        accessSync(file, mode);
        return statSync(file).isFile();
      } catch {
        return false;
      }
    });
}

/** Whether a script leaves it to PATH which Node runs it. */
function asksForNode(file: string): boolean {
  const head = Buffer.alloc(64);
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, constants.O_RDONLY);
    const length = readSync(descriptor, head);
    return /^#!\s*\/usr\/bin\/env\s+(?:-S\s+)?node\b/.test(head.toString('latin1', 0, length));
  } catch {
    return false;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function checkNode(program: string, env: Environment, barePath: string, notes: Notebook): void {
  if (findProgram('node', env['PATH'] ?? '', 'linux') === undefined)
    notes.fail(
      'profile',
      new RolesAnywhereError('ERR_PROCESS_PROGRAM', `${program} is run by node, which is in no folder of PATH`, {
        hint: 'write the path of node before it: roles-anywhere init does',
      }),
    );
  else if (findProgram('node', barePath, 'linux') === undefined)
    notes.find(
      'WARN_PROCESS_NODE',
      `${program} is run by node, which is not found with PATH=${barePath}, as cron and services have it`,
    );
}

/** The profile that AWS's tools choose. */
export function chosenProfile(env: Environment): string {
  return env['AWS_PROFILE'] || env['AWS_DEFAULT_PROFILE'] || 'default';
}
