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
  /** By {@link sdkName} of the header. */
  readonly sections: ReadonlyMap<string, SdkKeys>;
}

/** The name that sections are merged under: quotes around a plain name are no part of it. */
export function sdkName(header: string): string {
  const [, kind, , name] = /^([\w-]+)\s(["'])?([\w-@+.%:/]+)\2$/.exec(header) ?? [];
  return kind === undefined || name === undefined ? header : `${kind} ${name}`;
}

/** Reads text in that SDK's way. */
export function sdkView(text: string): SdkView {
  const headers = new Map<number, string>();
  const sections = new Map<string, Map<string, { value: string; line: number }>>();
  let keys: Map<string, { value: string; line: number }> | undefined;
  let parent: string | undefined;
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = index + 1;
    const comment = raw.search(/(?:^|\s)[;#]/);
    const content = (comment < 0 ? raw : raw.slice(0, comment)).trim();
    if (content.startsWith('[') && content.endsWith(']')) {
      const header = content.slice(1, -1);
      headers.set(line, header);
      keys = sections.get(sdkName(header)) ?? new Map();
      sections.set(sdkName(header), keys);
      parent = undefined;
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
  return { headers, sections };
}
