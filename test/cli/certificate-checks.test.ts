import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BadLeaf } from '../../certs-dev/bad-leaves.ts';
import type { Emulator } from '../../src/emulator/emulator.ts';
import type { ErrorCode } from '../../src/platform/errors.ts';
import { freshPki } from '../support/bad-leaves.ts';
import { cleanEnv, PROGRAM, runCli, type CliResult } from '../support/cli.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';

let pki: Awaited<ReturnType<typeof freshPki>>;
let emulator: Emulator;
/** What the emulator really thought of each CreateSession. */
const reasons: string[] = [];

beforeAll(async () => {
  pki = await freshPki();
  emulator = await startTestEmulator({
    trustAnchors: [{ certificates: readFileSync(pki.path('root.pem'), 'utf8') }],
    onVerdict({ path, reason }) {
      // A certificate out of its time may mean a wrong clock: the service is asked for the time, and told nothing.
      if (path === '/sessions') reasons.push(reason);
    },
  });
});
afterAll(async () => {
  await emulator.close();
  pki.remove();
});
beforeEach(() => {
  reasons.length = 0;
});

const material = (name: string, key = 'bad.key.pem', chain = 'intermediate.pem'): string[] => [
  '--certificate',
  pki.path(`${name}.crt.pem`),
  '--private-key',
  pki.path(key),
  '--intermediates',
  pki.path(chain),
];
const line = (identity: readonly string[], ...more: string[]): string[] => [
  'credential-process',
  ...identity,
  ...worldFlags(emulator),
  ...more,
];
const vends = ({ status, stdout }: CliResult): boolean => status === 0 && stdout.includes('"AccessKeyId":"ASIA');

/** Each bad leaf, the code that refuses it, and what the other side says when it is sent all the same. */
const BAD: [BadLeaf, ErrorCode, string, RegExp][] = [
  ['expired', 'ERR_CERTIFICATE_EXPIRED', 'AccessDeniedException', /expired at/],
  ['not-yet-valid', 'ERR_CERTIFICATE_NOT_YET_VALID', 'AccessDeniedException', /not valid before/],
  ['ca', 'ERR_CERTIFICATE_IS_CA', 'AccessDeniedException', /CA certificate/],
  ['no-digital-signature', 'ERR_CERTIFICATE_KEY_USAGE', 'AccessDeniedException', /digitalSignature/],
  ['no-key-usage', 'ERR_CERTIFICATE_KEY_USAGE', 'AccessDeniedException', /digitalSignature/],
  ['sha-1', 'ERR_CERTIFICATE_SIGNATURE_ALGORITHM', 'AccessDeniedException', /1\.2\.840\.10045\.4\.1/],
  ['v1', 'ERR_CERTIFICATE_VERSION', 'AccessDeniedException', /version 1/],
  ['empty-subject', 'ERR_CERTIFICATE_SUBJECT_EMPTY', 'AccessDeniedException', /subject is empty/],
  ['six-deep', 'ERR_CHAIN_TOO_LONG', 'AccessDeniedException', /6 certificates/],
];

describe.each(BAD)('the leaf bad-%s', (name, code, serviceCode, reason) => {
  const identity = (): string[] =>
    material(`bad-${name}`, 'bad.key.pem', name === 'six-deep' ? 'bad-six-deep.chain.pem' : 'intermediate.pem');

  it('is refused before anything is sent', async () => {
    const { status, stdout, stderr } = await runCli(line(identity()));
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^roles-anywhere: error: .* \\[${code}\\]\nhint: .*\n$`));
    expect(reasons).toEqual([]);
  });

  it('is sent with --skip-checks, with a warning, and refused by the other side', async () => {
    const { status, stdout, stderr } = await runCli(line(identity(), '--skip-checks'));
    expect({ status, stdout }).toEqual({ status: 4, stdout: '' });
    expect(stderr).toContain('[ERR_ACCESS_DENIED]');
    expect(stderr).toContain(serviceCode);
    // The length of a chain is not a matter of the certificate: nothing is said of it.
    expect(stderr.startsWith('warning: --certificate ')).toBe(code !== 'ERR_CHAIN_TOO_LONG');
    expect(reasons).toEqual([expect.stringMatching(reason)]);
  });
});

describe('what the other side alone can judge', () => {
  it('an issuer of the right name and the wrong key is left out with a warning, and the request refused', async () => {
    const { status, stderr } = await runCli(line(material('bad-wrong-issuer')));
    expect(status).toBe(4);
    expect(stderr).toMatch(/^warning: left out of the chain/);
    expect(stderr).toContain('Untrusted signing certificate');
    expect(reasons).toHaveLength(1);
  });

  it('--skip-checks does not let a foreign key pass', async () => {
    const { status, stderr } = await runCli(line(material('bad-mismatch'), '--skip-checks'));
    expect({ status, code: stderr.includes('[ERR_KEY_MISMATCH]') }).toEqual({ status: 3, code: true });
    expect(reasons).toEqual([]);
  });
});

describe('warnings do not get in the way', () => {
  it('three days left', async () => {
    const result = await runCli(line(material('expires-soon')));
    expect(vends(result)).toBe(true);
    expect(result.stderr).toMatch(/^warning: --certificate .*: the certificate expires in 3 days \(.*Z\)\n$/);
  });

  it('a bundle with strangers, in the wrong order, with leaf, root and duplicates', async () => {
    const names = ['tls-root.pem', 'root.pem', 'ec-p256.crt.pem', 'intermediate.pem', 'root.pem', 'intermediate.pem'];
    writeFileSync(pki.path('bundle.pem'), names.map((name) => readFileSync(pki.path(name), 'utf8')).join('# text\n'));
    const result = await runCli(line(material('ec-p256', 'ec-p256.key.pem', 'bundle.pem')));
    expect(vends(result)).toBe(true);
    expect(result.stderr).toMatch(
      /^warning: left out of the chain.*"O=Roles Anywhere development,CN=Development TLS root"\n$/,
    );
  });

  it.skipIf(process.platform === 'win32')('a key that others can read', async () => {
    copyFileSync(pki.path('ec-p256.key.pem'), pki.path('open.key.pem'));
    chmodSync(pki.path('open.key.pem'), 0o644);
    const result = await runCli(line(material('ec-p256', 'open.key.pem')));
    expect(vends(result)).toBe(true);
    expect(result.stderr).toMatch(
      /^warning: --private-key .* can be read by its group and everybody \(mode 0644\): chmod 600\n$/,
    );
  });

  it('none for a good identity', async () => {
    expect(await runCli(line(material('ec-p256', 'ec-p256.key.pem')))).toMatchObject({ status: 0, stderr: '' });
  });
});

const text = (name: string): string => readFileSync(pki.path(name), 'utf8');
const base64 = (name: string): string => Buffer.from(text(name)).toString('base64');

/** Runs with a pipe as standard input, written to in parts. */
async function withInput(args: readonly string[], parts: readonly string[]): Promise<CliResult> {
  const child = spawn(PROGRAM[0], [...PROGRAM.slice(1), ...args], { env: cleanEnv() });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (chunk: string) => (output[name] += chunk));
  const ended = once(child, 'close');
  for (const part of parts) {
    child.stdin.write(part);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.stdin.end();
  const [status] = (await ended) as [number];
  return { status, ...output };
}

describe('where material comes from', () => {
  it('variables of the environment', async () => {
    const identity = ['--certificate', 'env:LEAF', '--private-key', 'env:KEY', '--intermediates', 'env:CHAIN'];
    const env = { LEAF: text('ec-p256.crt.pem'), KEY: base64('ec-p256.key.pem'), CHAIN: base64('intermediate.pem') };
    const result = await runCli(line(identity), { env });
    expect(result).toMatchObject({ status: 0, stderr: '' });
    expect(vends(result)).toBe(true);
  });

  it('standard input, which comes slowly', async () => {
    const all = text('ec-p256.crt.pem') + text('intermediate.pem') + text('ec-p256.key.pem');
    const result = await withInput(line(['--certificate', '-']), [
      all.slice(0, 100),
      all.slice(100, 900),
      all.slice(900),
    ]);
    expect(result).toMatchObject({ status: 0, stderr: '' });
    expect(vends(result)).toBe(true);
  });

  it('standard input that ends at once', async () => {
    const { status, stdout, stderr } = await withInput(line(['--certificate', '-']), []);
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    expect(stderr).toContain('--certificate - (standard input) is empty [ERR_PEM_EMPTY]');
  });

  it('standard input twice', async () => {
    const { status, stderr } = await withInput(line(['--certificate', '-', '--private-key', '-']), []);
    expect({ status, code: stderr.includes('[ERR_FLAG_CONFLICT]') }).toEqual({ status: 2, code: true });
  });

  it('no part of a key is shown when it is given in place of a file', async () => {
    const key = text('ec-p256.key.pem');
    for (const value of [key, base64('ec-p256.key.pem'), `env:${key}`, key.split('\n').slice(1, -2).join('')]) {
      const identity = ['--certificate', pki.path('ec-p256.crt.pem'), '--private-key', value];
      const { status, stdout, stderr } = await runCli(line(identity, '--debug'));
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toContain('[ERR_FLAG_VALUE]');
      for (const secret of [key.split('\n')[1] ?? '', base64('ec-p256.key.pem').slice(60, 90)])
        expect(stderr).not.toContain(secret);
    }
    expect(reasons).toEqual([]);
  });

  it('sign-string and read-certificate-data read variables and standard input too, and judge nothing', async () => {
    const signed = await runCli(['sign-string', '--private-key', 'env:KEY'], { env: { KEY: text('bad.key.pem') } });
    expect(signed).toMatchObject({ status: 0, stderr: '', stdout: expect.stringMatching(/^"[0-9a-f]+"$/) as string });
    const expired = ['--certificate', pki.path('bad-expired.crt.pem'), '--private-key', pki.path('bad.key.pem')];
    expect(await runCli(['sign-string', ...expired])).toMatchObject({ status: 0, stderr: '' });
    const shown = await withInput(['read-certificate-data', '--certificate', '-'], [text('bad-v1.crt.pem')]);
    expect(shown).toMatchObject({ status: 0, stderr: '', stdout: expect.stringContaining('"keyType":"EC"') as string });
  });
});
