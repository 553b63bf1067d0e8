/**
 * What a command line comes to, remembered: which entry it uses, and how that is printed. Without it, each hit would have
 * to read flags, variables and profiles first, which takes more code than Node's start does. A remembered line counts only
 * for the very same words, variables and config file; anything else is read as ever.
 */
// Tests: test/credentials/cache/line.test.ts
import { parse } from './json.ts';
import { CACHE_VERSION } from './entry.ts';
import { bootOf, stampOf } from './safe-file.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** A line, as far as credentials follow from it. */
export interface Line {
  /** Its words but for secrets, compared and not only hashed; of variables the names, and hashes of what they hold. */
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
  /** Which start of which machine, where a device is named that is another one on each. */
  readonly boot?: string | undefined;
  /** The AWS config file as it was read: its path, and its stamp where it was there. */
  readonly config: readonly [path: string, stamp?: string];
  /** The name of the entry. */
  readonly entry: string;
  readonly minRemainingMs: number;
  readonly accountId: boolean;
  readonly lineFeed: boolean;
}

/** Variables of credentials, which a line of this kind does not read. */
const NOT_COUNTING = new Set(
  ['ACCESS_KEY_ID', 'SECRET_ACCESS_KEY', 'SESSION_TOKEN', 'SECURITY_TOKEN', 'CREDENTIAL_EXPIRATION'].map(
    (name) => `AWS_${name}`,
  ),
);
const SECRET_FLAGS = new Set(['--mfa-token', '--proxy', '--web-identity-token']);
const PIN = 'pin-value';
const SCHEME = 'pkcs11:';
const OF_FOLDERS = new Set(['HOME', 'USERPROFILE', 'XDG_RUNTIME_DIR', 'XDG_CACHE_HOME']);
/**
 * Variables, in capitals, by which this program, and the modules of tokens, find the device that a line does not name:
 * all that docs/identities.md has for a module, and where p11-kit has a user's modules.
 */
const OF_DEVICES = new Set([
  'TPM_DEVICE',
  'TPM2TOOLS_TCTI',
  'TPM2_PKCS11_STORE',
  'TPM2_PKCS11_TCTI',
  'SOFTHSM2_CONF',
  'OPENSC_CONF',
  'NSS_LIB_PARAMS',
  'YUBIHSM_PKCS11_CONF',
  'P11_KIT_SERVER_ADDRESS',
  'KMS_PKCS11_CONFIG',
  'CHRYSTOKICONFIGURATIONPATH',
  'CS_PKCS11_R2_CFG',
  'CS_PKCS11_R3_CFG',
  'XDG_CONFIG_HOME',
]);
const OF_DEVICES_BEGIN = ['NFAST_', 'CKNFAST_'];

// Without regular expressions: to compile those would take longer than all else that is done here.

/** Whether a line or its environment may ask for the cache. Any other costs no more than this. */
export function mayUseCache(tokens: readonly string[], env: Environment): boolean {
  return (
    tokens.some((token) => ['--cache', '--config-profile'].includes(flagOf(token))) ||
    Boolean(env['ROLES_ANYWHERE_CACHE'] || env['ROLES_ANYWHERE_CONFIG_PROFILE'])
  );
}

/** The part of a word before `=`. */
function flagOf(token: string): string {
  const equals = token.indexOf('=');
  return equals < 0 ? token : token.slice(0, equals);
}

/**
 * Whether a flag's value is a secret. Which password opens a key does not change whose key it is. What stands behind
 * `--no-tpm-key-password`, which takes no value, is another flag.
 */
function isSecretFlag(flag: string): boolean {
  if (!flag.startsWith('--') || flag.startsWith('--no-')) return false;
  return flag.endsWith('-password') || SECRET_FLAGS.has(flag);
}

function isSecretVariable(name: string): boolean {
  return ['PASSWORD', '_PIN', '_TOKEN', '_PROXY'].some((end) => name.endsWith(end));
}

function isOfDevices(upper: string): boolean {
  return OF_DEVICES.has(upper) || OF_DEVICES_BEGIN.some((begin) => upper.startsWith(begin));
}

/** The variables that choose a device, each with what it holds. */
export function deviceVariables(env: Environment): string[] {
  const names = Object.keys(env).filter((name) => isOfDevices(name.toUpperCase()));
  return names.toSorted().map((name) => `${name}=${env[name]}`);
}

/** Whether a variable changes what a line means. */
function isCounting(name: string): boolean {
  if (name.startsWith('AWS_')) return !NOT_COUNTING.has(name);
  return name.startsWith('ROLES_ANYWHERE_') || OF_FOLDERS.has(name) || isOfDevices(name);
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
    const flag = flagOf(token);
    const isSecret: boolean = !secret && isSecretFlag(flag);
    // Behind what may be another flag's value, such as a session name, this is no secret but a flag: by its hash, then.
    if (secret) parts.push(token.startsWith('--') ? hash(token) : '');
    else parts.push(isSecret ? flag : withoutPin(token));
    secret = isSecret && flag === token;
  }
  for (const name of Object.keys(env).toSorted()) {
    // Windows does not tell small letters of names from capitals.
    const upper = name.toUpperCase();
    // By their hash: such a name may be given to anything, a key in PEM or a token of another service too.
    if (isCounting(upper)) parts.push(`${name}=${isSecretVariable(upper) ? '' : hash(withoutPin(env[name] ?? ''))}`);
  }
  const text = parts.join('\0');
  return { text, name: `line-${CACHE_VERSION}-${hash(text)}` };
}

/**
 * A PKCS#11 URI, or a flag with one, without the PIN that it may hold; any other text as it is, for the words of a PIN may be
 * part of the name of a role. What stands beside the PIN stays: that, too, says which certificate and key are meant. A PIN
 * among the attributes of the path ends at `;` or `?`, one of the query at `&` (RFC 7512, 2.3).
 */
export function withoutPin(text: string): string {
  const from = text.startsWith('--') ? flagOf(text).length + 1 : 0;
  const path = from + SCHEME.length;
  if (text.slice(from, path).toLowerCase() !== SCHEME) return text;
  const mark = text.indexOf('?', path);
  const query = mark < 0 ? text.length : mark;
  const attributes = text.slice(path, query).split(';').map(pinless).join(';');
  return text.slice(0, path) + attributes + text.slice(query).split('&').map(pinless).join('&');
}

/** An attribute, but of a PIN no more than the words for one. */
function pinless(attribute: string): string {
  const at = flagOf(attribute).toLowerCase().indexOf(PIN);
  return at < 0 ? attribute : attribute.slice(0, at + PIN.length);
}

/**
 * Names a file: whether it is that of this line is for the text to say. Two hashes of 32 bits (FNV-1a and one of its kind), taken
 * of four octets at once, since each step is one of an interpreter: what runs once is not compiled.
 */
function hash(text: string): string {
  const octets = Buffer.from(`${text}\0\0\0`);
  const words = new Int32Array(octets.buffer, octets.byteOffset, octets.length >> 2);
  let one = 0x811c9dc5;
  let other = 0x9e3779b9;
  // Not for...of, which takes three times as long here.
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? 0;
    one = Math.imul(one ^ word, 0x01000193);
    other = Math.imul(other ^ word, 0x85ebca6b) ^ (other >>> 13);
  }
  return inHex(one) + inHex(other);
}

function inHex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}

/** Reads what is remembered of `line`; undefined when that is of another line, of other files, or damaged. */
export function parseLine(text: string, line: Line, directory: () => string | undefined): RememberedLine | undefined {
  const value = parse(text);
  if (value === undefined || value['version'] !== CACHE_VERSION || value['text'] !== line.text) return undefined;
  const { config, entry, minRemainingMs } = value;
  if (value['directory'] !== undefined && value['directory'] !== directory()) return undefined;
  if (value['boot'] !== undefined && value['boot'] !== bootOf()) return undefined;
  if (!Array.isArray(config) || typeof config[0] !== 'string' || stampOf(config[0]) !== config[1]) return undefined;
  if (typeof entry !== 'string' || !isEntryName(entry) || !Number.isFinite(minRemainingMs)) return undefined;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every member that matters was looked at
  return value as unknown as RememberedLine;
}

/** The name of an entry's file, of any version: no path leads out of the folder. */
export function isEntryName(name: string): boolean {
  const [kind, version = '', hex = '', ...rest] = name.split('-');
  return kind === 'session' && rest.length === 0 && isOf(DIGITS, version) && hex.length === 32 && isOf(HEX_DIGITS, hex);
}

const DIGITS = '0123456789';
const HEX_DIGITS = `${DIGITS}abcdef`;

/** Whether a text is of these characters, and not empty. */
function isOf(characters: string, text: string): boolean {
  for (const character of text) if (!characters.includes(character)) return false;
  return text !== '';
}
