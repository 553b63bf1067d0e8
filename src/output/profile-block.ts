/**
 * The block that `init` keeps in the AWS config file: between two marks, and not a byte of anything else is changed.
 * Tests: test/output/profile-block.test.ts
 */
import { sectionName } from '../options/config/file.ts';
import type { IniSection } from '../options/config/ini.ts';
import { sdkProfile, sdkView } from '../options/config/sdk-view.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { closed, firstIndentation, readSections } from './profile-edit.ts';

/** What the block of a profile holds. */
export interface ProfileBlock {
  readonly profile: string;
  /** In the order to write them. */
  readonly settings: ReadonlyMap<string, string>;
  /** Written only where the profile has none of its own. */
  readonly defaults: ReadonlyMap<string, string>;
}

/** A text that was taken apart around the block of a profile. */
interface Parts {
  readonly lines: readonly string[];
  /** The lines of the block, its marks with it; undefined where there is none. */
  readonly block:
    | { readonly from: number; readonly to: number; readonly header: string | undefined; readonly indent: string }
    | undefined;
  /** The profile's section as it is without the block, if there is one, and all others. */
  readonly outside: IniSection | undefined;
  readonly others: readonly IniSection[];
  readonly end: string;
}

function marks(profile: string): readonly [begin: string, end: string] {
  return [`# >>> roles-anywhere init --profile ${profile} >>>`, `# <<< roles-anywhere init --profile ${profile} <<<`];
}

/** The header of a profile's section in a config file. */
function configHeader(profile: string): string {
  if (profile === 'default') return profile;
  return `profile ${/\s/.test(profile) ? `"${profile}"` : profile}`;
}

/** The block as it would be in an empty file. */
export function blockText({ profile, settings, defaults }: ProfileBlock): string {
  return blockLines({ profile, settings: new Map([...defaults, ...settings]) }, configHeader(profile), '', '\n').join(
    '',
  );
}

/**
 * The text with the block: in the place of the one that is there, else right below the header of the profile's section,
 * else in a section at the end.
 *
 * @param file its name, for messages
 * @throws RolesAnywhereError `ERR_CREDENTIALS_FILE` for text that the AWS CLI refuses whole, and for text in which it or
 * the AWS SDK for JavaScript would read something else afterwards
 */
export function withBlock(text: string, { profile, settings, defaults }: ProfileBlock, file: string): string {
  const parts = takeApart(text, profile, file);
  const { lines, block, outside, others, end } = parts;
  const wanted = new Map([...[...defaults].filter(([name]) => outside?.keys.has(name) !== true), ...settings]);
  const all = outside === undefined ? others : [...others, outside];
  let result: string[];
  if (block !== undefined) {
    const made = blockLines({ profile, settings: wanted }, block.header, block.indent, end);
    result = [...lines.slice(0, block.from), ...made, ...lines.slice(block.to + 1)];
  } else if (outside === undefined) {
    const gap = lines.length === 0 ? [] : [end];
    result = [
      ...closed(lines, end),
      ...gap,
      ...blockLines({ profile, settings: wanted }, configHeader(profile), '', end),
    ];
  } else {
    const made = blockLines({ profile, settings: wanted }, undefined, firstIndentation(lines, all, outside), end);
    result = [...closed(lines.slice(0, outside.line), end), ...made, ...lines.slice(outside.line)];
  }
  const edited = result.join('');
  check(edited, { profile, file, wanted, outside, others });
  return edited;
}

/**
 * The text without the block of a profile, and without the header that came with it, if nothing else is below that;
 * undefined where there is no block.
 *
 * @throws RolesAnywhereError as {@link withBlock}
 */
export function withoutBlock(text: string, profile: string, file: string): string | undefined {
  const { lines, block, outside, others } = takeApart(text, profile, file);
  if (block === undefined) return undefined;
  const keepsHeader = block.header !== undefined && outside !== undefined && outside.keys.size > 0;
  const isGap = block.header !== undefined && !keepsHeader && lines[block.from - 1]?.trim() === '';
  const edited = [
    ...lines.slice(0, isGap ? block.from - 1 : block.from),
    ...(keepsHeader && block.header !== undefined ? [block.header] : []),
    ...lines.slice(block.to + 1),
  ].join('');
  check(edited, { profile, file, wanted: new Map(), outside, others });
  return edited;
}

/** The keys of a profile that are not of its block, by name, with their lines; those of `[DEFAULT]` count for every profile. */
export function otherKeys(text: string, profile: string, file: string): ReadonlyMap<string, number> {
  const { block, others, outside } = takeApart(text, profile, file);
  const removed = block === undefined ? 0 : block.to - block.from + 1 - (block.header === undefined ? 0 : 1);
  const defaults = others.find(({ header }) => header === 'DEFAULT');
  // Numbers are those of the text without the block.
  const numberOf = (line: number): number => (block !== undefined && line > block.from ? line + removed : line);
  const all = [...(defaults?.keys ?? []), ...(outside?.keys ?? [])];
  return new Map(all.map(([name, key]) => [name, numberOf(key.lines[0] ?? 0)]));
}

function takeApart(text: string, profile: string, file: string): Parts {
  const lines = text.match(/[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$/g) ?? [];
  const [begin, ending] = marks(profile);
  const at = (mark: string): number[] => lines.flatMap((line, index) => (line.trim() === mark ? [index] : []));
  const [begins, ends] = [at(begin), at(ending)];
  const [from, to] = [begins[0], ends[0]];
  if (begins.length !== ends.length || begins.length > 1 || (from !== undefined && to !== undefined && to < from))
    throw new RolesAnywhereError(
      'ERR_CONFIG_FILE',
      `${file}, line ${1 + (from ?? to ?? 0)}: the marks of init for profile ${profile} are not one at each end`,
      { hint: 'remove the marks, and the lines that belong between them' },
    );
  const end = /\r\n|\r|\n/.exec(text)?.[0] ?? '\n';
  if (from === undefined || to === undefined) {
    const sections = readSections(text, file);
    const outside = sections.find(({ header }) => sectionName(header, 'profile') === profile);
    return { lines, block: undefined, outside, others: sections.filter((section) => section !== outside), end };
  }
  const header = lines.slice(from, to).find((line) => line.trim().startsWith('['));
  const rest = [...lines.slice(0, from), ...(header === undefined ? [] : [header]), ...lines.slice(to + 1)];
  const sections = readSections(rest.join(''), file);
  const outside = sections.find((section) => sectionName(section.header, 'profile') === profile);
  const indent = /^[ \t]*(?=\w)/.exec(lines.slice(from + 1, to).find((line) => line !== header) ?? '')?.[0] ?? '';
  return {
    lines,
    block: { from, to, header, indent },
    outside,
    others: sections.filter((one) => one !== outside),
    end,
  };
}

function blockLines(
  { profile, settings }: Omit<ProfileBlock, 'defaults'>,
  header: string | undefined,
  indent: string,
  end: string,
): string[] {
  const [begin, ending] = marks(profile);
  const headerLine = header === undefined ? [] : [header.trimStart().startsWith('[') ? header : `[${header}]${end}`];
  const keys = [...settings].map(([name, value]) => `${indent}${name} = ${value}${end}`);
  return [`${begin}${end}`, ...headerLine, ...keys, `${ending}${end}`];
}

interface Expectation {
  readonly profile: string;
  readonly file: string;
  readonly wanted: ReadonlyMap<string, string>;
  readonly outside: IniSection | undefined;
  readonly others: readonly IniSection[];
}

/** Reads the result as botocore and as the SDK for JavaScript would: files have more forms than any editing foresees. */
function check(text: string, { profile, file, wanted, outside, others }: Expectation): void {
  const sections = readSections(text, file);
  const own = sections.find(({ header }) => sectionName(header, 'profile') === profile);
  const sdk = own && sdkProfile(sdkView(text), own.header);
  for (const [name, value] of wanted) {
    if (own?.keys.get(name)?.value === value && sdk?.get(name)?.value === value) continue;
    const isText = /^\S(?:.*\S)?$/.test(value) && !/(?:^|\s)[#;]/.test(value);
    throw new RolesAnywhereError(
      'ERR_CONFIG_FILE',
      `${file}: ${name} of profile ${profile} would not be read as it is written`,
      {
        hint: isText
          ? 'another line of the file gets in its way: remove what is indented, in [DEFAULT], or there twice'
          : 'a blank at an end, or one in front of # or ;, cannot be in such a file: give the file or folder another name',
      },
    );
  }
  const isKept =
    values(own, wanted) === values(outside, new Map()) &&
    JSON.stringify(sections.filter((one) => one !== own).map((one) => [one.header, values(one, new Map())])) ===
      JSON.stringify(others.map((one) => [one.header, values(one, new Map())]));
  if (isKept) return;
  throw new RolesAnywhereError('ERR_CONFIG_FILE', `${file}: profile ${profile} cannot be told from what is around it`, {
    hint: 'begin each section and each key where its line begins',
  });
}

function values(section: IniSection | undefined, without: ReadonlyMap<string, string>): string {
  const keys = [...(section?.keys ?? [])].filter(([name]) => !without.has(name));
  return JSON.stringify(keys.map(([name, { value }]) => [name, value]));
}
