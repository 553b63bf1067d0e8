import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { loadSharedConfigFiles } from '@smithy/core/config';
import { array, constantFrom, nat, oneof, record, sample, tuple } from 'fast-check';
import type { Arbitrary } from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RolesAnywhereError } from '../../../src/platform/errors.ts';
import { ConfigFile } from '../../../src/options/config/file.ts';
import { cleanEnv } from '../../support/cli.ts';
import { requireModule } from '../../support/tools.ts';

type Profiles = Readonly<Record<string, Readonly<Record<string, string | Readonly<Record<string, string>>>>>>;

let work: string;
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'roles-anywhere-config-'));
});
afterAll(() => rmSync(work, { recursive: true }));

const BOTOCORE = `
import json, sys
from botocore.configloader import load_config
from botocore.exceptions import ConfigParseError
def read(path):
    try:
        return load_config(path)['profiles']
    except ConfigParseError:
        return None
json.dump([read('%s/%d' % (sys.argv[1], i)) for i in range(int(sys.argv[2]))], sys.stdout)
`;

/** The profiles that botocore finds in each text; null for one that it refuses. */
function byBotocore(texts: readonly string[]): (Profiles | null)[] {
  for (const [index, text] of texts.entries()) writeFileSync(join(work, String(index)), text);
  const json = execFileSync('/usr/bin/python3', ['-c', BOTOCORE, work, String(texts.length)], {
    env: cleanEnv(),
    maxBuffer: 1 << 28,
  });
  return JSON.parse(json.toString()) as (Profiles | null)[];
}

/** Those that the AWS SDK for JavaScript finds in the text of this number. */
async function bySdk(index: number): Promise<Profiles> {
  const { configFile } = await loadSharedConfigFiles({
    configFilepath: join(work, String(index)),
    filepath: join(work, 'none'),
    ignoreCache: true,
  });
  return configFile as Profiles;
}

function ours(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    if (error instanceof RolesAnywhereError && /, line \d+: /.test(error.message)) return error.code;
    throw error;
  }
}

/** Of all keys, those in blocks with their parent's name and a dot in front. */
function names(...profiles: readonly Profiles[string][]): ReadonlySet<string> {
  return new Set(
    profiles.flatMap((keys) =>
      Object.entries(keys).flatMap(([name, value]) => {
        const children = typeof value === 'object' ? Object.keys(value) : [];
        return [name].concat(children.map((child) => `${name}.${child}`));
      }),
    ),
  );
}

const HEADERS = [
  '[profile a]',
  '[profile b]',
  '[profile "c"]',
  '[default]',
  '[other]',
  '[profile a] # note',
  '[profile\ta]',
  '[DEFAULT]',
  ' [profile b]',
  '[profile a] x',
  '[profile a # b]',
  '[ profile a ]',
  '[profile a',
  '[]',
  "[profile 'a']",
];
const ASSIGNMENTS = [' = ', '=', ' =', '= ', ': ', ' : ', '\t=\t', ' # = ', '\u00a0= '].flatMap((sign) =>
  ['v', '"q r"', 'v # note', 'v ;note', 'v#w', 'a=b', 'a: b', '', '#x', 'v\u0085', 'v\u2028w', '\ufeffv', 'v '].map(
    (value) => sign + value,
  ),
);
const key = nat(6).map((number) => `key_${number}`);
const line: Arbitrary<string> = oneof(
  { weight: 3, arbitrary: constantFrom(...HEADERS) },
  {
    weight: 12,
    arbitrary: tuple(
      constantFrom('', '', '', '', '', ' ', '\t', '  ', '\u00a0'),
      key,
      constantFrom(...ASSIGNMENTS),
    ).map((parts) => parts.join('')),
  },
  {
    weight: 1,
    arbitrary: constantFrom(
      'Key_1 = v',
      '# note',
      '; note',
      ' # note',
      ' more',
      'bare',
      '= v',
      '\ufeff',
      '\u001c',
      '',
      '',
      '  ',
    ),
  },
);
const file = record({
  begin: constantFrom('', '', '', '', '\ufeff', '\n', '# note\n', 'key = v\n'),
  first: constantFrom(...HEADERS.slice(0, 3)),
  lines: array(line, { maxLength: 7 }),
  end: constantFrom('\n', '\n', '\n', '\r\n', '\r'),
}).map(({ begin, first, lines, end }) => begin + [first, ...lines, ''].join(end));

it.each([`k = a${' '.repeat(300_000)}b`, `k${' '.repeat(300_000)}= b`, `k = a${' '.repeat(300_000)}`])(
  'a line of hundreds of thousands of blanks takes no longer than any other (%#)',
  (long) => {
    expect(new ConfigFile({ path: 'config', text: `[default]\n${long}\n` }).find('profile', 'default')).toBeDefined();
  },
);

describe('what the SDK for JavaScript makes of a header', () => {
  it.each([
    [
      'a name that it cannot have: it reads nothing of the file',
      '[default]\nregion = a\noutput = b\n  [profile __proto__]\n',
    ],
    ['the same, in a section', '[default]\nregion = a\n[__proto__]\nregion = b\n'],
    [
      '[profile.default], which it takes for the default profile',
      '[default]\nregion = a\n[profile.default]\nregion = b\n',
    ],
    ['[profile.a], which it takes for [profile a]', '[profile a]\nregion = a\n[profile.a]\nregion = b\n'],
  ])('is not overlooked: %s', async (_what, text) => {
    writeFileSync(join(work, '0'), text);
    const name = text.includes('[profile a]') ? 'a' : 'default';
    expect((await bySdk(0))[name]?.['region']).not.toBe('a');
    expect(ours(() => new ConfigFile({ path: 'config', text }).profile(name).get('region'))).toMatch(/^ERR_CONFIG_/);
  });

  it('is no matter where nothing of it is the profile that is asked for', async () => {
    const text = '[profile a]\nregion = a\n[profile.b]\nregion = b\n[other a]\nregion = c\n';
    writeFileSync(join(work, '0'), text);
    expect((await bySdk(0))['a']?.['region']).toBe('a');
    expect(new ConfigFile({ path: 'config', text }).profile('a').get('region')?.value).toBe('a');
  });
});

describe.runIf(requireModule('botocore'))('config files', () => {
  const texts = sample(file, { numRuns: 2000, seed: 4 });
  let read: (Profiles | null)[];
  beforeAll(() => {
    read = byBotocore(texts);
  }, 60_000);

  it('are refused as a whole when botocore does so, with the line, and only then', () => {
    for (const [index, text] of texts.entries())
      expect([
        JSON.stringify(text),
        ours(() => {
          new ConfigFile({ path: 'config', text }).profiles();
          return 'read';
        }),
      ]).toEqual([JSON.stringify(text), read[index] === null ? 'ERR_CONFIG_FILE' : 'read']);
    expect(read.filter((profiles) => profiles !== null).length).toBeGreaterThan(texts.length / 4);
  });

  it('give each value that botocore and the SDK for JavaScript read alike, and an error with the line for all others', async () => {
    const seen = { alike: 0, different: 0 };
    for (const [index, text] of texts.entries()) {
      const profiles = read[index] ?? {};
      const sdk = await bySdk(index);
      for (const name of Object.keys(profiles)) {
        const section = ours(() => new ConfigFile({ path: 'config', text }).profile(name));
        // Two sections of one profile, or a header that is not read alike.
        if (typeof section === 'string') continue;
        for (const one of names(profiles[name] ?? {}, sdk[name] ?? {})) {
          const [parent = '', child] = one.split('.');
          const block = profiles[name]?.[parent];
          // Of an indented block, the keys below its own count.
          const theirs =
            (typeof block === 'object' ? child !== undefined && block[child] : child === undefined && block) || '';
          const others = sdk[name]?.[one] ?? '';
          const mine = ours(() => (section as ReturnType<ConfigFile['profile']>).get(parent, child)?.value ?? '');
          if (typeof block === 'object' && child === undefined) continue;
          seen[theirs === others ? 'alike' : 'different'] += 1;
          const expected = theirs === others ? theirs : 'ERR_CONFIG_KEY';
          expect([JSON.stringify(text), name, one, mine]).toEqual([JSON.stringify(text), name, one, expected]);
        }
      }
    }
    expect(seen.alike).toBeGreaterThan(200);
    expect(seen.different).toBeGreaterThan(200);
  });

  it.each(['profiles', 'profile-old', 'profile\u00e9!'])(
    'have a profile a in [%s a], which botocore takes for it',
    (word) => {
      const beside = `[profile a]\nregion = a\n[${word} a]\nregion = b\n`;
      const [both] = byBotocore([beside]);
      expect(both).toEqual({ a: { region: 'b' } });
      for (const text of [beside, `[${word} a]\nregion = b\n`])
        expect(ours(() => new ConfigFile({ path: 'config', text }).profile('a').get('region'))).toBe('ERR_CONFIG_FILE');
    },
  );

  it('have their sections refused only when the SDK reads them differently too', async () => {
    const refused: (readonly [text: string, alike: boolean])[] = [];
    for (const [index, text] of texts.entries()) {
      for (const [name, keys] of Object.entries(read[index] ?? {})) {
        const outcome = ours(() => new ConfigFile({ path: 'config', text }).profile(name));
        const headers = [...text.matchAll(/^\[(?:profile\s+["']?)?(\w+)["']?\]/gm)].filter(
          ([, found]) => found === name,
        );
        if (outcome !== 'ERR_CONFIG_FILE' || headers.length > 1 || Object.keys(keys).length === 0) continue;
        refused.push([JSON.stringify(text), isDeepStrictEqual((await bySdk(index))[name], keys)]);
      }
    }
    expect(refused.filter(([, alike]) => alike)).toEqual([]);
    expect(refused.length).toBeGreaterThan(10);
  });
});
