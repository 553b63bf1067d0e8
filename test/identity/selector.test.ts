import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refusal } from '../support/refusal.ts';
import { parseName } from '../../src/x509/distinguished-name.ts';
import { loadSelector } from '../../src/identity/selector.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'ra-selector-'));
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

function file(content: string): string {
  const path = join(dir, 'selector.json');
  writeFileSync(path, content);
  return `file://${path}`;
}

describe('as text', () => {
  it.each([
    ['Key=x509Subject,Value=CN=Subject', { subject: parseName('CN=Subject') }],
    ['Key=x509Issuer,Value=CN=Issuer', { issuer: parseName('CN=Issuer') }],
    ['Key=x509Serial,Value=00aF', { serial: 0xafn }],
    [
      'Key=x509Subject,Value=CN=A B, O=C D,OU=E Key=x509Issuer,Value=CN=Root  CA  Key=x509Serial,Value=1',
      { subject: parseName('CN=A B,O=C D,OU=E'), issuer: parseName('CN=Root CA'), serial: 1n },
    ],
    ['  Key=x509Subject,Value=CN=Value=Key  ', { subject: parseName('CN=Value=Key') }],
  ])('%s', (text, expected) => {
    expect(loadSelector(text)).toEqual(expected);
  });

  it.each([
    '',
    ' ',
    'x509Subject',
    'Key=x509Subject',
    'Key=x509Subject,Value=',
    'Key=x509Subject,CN=a',
    'Key=x509Subject,Value=a',
    'Key=x509Issuer,Value=O=Acme, Inc.',
    'Value=CN=a,Key=x509Subject',
    'key=x509Subject,Value=CN=a',
    'Key=x509subject,Value=CN=a',
    'Key=,Value=a',
    'Key=__proto__,Value=a',
    'Key=x509Subject,Value=CN=a Key=x509Subject,Value=CN=b',
    'Key=x509Serial,Value=xyz',
    'Key=x509Serial,Value=0x0A',
    'Key=x509Serial,Value=0A:0B',
    'Key=x509Serial,Value=-1',
    'x Key=x509Subject,Value=CN=a',
  ])('refuses %j', async (text) => {
    expect(await refusal(() => loadSelector(text))).toMatchObject({ code: 'ERR_SELECTOR' });
  });
});

describe('as a file', () => {
  it('holds a list of keys and values', () => {
    const text = '[{"Key":"x509Subject","Value":"CN=A, O=B"},{"Key":"x509Serial","Value":"0a"}]';
    expect(loadSelector(file(text))).toEqual({ subject: parseName('CN=A,O=B'), serial: 10n });
  });

  it.each([
    '',
    '{',
    'null',
    '{}',
    '[]',
    '[null]',
    '[[]]',
    '["Key=x509Subject,Value=CN=a"]',
    '[{"Key":"x509Subject"}]',
    '[{"Key":"x509Subject","Value":1}]',
    '[{"key":"x509Subject","value":"CN=a"}]',
    '[{"Key":"x509Subject","Value":""}]',
    '[{"Key":"toString","Value":"CN=a"}]',
    '[{"Key":"x509Serial","Value":"1"},{"Key":"x509Serial","Value":"1"}]',
    `[{"Key":"x509Subject","Value":"${'a'.repeat(70_000)}"}]`,
  ])('is refused with %.60s', async (content) => {
    expect(await refusal(() => loadSelector(file(content)))).toMatchObject({ code: 'ERR_SELECTOR' });
  });

  it.each(['none.json', '.', 'pipe'])('is refused when it cannot be read: %s', async (name) => {
    mkdirSync(dir, { recursive: true });
    if (name === 'pipe') execFileSync('mkfifo', [join(dir, name)]);
    expect(await refusal(() => loadSelector(`file://${join(dir, name)}`))).toMatchObject({
      code: 'ERR_SELECTOR',
      message: expect.stringContaining('--cert-selector file://') as string,
    });
  });
});
