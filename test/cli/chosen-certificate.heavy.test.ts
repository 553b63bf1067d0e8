/** A certificate that --cert-selector chooses, wherever it may be, by every command that uses one: the session is named after it. */
import { X509Certificate } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { sessionsOf } from '../support/cache.ts';
import { PKI, runCli } from '../support/cli.ts';
import type { CliResult } from '../support/cli.ts';
import { pkiPath } from '../support/pki.ts';
import { PIN, SOFTHSM_MODULE, SoftHsm, hasSoftHsm } from '../support/softhsm.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';

const KINDS = ['rsa-2048', 'ec-p256'] as const;
const CHOSEN = 'ec-p256';
const serialOf = (kind: string): string =>
  new X509Certificate(readFileSync(`${PKI}${kind}.crt.pem`)).serialNumber.toLowerCase();

/** A place that a certificate may be in, by the flags that name it. */
interface Place {
  readonly flags: readonly string[];
  readonly env: Record<string, string>;
}

let emulator: Emulator;
let dir: string;
let hsm: SoftHsm | undefined;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ra-chosen-'));
  mkdirSync(join(dir, 'folder'));
  const parts: string[] = [];
  for (const kind of KINDS)
    for (const part of ['crt', 'key']) {
      const file = `${kind}.${part}.pem`;
      copyFileSync(`${PKI}${file}`, join(dir, 'folder', file));
      parts.push(readFileSync(`${PKI}${file}`, 'utf8'));
    }
  copyFileSync(`${PKI}intermediate.pem`, join(dir, 'folder', 'intermediate.pem'));
  writeFileSync(join(dir, 'all.pem'), [...parts, readFileSync(`${PKI}intermediate.pem`, 'utf8')].join(''), {
    mode: 0o600,
  });
  if (!hasSoftHsm()) return;
  hsm = new SoftHsm();
  await hsm.token('one');
  for (const [index, pki] of KINDS.entries()) await hsm.pair('one', { pki, label: pki, id: `0${index + 1}` });
  await hsm.certificate('one', pkiPath('intermediate.pem'), 'ca', '40');
});
afterAll(() => {
  hsm?.remove();
  rmSync(dir, { recursive: true });
});

beforeEach(async () => {
  emulator = await startTestEmulator();
});
afterEach(async () => {
  await emulator.close();
  rmSync(join(dir, 'credentials'), { force: true });
});

const PLACES = ['a folder', 'a file', 'a PKCS#12 file', ...(hasSoftHsm() ? ['a token'] : [])];

function certificate(value: string, ...more: string[]): Place {
  return { flags: ['--certificate', value, ...more], env: {} };
}

function place(name: string): Place {
  if (name === 'a folder') return certificate(join(dir, 'folder'));
  if (name === 'a file') return certificate(join(dir, 'all.pem'));
  if (name === 'a PKCS#12 file') return certificate(`${PKI}${CHOSEN}.p12`, '--pkcs12-password', 'development');
  const { flags } = certificate(`pkcs11:token=one?pin-value=${PIN}`, '--pkcs11-lib', SOFTHSM_MODULE);
  return { flags, env: hsm?.env ?? {} };
}

/** Runs a command with the certificate of a place that has this serial number. */
function run(command: string, where: Place, serial: string, more: readonly string[] = []): Promise<CliResult> {
  const selector = ['--cert-selector', `Key=x509Serial,Value=${serial}`];
  const line = [command, ...where.flags, ...selector, ...worldFlags(emulator), ...more];
  const files = { AWS_SHARED_CREDENTIALS_FILE: join(dir, 'credentials'), HOME: dir, XDG_RUNTIME_DIR: dir };
  return runCli(line, { env: { ...where.env, ...files } });
}

/** The serial numbers of the certificates that came with requests. */
function seen(): bigint[] {
  return emulator.state
    .list('subjects')
    .flatMap(({ credentials }) => credentials.map(({ serialNumber }) => BigInt(`0x${serialNumber}`)));
}

describe.each(PLACES)('a certificate that is chosen in %s', (name) => {
  const COMMANDS: [string, string[]][] = [
    ['credential-process', []],
    ['credential-process', ['--cache']],
    ['export', ['--format', 'json']],
    ['exec', ['--', 'true']],
    ['exec', ['--server', '--', 'true']],
    ['update', ['--once']],
  ];
  it.each(COMMANDS)('is what %s %j asks with', async (command, more) => {
    const { status, stderr } = await run(command, place(name), serialOf(CHOSEN), more);
    expect({ status, stderr: stderr.replace(/^.*credentials were written.*\n/m, '') }).toEqual({
      status: 0,
      stderr: '',
    });
    expect(seen()).toEqual([BigInt(`0x${serialOf(CHOSEN)}`)]);
    expect(sessionsOf(emulator)).toEqual({ given: 1, refused: 0 });
  });

  it('is what whoami tells of', async () => {
    const { status, stdout, stderr } = await run('whoami', place(name), serialOf(CHOSEN), [
      '--json',
      '--sts-endpoint',
      emulator.url,
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { Arn } = JSON.parse(stdout) as { Arn: string };
    expect(BigInt(`0x${Arn.split('/').at(-1) ?? ''}`)).toBe(BigInt(`0x${serialOf(CHOSEN)}`));
  });

  it.each(['whoami', 'export', 'exec', 'update', 'credential-process'])(
    'is none, says %s, where none fits',
    async (command) => {
      const more = { exec: ['--', 'true'], update: ['--once'] }[command];
      const { status, stdout, stderr } = await run(command, place(name), '0A', more);
      expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
      expect(stderr).toContain('[ERR_CERTIFICATE_NOT_FOUND]');
      expect(stderr).toContain('hint: ');
      expect(seen()).toEqual([]);
    },
  );
});

describe('a selector with nothing to choose from', () => {
  it.each(['whoami', 'export', 'exec', 'update', 'credential-process', 'serve'])(
    'is refused by %s without --certificate where the system has no store',
    async (command) => {
      const { status, stdout, stderr } = await run(
        command,
        { flags: [], env: {} },
        '0A',
        command === 'exec' ? ['--', 'true'] : [],
      );
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toContain('ERR_STORE_PLATFORM');
      expect(stderr).toContain('with --certificate');
    },
  );
});
