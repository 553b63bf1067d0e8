import { mkdirSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HOUR_MS, certificatePem, privateKeyPem } from '../../certs-dev/authority.ts';
import { loadIdentity } from '../../src/identity/load.ts';
import { renewalSettings } from '../../src/options/renewal.ts';
import { command } from '../../src/renewal/issuers/command.ts';
import { renew } from '../../src/renewal/renew.ts';
import { cleanEnv } from '../support/cli.ts';
import { requireTool } from '../support/tools.ts';
import { type TestCa, type TestFiles, makeCa, writeIdentity } from './support/ca.ts';

let ca: TestCa;
let files: TestFiles;

beforeEach(async () => {
  ca = await makeCa();
  files = await writeIdentity(ca, { lifeMs: HOUR_MS });
  const { folder } = files;
  writeFileSync(join(folder, 'ca.crt'), certificatePem(ca.intermediate.certificate));
  writeFileSync(join(folder, 'ca.key'), privateKeyPem(ca.intermediate.keys));
});

afterEach(() => rmSync(files.folder, { recursive: true }));

/** What a person's script does with openssl. */
const SIGN =
  'openssl x509 -req -in "$RENEW_CSR" -CA ca.crt -CAkey ca.key -CAcreateserial -copy_extensions copyall -days 2';

async function by(line: string, timeoutMs?: number): Promise<{ serialNumber: string; said: string; newKey: boolean }> {
  const { from } = renewalSettings({ 'renew-command': line });
  if (from.kind !== 'command') throw new Error('no command');
  let said = '';
  const issuer = command({
    words: from.words,
    beside: files.certificate,
    env: cleanEnv({ FOLDER: files.folder }),
    timeoutMs,
    tell: (text) => (said += text),
  });
  const { leaf, newKey } = await renew({ identity: files, issuer, loading: {}, now: Date.now });
  return { serialNumber: leaf.serialNumber, said, newKey };
}

const script = (text: string): string => `sh -c 'cd "$FOLDER" && ${text}'`;

describe.skipIf(!requireTool('openssl'))('renewal by a command', () => {
  it('takes what it prints', async () => {
    const { serialNumber } = await by(script(SIGN));
    expect((await loadIdentity(files)).serialNumber).toBe(serialNumber);
    expect(readdirSync(files.folder).filter((name) => name.startsWith('.renewing-'))).toEqual([]);
  });

  it('tells what it says, but for a private key, whole or cut off', async () => {
    const { said } = await by(
      script(`${SIGN}; exec >&2; echo first; cat "$RENEW_PRIVATE_KEY"; echo second; head -c 100 "$RENEW_PRIVATE_KEY"`),
    );
    expect(said).toMatch(/first\n<redacted>\nsecond\n<redacted>$/);
    const long = await by(script(`${SIGN}; exec >&2; cat "$RENEW_PRIVATE_KEY"; head -c 261950 /dev/zero | tr "\\0" x`));
    expect(long.said).toMatch(/^<redacted>\nx+$/);
  });

  it('leaves the folder alone that another renewal is at work in, and removes what a killed one left', async () => {
    const [working, old, killed] = [
      `.renewing-${process.pid}-other`,
      `.renewing-${process.pid}-old`,
      '.renewing-4194304-left',
    ];
    for (const name of [working, old, killed]) mkdirSync(join(files.folder, name));
    const longAgo = new Date(Date.now() - HOUR_MS);
    utimesSync(join(files.folder, old), longAgo, longAgo);
    await by(script(SIGN));
    expect(readdirSync(files.folder).filter((name) => name.startsWith('.renewing-'))).toEqual([working]);
  });

  it('takes what it leaves in place of the copy of the certificate, and what it says', async () => {
    const { said, newKey } = await by(`sh -c 'cd "$FOLDER" && ${SIGN} -out "$0" && echo a remark >&2' {certificate}`);
    expect(said).toContain('a remark');
    expect(newKey).toBe(false);
  });

  it('takes a key that it made', async () => {
    const make =
      'openssl ecparam -name prime256v1 -genkey -noout -out "$RENEW_PRIVATE_KEY" && ' +
      'openssl req -new -key "$RENEW_PRIVATE_KEY" -subj "/O=Example/CN=web" -out own.csr ' +
      '-addext "subjectAltName=DNS:web.example,IP:10.0.0.1,URI:spiffe://example/web" -addext keyUsage=critical,digitalSignature && ' +
      SIGN.replace('"$RENEW_CSR"', 'own.csr') +
      ' -out "$RENEW_CERTIFICATE"';
    rmSync(files.folder, { recursive: true });
    files = await writeIdentity(ca, { subject: 'CN=web,O=Example' });
    writeFileSync(join(files.folder, 'ca.crt'), certificatePem(ca.intermediate.certificate));
    writeFileSync(join(files.folder, 'ca.key'), privateKeyPem(ca.intermediate.keys));
    const before = readFileSync(files.privateKey, 'utf8');
    await by(script(make.replace('/O=Example/CN=web', '/CN=web/O=Example'))).then(({ newKey }) =>
      expect(newKey).toBe(true),
    );
    expect(readFileSync(files.privateKey, 'utf8')).not.toBe(before);
    expect(readFileSync(`${files.privateKey}.previous`, 'utf8')).toBe(before);
  });

  const failing: readonly (readonly [string, string, RegExp])[] = [
    ['fails', 'false', /failed: status 1/],
    ['is not there', 'no-such-program-here', /cannot be started \(ENOENT\)/],
    ['does nothing', 'true', /left no new certificate/],
    ['prints something else', 'echo renewed', /left no new certificate/],
    ['prints half of one', "printf '-----BEGIN CERTIFICATE-----\\nMII'", /cannot be read/],
    [
      'writes UTF-16',
      `sh -c 'echo "-----BEGIN CERTIFICATE-----" | iconv -t UTF-16 >{certificate}'`,
      /it is UTF-16 text/,
    ],
    ['prints a request', 'cat {csr}', /left no new certificate/],
    ['never ends', 'sleep 600', /did not end within/],
    ['prints without end', 'yes', /prints more than/],
    ['ends by a signal', "sh -c 'kill -9 $$'", /failed: SIGKILL/],
  ];
  it.each(failing)('that %s leaves the old pair', async (_what, line, message) => {
    const before = [files.certificate, files.privateKey].map((path) => readFileSync(path, 'utf8'));
    await expect(by(line, 1500)).rejects.toMatchObject({
      code: 'ERR_RENEWAL_COMMAND',
      message: expect.stringMatching(message),
    });
    expect([files.certificate, files.privateKey].map((path) => readFileSync(path, 'utf8'))).toEqual(before);
    expect(readdirSync(files.folder).filter((name) => name.startsWith('.renewing-'))).toEqual([]);
  });

  it('runs without a shell', async () => {
    await expect(by(`echo $(touch ${files.folder}/made)`)).rejects.toMatchObject({ code: 'ERR_RENEWAL_COMMAND' });
    expect(readdirSync(files.folder)).not.toContain('made');
  });
});
