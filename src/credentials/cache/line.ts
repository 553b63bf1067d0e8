/**
 * What a command line comes to, remembered: which entry it uses, and how that is printed. Without it, each hit would have
 * to read flags, variables and profiles first, which takes more code than Node's start does. A remembered line counts only
 * for the very same words, variables and config file; anything else is read as ever.
 */
// Tests: test/credentials/cache/line.test.ts
import { parse } from './json.ts';
import { CACHE_VERSION } from './entry.ts';
import { stampOf } from './safe-file.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** A line, as far as credentials follow from it. */
export interface Line {
  /** Everything but secrets: compared, not only hashed. */
  readonly text: string;
  /** Of the file that remembers it. */
  readonly name: string;
}

/** What is remembered of a line. */
export interface RememberedLine {
  readonly version: typeof CACHE_VERSION;
  readonly text: string;
  /** The working directory, where a relative path of the line starts there. */
  readonly directory?: string | undefined;
  /** The AWS config file as it was read: its path, and its stamp where it was there. */
  readonly config: readonly [path: string, stamp?: string];
  /** The name of the entry. */
  readonly entry: string;
  readonly minRemainingMs: number;
  readonly accountId: boolean;
  readonly lineFeed: boolean;
}

/** Variables of these names change what a line means, but for those of credentials, which it does not read. */
const COUNTING = /^(?:ROLES_ANYWHERE_|AWS_)|^(?:HOME|XDG_RUNTIME_DIR|XDG_CACHE_HOME)$/i;
const NOT_COUNTING = /^AWS_(?:ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|SECURITY_TOKEN|CREDENTIAL_EXPIRATION)$/i;
/** Variables and flags whose values are secrets. Which password opens a key does not change whose key it is. */
const SECRET_VARIABLE = /(?:PASSWORD|_PIN|_TOKEN|_PROXY)$/i;
const SECRET_FLAG = /^--(?:[a-z0-9-]+-password|mfa-token|proxy)(?:=|$)/;

/** Whether a line or its environment may ask for the cache. Any other costs no more than this. */
export function mayUseCache(tokens: readonly string[], env: Environment): boolean {
  return (
    tokens.some((token) => /^--(?:cache|config-profile)(?:=|$)/.test(token)) ||
    Boolean(env['ROLES_ANYWHERE_CACHE'] || env['ROLES_ANYWHERE_CONFIG_PROFILE'])
  );
}

/**
 * The text of a line.
 *
 * @param program by which name and version of this program it was called
 */
export function lineOf(program: string, tokens: readonly string[], env: Environment): Line {
  const parts = [program];
  let secret = false;
  for (const token of tokens) {
    const isSecretFlag: boolean = !secret && SECRET_FLAG.test(token);
    parts.push(secret ? '' : isSecretFlag ? token.replace(/=.*$/s, '=') : withoutPin(token));
    secret = isSecretFlag && !token.includes('=');
  }
  for (const name of Object.keys(env).toSorted()) {
    if (!COUNTING.test(name) || NOT_COUNTING.test(name)) continue;
    parts.push(`${name}=${SECRET_VARIABLE.test(name) ? '' : withoutPin(env[name] ?? '')}`);
  }
  const text = parts.join('\0');
  return { text, name: `line-${CACHE_VERSION}-${hash(text)}` };
}

/** A PKCS#11 URI may hold its PIN: everything from there to the end is left out, since a malformed one may hold anything. */
export function withoutPin(text: string): string {
  return text.replace(/(pin-value(?:=|%3d)).*/is, '$1');
}

/** Names a file: whether it is that of this line is for the text to say. Two hashes of 32 bits (FNV-1a and one of its kind). */
function hash(text: string): string {
  let one = 0x811c9dc5;
  let other = 0x9e3779b9;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    one = Math.imul(one ^ code, 0x01000193);
    other = Math.imul(other ^ code, 0x85ebca6b) ^ (other >>> 13);
  }
  return [one, other].map((part) => (part >>> 0).toString(16).padStart(8, '0')).join('');
}

/** Reads what is remembered of `line`; undefined when that is of another line, of other files, or damaged. */
export function parseLine(text: string, line: Line, directory: () => string): RememberedLine | undefined {
  const value = parse(text);
  if (value === undefined || value['version'] !== CACHE_VERSION || value['text'] !== line.text) return undefined;
  const { config, entry, minRemainingMs } = value;
  if (value['directory'] !== undefined && value['directory'] !== directory()) return undefined;
  if (!Array.isArray(config) || typeof config[0] !== 'string' || stampOf(config[0]) !== config[1]) return undefined;
  if (typeof entry !== 'string' || !isEntryName(entry) || !Number.isFinite(minRemainingMs)) return undefined;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every member that matters was looked at
  return value as unknown as RememberedLine;
}

/** The name of an entry's file: no path leads out of the folder. */
export function isEntryName(name: string): boolean {
  return /^session-\d+-[0-9a-f]{32}$/.test(name);
}
