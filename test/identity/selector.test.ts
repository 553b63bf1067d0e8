import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refusal } from '../support/refusal.ts';
import { parseName } from '../../src/x509/distinguished-name.ts';
import { type CertificateSelector, isSelected, loadSelector } from '../../src/identity/selector.ts';
import { readCertificate } from '../../src/x509/certificate.ts';
import { DAY_MS, generateKeys, issueAuthority, issueLeaf } from '../../certs-dev/authority.ts';

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
    ['Key= x509Serial ,Value= 0A  Key=x509Subject,Value=CN=a', { subject: parseName('CN=a'), serial: 10n }],
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
    'xKey=x509Subject,Value=CN=a',
  ])('refuses %j', async (text) => {
    expect(await refusal(() => loadSelector(text))).toMatchObject({ code: 'ERR_SELECTOR' });
  });
});

describe('what is wrong', () => {
  it.each([
    ['Key=x509Subject', '"Key=x509Subject" is not Key=...,Value=...'],
    ['Key=x509Subject,Value=', 'x509Subject has no value'],
    ['Key=x509Serial,Value= ', 'x509Serial has no value'],
    ['Key=x509Subject,Value=a', 'x509Subject: '],
    ['Key=x509Issuer,Value=O=Acme, Inc.', 'x509Issuer: '],
  ])('is told: %j', async (text, words) => {
    expect(await refusal(() => loadSelector(text))).toMatchObject({
      flag: '--cert-selector',
      message: expect.stringContaining(`--cert-selector: ${words}`) as string,
    });
  });

  it.each([
    ['{', ' is not JSON'],
    ['{}', ' is not a list'],
    ['[{"Key":"x509Subject","Value":" "}]', 'x509Subject has no value'],
  ])('is told of a file: %j', async (content, words) => {
    const { message } = await refusal(() => loadSelector(file(content)));
    expect(message.endsWith(words)).toBe(true);
  });
});

describe('a certificate', () => {
  let leaf: Pick<ReturnType<typeof readCertificate>, 'subject' | 'issuer' | 'serialNumber'>;
  beforeAll(async () => {
    const issuer = await issueAuthority({ subject: 'CN=Issuing,O=Example', keys: await generateKeys('ec-p256') });
    const { publicKey } = await generateKeys('ec-p256');
    const notAfter = new Date(Date.now() + DAY_MS);
    const subject = 'CN=web,OU=Blue,O=Example';
    const issued = await issueLeaf({
      subject,
      serialNumber: '0a1b',
      issuer,
      publicKey,
      notBefore: new Date(),
      notAfter,
    });
    leaf = readCertificate(new Uint8Array(issued.rawData), 'leaf');
  });

  const [subject, issuer] = [parseName('OU=Blue,CN=web'), parseName('CN=Issuing')];
  const [otherSubject, otherIssuer] = [parseName('CN=other'), parseName('CN=web')];
  const serial = 0xa1bn;

  it.each<[CertificateSelector, boolean]>([
    [{}, true],
    [{ serial }, true],
    [{ serial: 0xa1an }, false],
    [{ subject }, true],
    [{ subject: otherSubject }, false],
    [{ issuer }, true],
    [{ issuer: otherIssuer }, false],
    [{ subject, issuer, serial }, true],
    [{ subject: otherSubject, issuer, serial }, false],
    [{ subject, issuer: otherIssuer, serial }, false],
    [{ subject, issuer, serial: 1n }, false],
  ])('has all that is named, or is not selected: case %#', (selector, selected) => {
    expect(isSelected(leaf, selector)).toBe(selected);
  });

  it('whose names cannot be read is selected by none of them', () => {
    const broken = { ...leaf, subject: new Uint8Array([0x30, 5]) };
    expect(isSelected(broken, { subject })).toBe(false);
    expect(isSelected(broken, { issuer, serial })).toBe(true);
  });
});

describe('as a file', () => {
  it('has 64 KiB at most, and blanks around what it says', async () => {
    const text = '[{"Key":" x509Serial ","Value":" 0a "}]';
    expect(loadSelector(file(text.padEnd(65_536)))).toEqual({ serial: 10n });
    expect(await refusal(() => loadSelector(file(text.padEnd(65_537))))).toMatchObject({
      code: 'ERR_SELECTOR',
      flag: '--cert-selector',
    });
  });

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
