import { assert, constantFrom, array, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockText, otherKeys, withBlock, withoutBlock } from '../../src/output/profile-block.ts';
import { unifiedDiff } from '../../src/output/unified-diff.ts';
import { outcome, refusalOf } from '../support/refusal.ts';

const block = (profile = 'default', line = '/bin/ra credential-process'): Parameters<typeof withBlock>[1] => ({
  profile,
  settings: new Map([
    ['credential_process', line],
    ['rolesanywhere_role_arn', 'arn:aws:iam::123456789012:role/A'],
  ]),
  defaults: new Map([['region', 'us-east-1']]),
});

const KEYS =
  'credential_process = /bin/ra credential-process\nrolesanywhere_role_arn = arn:aws:iam::123456789012:role/A\n';
const begin = (profile = 'default'): string => `# >>> roles-anywhere init --profile ${profile} >>>\n`;
const end = (profile = 'default'): string => `# <<< roles-anywhere init --profile ${profile} <<<\n`;
const WHOLE = `${begin()}[default]\nregion = us-east-1\n${KEYS}${end()}`;

/** Files before, and what they are with the block. */
const FILES: readonly (readonly [string, string, string])[] = [
  ['nothing', '', WHOLE],
  ['other profiles', '[profile a]\nx = 1\n', `[profile a]\nx = 1\n\n${WHOLE}`],
  ['a last line without an end', '[profile a]\nx = 1', `[profile a]\nx = 1\n\n${WHOLE}`],
  [
    'a profile of that name',
    '[default]\noutput = json\n',
    `[default]\n${begin()}region = us-east-1\n${KEYS}${end()}output = json\n`,
  ],
  [
    'a region of its own',
    '[default]\nregion = eu-west-1\n',
    `[default]\n${begin()}${KEYS}${end()}region = eu-west-1\n`,
  ],
  [
    'comments',
    '# mine\n[default] # note\n; x\n',
    `# mine\n[default] # note\n${begin()}region = us-east-1\n${KEYS}${end()}; x\n`,
  ],
];

describe('the block in a file with', () => {
  it.each(FILES)('%s', (_, before, after) => {
    expect(withBlock(before, block(), '/config')).toBe(after);
    // Once more it is the same, and taken out it leaves what was there.
    expect(withBlock(after, block(), '/config')).toBe(after);
    expect(withoutBlock(after, 'default', '/config')).toBe(
      before === '' || before.endsWith('\n') ? before : `${before}\n`,
    );
  });

  it('Windows line ends, indentation and nested keys', () => {
    const before = '[default]\r\n  s3 =\r\n    max = 1\r\n  output = json\r\n';
    const after = withBlock(before, block(), '/config');
    expect(after.replaceAll('\r\n', '')).not.toContain('\n');
    expect(after).toContain('\r\n  credential_process = ');
    expect(withBlock(after, block(), '/config')).toBe(after);
    expect(withoutBlock(after, 'default', '/config')).toBe(before);
  });

  it('a profile whose name has blanks, or quotes around it', () => {
    expect(withBlock('', block('a b'), '/config')).toContain('[profile "a b"]\n');
    const quoted = "[profile 'a b']\noutput = json\n";
    expect(withoutBlock(withBlock(quoted, block('a b'), '/config'), 'a b', '/config')).toBe(quoted);
    expect(blockText(block('x'))).toBe(`${begin('x')}[profile x]\nregion = us-east-1\n${KEYS}${end('x')}`);
  });

  it('the header kept where other keys came to be below it', () => {
    const grown = `${WHOLE}output = json\n`;
    expect(withoutBlock(grown, 'default', '/config')).toBe('[default]\noutput = json\n');
    expect(withBlock(grown, block('default', '/bin/new'), '/config')).toBe(
      grown.replace('/bin/ra credential-process', '/bin/new'),
    );
  });
});

describe('a file in which that cannot be', () => {
  it.each([
    ['half of a mark', begin()],
    ['marks in the wrong order', end() + begin()],
    ['two of them', WHOLE + WHOLE.replace('[default]', '[profile b]')],
  ])('is left alone: %s', (_, text) => {
    expect(refusalOf(() => withBlock(text, block(), '/config')).code).toBe('ERR_CONFIG_FILE');
  });

  it('is left alone where botocore refuses it', () => {
    expect(refusalOf(() => withBlock('x = 1\n', block(), '/config')).message).toContain('/config, line 1');
  });

  it('is left alone for a value in which the SDK for JavaScript would see a comment', () => {
    const { code, hint } = refusalOf(() => withBlock('', block('default', '/a #b'), '/config'));
    expect(code).toBe('ERR_CONFIG_FILE');
    expect(hint).toContain('another name');
  });
});

describe('other keys', () => {
  it('are those outside of the block, with the lines that they have in the file', () => {
    const text = `[DEFAULT]\nrole_arn = x\n\n${WHOLE}output = json\n`;
    const lines = text.split('\n');
    expect([...otherKeys(text, 'default', '/config')]).toEqual([
      ['role_arn', 2],
      ['output', lines.indexOf('output = json') + 1],
    ]);
    expect([...otherKeys('[default]\na = 1\n', 'default', '/config')]).toEqual([['a', 2]]);
  });
});

const LINES = [
  '[default]\n',
  '[profile a]\n',
  '  [profile b]\n',
  'x = 1\n',
  '  y = 2\n',
  '\tz = 3\n',
  '# c\n',
  '\n',
  's3 =\n',
  '    n = 1\n',
  'k = v\r\n',
  'last = 1',
];

describe('any file', () => {
  it('is as it was once the block is taken out again, or was refused', () => {
    let written = 0;
    assert(
      property(array(constantFrom(...LINES), { maxLength: 10 }), (parts) => {
        const before = parts.join('');
        const after = outcome(() => withBlock(before, block(), '/config'));
        if (!('value' in after)) return;
        written += 1;
        const back = withoutBlock(after.value, 'default', '/config');
        expect([before, `${before}\n`, `${before}\r\n`]).toContain(back);
      }),
      { numRuns: 3000 },
    );
    expect(written).toBeGreaterThan(100);
  });
});

describe('a difference', () => {
  it('is that of the changed lines alone', () => {
    expect(unifiedDiff('a\nb\nc\n', 'a\nX\nY\nc\n', 'f')).toBe('--- f\n+++ f\n@@ -2,1 +2,2 @@\n-b\n+X\n+Y\n');
    expect(unifiedDiff('a\nc\n', 'a\nb\nc\n', 'f')).toBe('--- f\n+++ f\n@@ -1,0 +2,1 @@\n+b\n');
    expect(unifiedDiff('a', 'a\n', 'f')).toBe('--- f\n+++ f\n@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+a\n');
    expect(unifiedDiff('a\n', 'a\n', 'f')).toBe('');
  });
});
