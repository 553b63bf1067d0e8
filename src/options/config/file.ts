/** The AWS config file: where it is, which profiles it has, and what can be relied on of what they say. */
// Tests: test/options/config/parsers.test.ts, test/options/config/configured.test.ts
import { RolesAnywhereError } from '../../platform/errors.ts';
import { type NamedFile, readNamedFile } from '../../platform/files.ts';
import { nearest } from '../../platform/suggest.ts';
import { atLine, keyError, nestedKeys, readIni } from './ini.ts';
import type { IniKey, IniSection } from './ini.ts';
import { sdkProfile, sdkSection, sdkView } from './sdk-view.ts';
import type { SdkKeys, SdkView } from './sdk-view.ts';

/** A value that botocore and the SDK for JavaScript read alike. */
export interface ConfigValue {
  readonly value: string;
  readonly line: number;
}

/** A file that was read, and whether others than its owner may read it too. */
export interface ConfigText {
  readonly path: string;
  readonly text: string;
  readonly exposed: boolean;
}

/**
 * Reads a config file or a credentials file, up to 1 MiB of it.
 *
 * @param words in place of those for the config file
 * @throws RolesAnywhereError `ERR_CONFIG_FILE`, or the code of `words`
 */
export function readConfigText(path: string, words: Partial<Omit<NamedFile, 'path'>> = {}): ConfigText {
  const {
    name = `the config file ${path}`,
    code = 'ERR_CONFIG_FILE',
    hint = 'it is ~/.aws/config, or what AWS_CONFIG_FILE names',
  } = words;
  const { bytes, stats } = readNamedFile({ path, name, code, hint });
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return { path, text, exposed: process.platform !== 'win32' && (stats.mode & 0o044) !== 0 };
  } catch (cause) {
    const isWide = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
    throw new RolesAnywhereError(code, `${name} is not UTF-8${isWide ? ', but UTF-16' : ''}`, {
      hint: isWide ? 'save it as UTF-8; the > of Windows PowerShell writes UTF-16' : hint,
      cause,
    });
  }
}

/** A config file, section by section. */
export class ConfigFile {
  readonly path: string;
  readonly #sections: readonly IniSection[];
  readonly #sdk: SdkView;
  readonly #lines: readonly string[];

  /** @throws RolesAnywhereError `ERR_CONFIG_FILE` for what botocore refuses a whole file for */
  constructor({ path, text }: Pick<ConfigText, 'path' | 'text'>) {
    this.path = path;
    this.#sections = readIni(text, path);
    this.#sdk = sdkView(text);
    this.#lines = text.split(/\r\n|\r|\n/);
    for (const { keys } of this.#sections) for (const key of keys.values()) nestedKeys(key, path);
  }

  /** Names of all profiles, in the order of the file. */
  profiles(): string[] {
    return this.#sections.flatMap(({ header }) => sectionName(header, 'profile') ?? []);
  }

  /**
   * The settings of a profile.
   *
   * @throws RolesAnywhereError `ERR_CONFIG_PROFILE` when there is none of that name
   */
  profile(name: string): ConfigSection {
    const section = this.find('profile', name);
    if (section !== undefined) return section;
    const known = nearest(name, this.profiles());
    throw new RolesAnywhereError('ERR_CONFIG_PROFILE', `${this.path} has no profile ${JSON.stringify(name)}`, {
      hint: known === undefined ? `its section begins with ${profileHeader(name)}` : `did you mean ${known}`,
    });
  }

  /**
   * The section of a kind with a name, if there is one.
   *
   * @throws RolesAnywhereError `ERR_CONFIG_FILE` for one that is there twice, or whose header is read differently
   */
  find(kind: SectionKind, name: string): ConfigSection | undefined {
    const [first, second] = this.#sections.filter(({ header }) => sectionName(header, kind) === name);
    if (second !== undefined)
      throw atLine(this.path, second.line, `a second section for ${kind} ${name}`, `it begins in line ${first?.line}`);
    if (first === undefined) return undefined;
    if (this.#sdk.refused !== undefined)
      throw atLine(
        this.path,
        this.#sdk.refused,
        'the AWS SDK for JavaScript reads nothing of a file with this section header',
        'remove the line',
      );
    const sdk = kind === 'profile' ? sdkProfile(this.#sdk, first.header) : sdkSection(this.#sdk.sections, first.header);
    const isPlain = kind === 'key' || first.header === 'default' || /^\w+(?=\s)/.exec(first.header)?.[0] === kind;
    if (!isPlain || sdk === undefined || this.#sdk.headers.get(first.line) !== first.header)
      throw atLine(
        this.path,
        first.line,
        'the AWS CLI and the AWS SDK for JavaScript read this section header differently',
        'leave nothing but [SECTION] in the line',
      );
    // Python's parser takes [DEFAULT] for defaults of every section.
    const defaults = this.#sections.find(({ header }) => header === 'DEFAULT');
    return new ConfigSection(this.path, new Map([...(defaults?.keys ?? []), ...first.keys]), sdk, this.#lines);
  }
}

/** `key`: a profile of a credentials file, whose header is the bare name. */
export type SectionKind = 'profile' | 'services' | 'key';

/** How the section of a profile begins in a config file. */
export function profileHeader(name: string): string {
  return name === 'default' ? '[default]' : `[profile ${/\s/.test(name) ? `"${name}"` : name}]`;
}

/** The name in a section's header as `[profile NAME]` or `[profile "A NAME"]`; `[default]` is a profile too. */
export function sectionName(header: string, kind: SectionKind): string | undefined {
  if (kind === 'key') return header === 'DEFAULT' ? undefined : header;
  if (kind === 'profile' && header === 'default') return header;
  const match = /^([^\s"'\\]+)\s+(?:([^\s"'\\]+)|"([^"\\]+)"|'([^']+)')$/.exec(header);
  // botocore looks at no more than how the word begins: to it, [profiles a] is a profile.
  return match?.[1]?.startsWith(kind) === true ? (match[2] ?? match[3] ?? match[4]) : undefined;
}

/** One section's settings. A value is an error as soon as it is looked at and botocore and the SDK disagree on it. */
export class ConfigSection {
  readonly #path: string;
  readonly #keys: ReadonlyMap<string, IniKey>;
  readonly #sdk: SdkKeys;
  readonly #lines: readonly string[];

  constructor(path: string, keys: ReadonlyMap<string, IniKey>, sdk: SdkKeys, lines: readonly string[]) {
    this.#path = path;
    this.#keys = keys;
    this.#sdk = sdk;
    this.#lines = lines;
  }

  /**
   * All keys that begin with `prefix`, by name.
   *
   * @throws RolesAnywhereError `ERR_CONFIG_KEY` for one that is read differently, or that belongs to another key by its indentation
   */
  all(prefix: string): ReadonlyMap<string, ConfigValue> {
    for (const [parent, key] of this.#keys)
      for (const [name, { lines }] of nestedKeys(key, this.#path) ?? [])
        if (name.toLowerCase().startsWith(prefix))
          throw keyError(
            this.#path,
            lines[0] ?? 0,
            `${name} is indented, and so belongs to ${parent}`,
            'begin it where its line begins',
          );
    const names = [...this.#keys.keys(), ...this.#sdk.keys()].filter((name) => name.toLowerCase().startsWith(prefix));
    return new Map(
      [...new Set(names)].flatMap((name) => {
        const value = this.get(name);
        return value === undefined ? [] : [[name, value] as const];
      }),
    );
  }

  /** The keys whose names have a form, with their lines, whoever reads them. */
  lines(form: RegExp): ReadonlyMap<string, number> {
    const own = [...this.#keys].map(([name, { lines }]) => [name, lines[0] ?? 0] as const);
    const all = [...own, ...[...this.#sdk].map(([name, { line }]) => [name, line] as const)];
    return new Map(all.filter(([name]) => form.test(name)));
  }

  /** The value of a key, or of a key below a key; undefined when it is empty or not there. */
  get(name: string, below?: string): ConfigValue | undefined {
    const own = this.#keys.get(name);
    const key = below === undefined ? own : own && nestedKeys(own, this.#path)?.get(below);
    const sdk = this.#sdk.get(below === undefined ? name : `${name}.${below}`);
    if ((key?.value ?? '') === (sdk?.value ?? '')) return key && sdk && { value: key.value, line: sdk.line };
    throw this.#difference(below ?? name, key, sdk);
  }

  #difference(name: string, key: IniKey | undefined, sdk: { readonly line: number } | undefined): RolesAnywhereError {
    const line = key?.lines[0] ?? sdk?.line ?? 0;
    const text = this.#lines[line - 1] ?? '';
    const [what, hint, at = line] =
      key === undefined && sdk !== undefined && /^\s/.test(text)
        ? ['is indented: to the AWS CLI it is part of the value above', 'begin it where its line begins']
        : key !== undefined && key.lines.length > 1
          ? [
              'goes on in an indented line, which the AWS SDK for JavaScript does not read so',
              'write the value in one line',
              key.lines[1],
            ]
          : /\s[#;]/.test(text)
            ? [
                'holds # or ; after a space: part of the value to the AWS CLI, a comment to the AWS SDK for JavaScript',
                'put a comment into a line of its own',
              ]
            : sdk === undefined && /^[^=]*:/.test(text)
              ? ['is followed by :, which the AWS SDK for JavaScript does not read', 'write key = value']
              : sdk === undefined && text.includes('=') && name !== text.slice(0, text.indexOf('=')).trim()
                ? ['is not in lower case, and the AWS SDK for JavaScript does not find it', 'write it in lower case']
                : [
                    'is read differently by the AWS CLI and by the AWS SDK for JavaScript',
                    'write it as key = value in a line of its own, in the section of the profile',
                  ];
    return keyError(this.#path, at, `${name} ${what}`, hint);
  }
}
