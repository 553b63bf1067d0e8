import { describe, expect, it } from 'vitest';
import {
  closed,
  editProfile,
  firstIndentation,
  readSections,
  removeFromProfile,
} from '../../src/output/profile-edit.ts';
import { refusalOf } from '../support/refusal.ts';
import { CREDENTIALS, EDITS, KEYS, OLD } from './credentials-file-cases.ts';

const WANTED = new Map([
  ['aws_access_key_id', CREDENTIALS.accessKeyId],
  ['aws_secret_access_key', CREDENTIALS.secretAccessKey],
  ['aws_session_token', CREDENTIALS.sessionToken],
  ['aws_security_token', undefined],
]);
const NAMES = [...WANTED.keys()];

function edited(text: string, followers: ReadonlyMap<string, string | undefined> = new Map()): string {
  return editProfile(text, 'dev', { wanted: WANTED, followers }, 'FILE');
}

const [ID, SECRET, TOKEN] = KEYS.split(/(?<=\n)/) as [string, string, string];
const indented = (text: string, indent: string): string => text.replaceAll(/^(?=.)/gm, indent);

const MORE: readonly [string, string, string][] = [
  ['a profile and one with spaces around its name', `[ dev ]\nx = 1\n[dev]\n`, `[ dev ]\nx = 1\n[dev]\n${KEYS}`],
  ['an empty line last', '[a]\nx = 1\n\n', `[a]\nx = 1\n\n[dev]\n${KEYS}`],
  ['a line of spaces last', '[a]\nx = 1\n  \n', `[a]\nx = 1\n  \n[dev]\n${KEYS}`],
  ['CRLF, and an unended line last', '[a]\r\nx = 1', `[a]\r\nx = 1\r\n\r\n[dev]\r\n${KEYS.replaceAll('\n', '\r\n')}`],
  ['CRLF, and an unended header', '[a]\r\nx = 1\r\n[dev]', `[a]\r\nx = 1\r\n[dev]\r\n${KEYS.replaceAll('\n', '\r\n')}`],
  ['CRLF, and an unended header to correct', '[a]\r\nx = 1\r\n[ dev ]', `[a]\r\nx = 1\r\n[dev]\r\n${KEYS.replaceAll('\n', '\r\n')}`],
  ['two kinds of line ends', '[a]\n[dev]\r\naws_access_key_id = OLD\r\n', `[a]\n[dev]\r\n${ID.replace('\n', '\r\n')}${SECRET}${TOKEN}`],
  ['a key in an unended line', '[dev]\naws_access_key_id = OLD', `[dev]\n${KEYS}`],
  ['an unended key behind another', '[dev]\nregion = x\naws_session_token = OLD', `[dev]\nregion = x\n${TOKEN}${ID}${SECRET}`],
  ['indented keys to replace', '[dev]\n  aws_access_key_id = OLD\n  region = x\n', `[dev]\n${indented(KEYS, '  ')}  region = x\n`],
  ['keys and a removed one far below', `[dev]\n${ID}region = x\naws_security_token = OLD\n`, `[dev]\n${KEYS}region = x\n`],
  ['an indented header and keys that are not', '  [dev]\nregion = x\n', `  [dev]\n${KEYS}region = x\n`],
  ['an indented header and nothing else', '  [dev]\n', `  [dev]\n${KEYS}`],
  ['an indented header below an indented one', '  [a]\n  [dev]\n [b]\n', `  [a]\n  [dev]\n${indented(KEYS, ' ')} [b]\n`],
  ['an indented key in a section above', '[a]\n  x = 1\n[dev]\ny = 1\n', `[a]\n  x = 1\n[dev]\n${KEYS}y = 1\n`],
  ['a key that is indented less than the first', '[dev]\n  region = x\naws_access_key_id = OLD\n', `[dev]\n  region = x\n${KEYS}`],
  ['text behind the header', '[dev] mine # 1\n', `[dev] # mine # 1\n${KEYS}`],
  ['a comment with a semicolon and no space', '[dev]; mine\n', `[dev] ; mine\n${KEYS}`],
  ['spaces behind the header', '[dev]  \n', `[dev]  \n${KEYS}`],
  ['a comment behind a header with spaces', '  [ dev ] # mine\n', `  [dev] # mine\n${KEYS}`],
  ['a comment and a value of several lines', `[dev]\n${OLD}  more\n# kept\n  more\n`, `[dev]\n${KEYS}# kept\n`],
]; // prettier-ignore

/** The same of a profile whose name has a blank. */
function editedWithBlank(text: string): string {
  return editProfile(text, 'build box', { wanted: WANTED, followers: new Map() }, 'FILE');
}

describe('an edit', () => {
  it.each([...EDITS, ...MORE])('%s', (_, before, after) => {
    expect(edited(before)).toBe(after);
    expect(edited(after)).toBe(after);
  });

  it('sets and removes what follows only where it is there', () => {
    const followers = new Map([['aws_account_id', '2']]);
    expect(edited('[dev]\naws_account_id = 1\n', followers)).toBe(`[dev]\naws_account_id = 2\n${KEYS}`);
    expect(edited('[dev]\naws_account_id = 1\n', new Map([['aws_account_id', undefined]]))).toBe(`[dev]\n${KEYS}`);
    expect(edited('[dev]\nx = 1\n', followers)).toBe(`[dev]\n${KEYS}x = 1\n`);
    expect(edited('', followers)).toBe(`[dev]\n${KEYS}`);
  });

  it('of a profile that the SDK passes over is for botocore alone, and for it only where it is read', () => {
    expect(editedWithBlank('')).toBe(`[build box]\n${KEYS}`);
    expect(refusalOf(() => editedWithBlank('[DEFAULT]\naws_security_token = x\n')).message).toContain(', line 2: ');
  });

  it('takes what is in [DEFAULT] for the profile’s', () => {
    const text = '[DEFAULT]\nregion = x\n[dev]\n';
    expect(edited(text)).toBe(text + KEYS);
  });
});

describe('an edit is refused', () => {
  const hindered = 'another line of the file gets in its way: remove what is indented, in [DEFAULT], or there twice';

  it.each([
    ['that [DEFAULT] undoes', '[DEFAULT]\naws_security_token = x\n', ', line 2: aws_security_token'],
    [
      'in which the SDK takes an indented line for the key',
      '[dev]\naws_access_key_id = OLD\nx = 1\n  aws_access_key_id = 2\n',
      ', line 6: aws_access_key_id',
    ],
    [
      'in which only the SDK finds a key that is to go',
      '[dev]\nx = 1\n  aws_security_token = 2\n',
      ', line 6: aws_security_token',
    ],
    ['that the SDK does not see', '[a]\rx = 1\r', ': aws_access_key_id'],
    [
      'in which the SDK takes a key for one of a block',
      '[dev]\n\n  s3 =\n  aws_session_token = OLD\n',
      ': aws_access_key_id',
    ],
    [
      'after which a header would continue a value: a space only to Python is before it',
      '[dev]\n\x1c[b]\ny = 2\n',
      ', line 4: aws_session_token',
    ],
  ])('%s', (_, text, message) => {
    expect(refusalOf(() => edited(text))).toMatchObject({
      code: 'ERR_CREDENTIALS_FILE',
      message: `FILE${message} of profile dev would not be read as it is written`,
      hint: hindered,
    });
  });

  it.each([
    ['that botocore refuses', '[a]\n[a]\n', 'FILE, line 2: [a] is there a second time', 'it begins in line 1; nothing was written'],
    ['with a block that botocore refuses', '[a]\ns3 =\n  x\n', 'FILE, line 3: an indented line without =', 'write key = value; nothing was written'],
    ['that the SDK refuses', '[a]\n[__proto__]\n', 'FILE, line 2: the AWS SDK for JavaScript refuses a file with [__proto__]', 'rename the profile; nothing was written'],
    ['that the SDK refuses for a profile', '[profile __proto__]\n', 'FILE, line 1: the AWS SDK for JavaScript refuses a file with [profile __proto__]', 'rename the profile; nothing was written'],
  ])('for a file %s', (_, text, message, hint) => {
    expect(refusalOf(() => edited(text))).toMatchObject({ code: 'ERR_CREDENTIALS_FILE', message, hint });
  }); // prettier-ignore

  it('for no name that only looks like one that the SDK refuses', () => {
    expect(readSections('[my __proto__]\n[__proto__s]\n', 'FILE')).toHaveLength(2);
  });
});

describe('credentials are taken out', () => {
  const removal = { accessKeyId: CREDENTIALS.accessKeyId, names: NAMES };
  const removed = (text: string): string | undefined => removeFromProfile(text, 'dev', removal, 'FILE');

  it('with all their keys, and nothing else', () => {
    expect(removed(`[a]\n${OLD}[dev]\nregion = x\n${KEYS}aws_security_token = x\n[b]\ny = 1\n`)).toBe(
      `[a]\n${OLD}[dev]\nregion = x\n[b]\ny = 1\n`,
    );
    expect(removed(`[dev] # mine\n${KEYS}`)).toBe('[dev] # mine\n');
  });

  it.each([
    ['of another program', `[dev]\n${OLD}`],
    ['of a profile without a key', '[dev]\nregion = x\n'],
    ['of another profile', `[a]\n${KEYS}`],
    ['of a profile with spaces in its name', `[ dev ]\n${KEYS}`],
  ])('but not those %s', (_, text) => expect(removed(text)).toBeUndefined());
});

describe('lines', () => {
  it('are closed by an end where they have none', () => {
    expect(closed([], '\n')).toEqual([]);
    expect(closed(['a'], '\r\n')).toEqual(['a\r\n']);
    expect(closed(['a\n', 'b'], '\n')).toEqual(['a\n', 'b\n']);
    for (const end of ['\n', '\r', '\r\n']) expect(closed(['a', `b${end}`], '\n')).toEqual(['a', `b${end}`]);
  });

  it('below a header are indented as the first key of it, or else as the next header', () => {
    const lines = ['    [a]', '  [dev]', '# c', '   x = 1', ' [b]', 'y = 1'];
    const dev = { header: 'dev', line: 2, keys: new Map([['x', { value: '1', lines: [4] }]]) };
    const all = [
      { header: 'a', line: 1, keys: new Map() },
      dev,
      { header: 'b', line: 5, keys: new Map([['y', { value: '1', lines: [6] }]]) },
    ];
    expect(firstIndentation(lines, all, dev)).toBe('   ');
    expect(firstIndentation(lines, all, { ...dev, keys: new Map() })).toBe(' ');
    expect(firstIndentation(lines, all.slice(0, 2), { ...dev, keys: new Map() })).toBe('');
  });
});
