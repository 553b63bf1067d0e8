/**
 * A profile of the config file that the user has for every AWS tool. Unlike one that was named to this program it is read
 * as AWS's SDK for Go does, on which AWS's own helper stands: line by line, what makes no sense is passed over, and a file
 * that another tool refuses stops nothing here.
 */
// Tests: test/options/config/configured.test.ts
import { sectionName } from './file.ts';
import type { ConfigValue } from './file.ts';

/** What a profile says about AWS's own keys. */
export interface AwsKeys {
  /** The value of a key; undefined when it is empty or not there. */
  get(key: string): ConfigValue | undefined;
  /** The value of a key below a service in `[services NAME]`. */
  service(name: string, service: string, key: string): ConfigValue | undefined;
}

/** Reads the profile `name` out of the text of a config file. Sections of one name are one, and the last of a key counts. */
export function sharedProfile(text: string, name: string): AwsKeys {
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/);
  const find = (kind: 'profile' | 'services', section: string, wanted: string): ConfigValue | undefined => {
    let found: ConfigValue | undefined;
    let inside = false;
    let parent: string | undefined;
    for (const [index, raw] of lines.entries()) {
      const comment = raw.search(/(?:^|\s)[;#]/);
      const line = (comment < 0 ? raw : raw.slice(0, comment)).trimEnd();
      const content = line.trimStart();
      if (content.length > 2 && content.startsWith('[') && content.endsWith(']')) {
        inside = sectionName(content.slice(1, -1).trim(), kind) === section;
        parent = undefined;
        continue;
      }
      const separator = content.search(/[=:]/);
      if (!inside || separator < 1) continue;
      const isIndented = content.length < line.length;
      const key = content.slice(0, separator).trimEnd().toLowerCase();
      const value = content.slice(separator + 1).trimStart();
      if (!isIndented) parent = value === '' ? key : undefined;
      const full = !isIndented || parent === undefined ? key : `${parent}.${key}`;
      if (full === wanted && value !== '') found = { value, line: index + 1 };
    }
    return found;
  };
  return {
    get: (key) => find('profile', name, key),
    service: (services, service, key) => find('services', services, `${service}.${key}`),
  };
}
