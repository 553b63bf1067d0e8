/**
 * AWS config files as the AWS SDK for JavaScript v3 reads them (its parseIni, in @smithy/core/config): line by line, more
 * loosely than botocore and differently. What both read alike can be relied on.
 */
// Tests: test/options/config/parsers.test.ts

/** The values that that parser finds in the sections of one name, by key: below another key, with its name and a dot in front. */
export type SdkKeys = ReadonlyMap<string, { readonly value: string; readonly line: number }>;

/** A file in that SDK's eyes. */
export interface SdkView {
  /** The text between the brackets, by the line of a section. */
  readonly headers: ReadonlyMap<number, string>;
  /** By {@link sdkName} of the header. None where `refused`. */
  readonly sections: ReadonlyMap<string, SdkKeys>;
  /** The line of a header for which it reads nothing of the whole file. */
  readonly refused: number | undefined;
}

/** The kinds of sections that it knows (its IniSectionType). */
const KINDS: ReadonlySet<string> = new Set(['profile', 'sso-session', 'services']);
/** The headers for which it gives up a whole file. */
const FORBIDDEN: ReadonlySet<string> = new Set(['__proto__', 'profile __proto__']);

/** The name that sections are merged under: quotes around a plain name are no part of it. Undefined for one that it passes over. */
function sdkName(header: string): string | undefined {
  const [, kind, , name] = /^([\w-]+)\s(["'])?([\w-@+.%:/]+)\2$/.exec(header) ?? [];
  if (kind === undefined || name === undefined) return header === '' ? undefined : header;
  return KINDS.has(kind) ? `${kind}.${name}` : undefined;
}

/** Whether it finds the sections with this header under the header itself: not those of a name like `build box`, which it passes over. */
export function isFoundBySdk(header: string): boolean {
  return sdkName(header) === header;
}

/** What it finds in a profile of a config file with this header: it takes [profile default], however it is written, before [default]. */
export function sdkProfile({ sections }: SdkView, header: string): SdkKeys | undefined {
  const own = sdkSection(sections, header);
  const before = header === 'default' ? sections.get('profile.default') : undefined;
  return before !== undefined && before.size > 0 ? before : own;
}

/** What it finds in the sections with this header. */
export function sdkSection(sections: SdkView['sections'], header: string): SdkKeys | undefined {
  const name = sdkName(header);
  return name === undefined ? undefined : sections.get(name);
}

/** Reads text in that SDK's way. */
export function sdkView(text: string): SdkView {
  const headers = new Map<number, string>();
  const sections = new Map<string, Map<string, { value: string; line: number }>>();
  let keys: Map<string, { value: string; line: number }> | undefined;
  let parent: string | undefined;
  let refused: number | undefined;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = index + 1;
    const comment = raw.search(/(?:^|\s)[;#]/);
    const content = (comment < 0 ? raw : raw.slice(0, comment)).trim();
    if (content.startsWith('[') && content.endsWith(']')) {
      const header = content.slice(1, -1);
      headers.set(line, header);
      const name = sdkName(header);
      keys = name === undefined ? undefined : (sections.get(name) ?? new Map());
      if (name !== undefined && keys !== undefined) sections.set(name, keys);
      parent = undefined;
      if (FORBIDDEN.has(header)) refused ??= line;
      continue;
    }
    const equals = content.indexOf('=');
    if (equals < 1) continue;
    const name = content.slice(0, equals).trim();
    const value = content.slice(equals + 1).trim();
    if (value === '') {
      parent = name;
    } else {
      if (raw.trimStart() === raw) parent = undefined;
      keys?.set(parent === undefined ? name : `${parent}.${name}`, { value, line });
    }
  }
  return { headers, sections: refused === undefined ? sections : new Map(), refused };
}
