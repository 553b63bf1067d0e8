/** Changes the keys of one profile in the text of a credentials file, and not a byte of anything else. */
import { RolesAnywhereError } from '../platform/errors.ts';
import { atLine, nestedKeys, readIni } from '../options/config/ini.ts';
import type { IniKey, IniSection } from '../options/config/ini.ts';
import { isFoundBySdk, sdkView } from '../options/config/sdk-view.ts';

/** The keys and values that a profile shall have, in the order to write them; undefined for a key to remove. */
export type Settings = ReadonlyMap<string, string | undefined>;

/** A line with its end: CRLF, LF, a lone CR, or nothing for the last of a file that is not ended. */
type Line = string;

/**
 * The text with the settings in the profile's section. A key that is there is
 * replaced in its place; a new one comes after those, or right below the
 * header, where no indented block can take it for its own. A profile that is
 * not there becomes the last section.
 *
 * @param followers set or removed only where they are there already
 * @param file its name, for messages
 * @throws RolesAnywhereError `ERR_CREDENTIALS_FILE` for text that the AWS CLI refuses whole, with the line, and for text
 * in which it or the AWS SDK for JavaScript would not find the settings afterwards
 */
export function editProfile(
  text: string,
  profile: string,
  { wanted, followers }: { readonly wanted: Settings; readonly followers: Settings },
  file: string,
): string {
  const before = readSections(text, file);
  const section =
    before.find(({ header }) => header === profile) ?? before.find(({ header }) => header.trim() === profile);
  const settings = new Map([...wanted, ...[...followers].filter(([name]) => section?.keys.has(name))]);
  const lines: Line[] = text.match(/[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$/g) ?? [];
  const end = /\r\n|\r|\n/.exec(text)?.[0] ?? '\n';
  const edited =
    section === undefined
      ? appended(lines, profile, settings, end)
      : replaced(lines, before, { section, profile, settings, end });
  const result = closed(edited, end).join('');
  check(result, { profile, settings, file, others: before.filter((other) => other !== section) });
  return result;
}

/** What {@link removeFromProfile} takes out. */
interface Removal {
  /** The keys are taken out only where this is the value of `aws_access_key_id`: others are another program's. */
  readonly accessKeyId: string;
  readonly names: readonly string[];
}

/**
 * The text without keys of the profile's section, whose other lines and header stay; undefined when they are not there.
 *
 * @param file its name, for messages
 * @throws RolesAnywhereError as {@link editProfile}
 */
export function removeFromProfile(
  text: string,
  profile: string,
  { accessKeyId, names }: Removal,
  file: string,
): string | undefined {
  const section = readSections(text, file).find(({ header }) => header === profile);
  if (section?.keys.get('aws_access_key_id')?.value !== accessKeyId) return undefined;
  const wanted = new Map(names.map((name) => [name, undefined]));
  return editProfile(text, profile, { wanted, followers: new Map() }, file);
}

/**
 * Reads a file as strictly as botocore does.
 *
 * @throws RolesAnywhereError `ERR_CREDENTIALS_FILE`
 */
export function readSections(text: string, file: string): IniSection[] {
  try {
    const sections = readIni(text, file);
    for (const { keys } of sections) for (const key of keys.values()) nestedKeys(key, file);
    for (const [line, header] of sdkView(text).headers)
      if (/^(?:profile )?__proto__$/.test(header))
        throw atLine(file, line, `the AWS SDK for JavaScript refuses a file with [${header}]`, 'rename the profile');
    return sections;
  } catch (error) {
    if (!(error instanceof RolesAnywhereError)) throw error;
    const { message, hint = 'correct the line' } = error;
    throw new RolesAnywhereError('ERR_CREDENTIALS_FILE', message, { hint: `${hint}; nothing was written` });
  }
}

function appended(lines: readonly Line[], profile: string, settings: Settings, end: string): Line[] {
  // A header that is indented less than the key above it begins a section wherever it stands: not indented at all, always.
  const gap = lines.length === 0 || lines.at(-1)?.trim() === '' ? [] : [end];
  return [...closed(lines, end), ...gap, `[${profile}]${end}`, ...written(settings, '', end)];
}

interface Replacement {
  readonly section: IniSection;
  readonly profile: string;
  readonly settings: Settings;
  readonly end: string;
}

function replaced(lines: readonly Line[], all: readonly IniSection[], replacement: Replacement): Line[] {
  const { section, profile, settings, end } = replacement;
  const result: (Line | undefined)[] = [...lines];
  const missing = new Map(settings);
  let last = 0;
  for (const [name, value] of settings) {
    const [first, ...continued] = section.keys.get(name)?.lines ?? [];
    if (first === undefined) continue;
    for (const line of continued) if (lines[line - 1]?.trim() !== '') result[line - 1] = undefined;
    // With its indentation, which decides on what the lines below it are.
    result[first - 1] =
      value === undefined
        ? undefined
        : `${indentation(lines[first - 1])}${name} = ${value}${lineEnd(lines[first - 1], end)}`;
    if (value !== undefined) last = Math.max(last, first);
    missing.delete(name);
  }
  result[section.line - 1] = readableHeader(lines[section.line - 1] ?? '', profile, section.header);
  const place = last || section.line;
  const indent = last > 0 ? indentation(lines[last - 1]) : firstIndentation(lines, all, section);
  result.splice(place, 0, ...written(missing, indent, end));
  const above = result[place - 1];
  if (above !== undefined) result[place - 1] = closed([above], end)[0];
  return result.filter((line) => line !== undefined);
}

/** The indentation of a key directly below a header with which it does not take the next line for its own. */
export function firstIndentation(lines: readonly Line[], all: readonly IniSection[], section: IniSection): string {
  const begins = [...section.keys.values()].map(({ lines: [line = 0] }) => line);
  const following = all.map(({ line }) => line).filter((line) => line > section.line);
  const next = Math.min(...begins, ...following);
  return Number.isFinite(next) ? indentation(lines[next - 1]) : '';
}

/** Spaces in the brackets belong to the name, and a comment wants a space before it: not everyone would find the profile. */
function readableHeader(line: Line, profile: string, header: string): Line {
  const [, indent = '', rest = ''] = /^([^[]*)\[.*?\](.*)$/s.exec(line) ?? [];
  if (header === profile && /^\s*$|^\s+[#;]/.test(rest)) return line;
  const note = rest.trim();
  return `${indent}[${profile}]${note === '' ? '' : ` ${/^[#;]/.test(note) ? '' : '# '}${note}`}${lineEnd(line, '')}`;
}

function written(settings: Settings, indent: string, end: string): Line[] {
  return [...settings].flatMap(([name, value]) => (value === undefined ? [] : [`${indent}${name} = ${value}${end}`]));
}

function indentation(line: Line | undefined): string {
  return /^\s*/.exec(line ?? '')?.[0] ?? '';
}

function lineEnd(line: Line | undefined, otherwise: string): string {
  return /[\r\n]+$/.exec(line ?? '')?.[0] ?? otherwise;
}

/** Ends the last line too. */
export function closed(lines: readonly Line[], end: string): Line[] {
  const last = lines.at(-1);
  return last === undefined || /[\r\n]$/.test(last) ? [...lines] : [...lines.slice(0, -1), last + end];
}

interface Expectation {
  readonly profile: string;
  readonly settings: Settings;
  readonly file: string;
  /** All sections but the profile's. */
  readonly others: readonly IniSection[];
}

/** Reads the result as botocore and as the SDK for JavaScript would: files have more forms than any editing foresees. */
function check(text: string, { profile, settings, file, others }: Expectation): void {
  const sections = readSections(text, file);
  const own = sections.find(({ header }) => header === profile);
  const defaults = sections.find(({ header }) => header === 'DEFAULT');
  // For a profile that the SDK finds in no file, botocore alone reads it: what is not used elsewhere is written all the same.
  const byBotocoreAlone = !isFoundBySdk(profile);
  const sdk = sdkView(text).sections.get(profile);
  for (const [name, value] of settings) {
    const found: IniKey | undefined = own?.keys.get(name) ?? defaults?.keys.get(name);
    if (found?.value === value && (byBotocoreAlone || sdk?.get(name)?.value === value)) continue;
    const line = found?.value === value ? sdk?.get(name)?.line : found?.lines[0];
    throw new RolesAnywhereError(
      'ERR_CREDENTIALS_FILE',
      `${file}${line === undefined ? '' : `, line ${line}`}: ${name} of profile ${profile} would not be read as it is written`,
      { hint: 'another line of the file gets in its way: remove what is indented, in [DEFAULT], or there twice' },
    );
  }
  const kept = sections.filter((section) => section !== own);
  if (values(kept) !== values(others))
    throw new RolesAnywhereError(
      'ERR_CREDENTIALS_FILE',
      `${file}: profile ${profile} cannot be told from those around it`,
      {
        hint: 'begin each section and each key where its line begins',
      },
    );
}

function values(sections: readonly IniSection[]): string {
  return JSON.stringify(
    sections.map(({ header, keys }) => [header, [...keys].map(([name, { value }]) => [name, value])]),
  );
}
