import { X509Certificate } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { EXTERNAL_ID, FIRST, SECOND, USER, startChainEmulator } from '../support/chain-world.ts';
import { PKI, runCli } from '../support/cli.ts';
import type { CliResult } from '../support/cli.ts';
import { scriptedServer } from '../support/scripted-server.ts';
import { worldFlags } from '../support/vending.ts';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startChainEmulator();
});
afterAll(() => emulator.close());

function whoami(...args: string[]): Promise<CliResult> {
  const identity = ['--certificate', `${PKI}ec-p256.crt.pem`, '--private-key', `${PKI}ec-p256.key.pem`];
  const chain = ['--intermediates', `${PKI}intermediate.pem`, ...worldFlags(emulator)];
  return runCli(['whoami', ...identity, ...chain, '--sts-endpoint', emulator.url, ...args]);
}

describe('whoami', () => {
  it('says whose the credentials of a certificate are', async () => {
    const { status, stdout, stderr } = await whoami('--session-duration', '1800');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(
      /^account {2}123456789012\nrole {5}Workload\nsession {2}(\S+)\narn {6}arn:aws:sts::123456789012:assumed-role\/Workload\/\1\nuser id {2}\w+:\1\nexpires {2}\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, in (?:2\d min \d+|30 min 0) s\n$/,
    );
  });

  it.each(['--json', '--format=json'])('says it in JSON (%s), at the end of a chain, too', async (flag) => {
    const { stdout } = await whoami(
      flag,
      `--assume-role-arn=${FIRST},external-id=${EXTERNAL_ID},tag=Team=blue,transitive-tag-key=Team`,
      `--assume-role-arn=${SECOND}`,
      '--assume-role-session-name=night-shift',
    );
    const said = JSON.parse(stdout) as Record<string, unknown>;
    expect(said).toMatchObject({
      Account: '123456789012',
      Arn: 'arn:aws:sts::123456789012:assumed-role/Second/night-shift',
      Role: 'Second',
      RoleSessionName: 'night-shift',
    });
    expect(
      Math.abs(Date.parse(String(said['Expiration'])) - Date.now() - Number(said['SecondsLeft']) * 1000),
    ).toBeLessThan(60_000);
  });

  it("says whose a source's are: of a user's key there is neither a role nor an end", async () => {
    const { status, stdout, stderr } = await runCli(
      ['whoami', '--source', 'env', '--region', 'us-east-1', '--sts-endpoint', emulator.url, '--json'],
      { env: { ...USER } },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const said = JSON.parse(stdout) as Record<string, string>;
    expect(Object.keys(said)).toEqual(['Account', 'Arn', 'UserId']);
    expect(said['Arn']).toMatch(/:user\//);
  });

  it('takes the certificate of a folder that --cert-selector chooses, and says where none fits', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'whoami-'));
    try {
      for (const kind of ['rsa-2048', 'ec-p256'])
        for (const part of ['crt', 'key'])
          copyFileSync(`${PKI}${kind}.${part}.pem`, join(folder, `${kind}.${part}.pem`));
      copyFileSync(`${PKI}intermediate.pem`, join(folder, 'intermediate.pem'));
      const { serialNumber } = new X509Certificate(readFileSync(`${PKI}rsa-2048.crt.pem`));
      const ask = (serial: string): Promise<CliResult> =>
        runCli(
          ['whoami', '--json', '--certificate', folder, '--cert-selector', `Key=x509Serial,Value=${serial}`].concat(
            worldFlags(emulator),
            ['--sts-endpoint', emulator.url],
          ),
        );
      const { status, stdout, stderr } = await ask(serialNumber);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      // A session of Roles Anywhere is named after the serial number.
      const { Arn } = JSON.parse(stdout) as { Arn: string };
      expect(BigInt(`0x${Arn.split('/').at(-1) ?? ''}`)).toBe(BigInt(`0x${serialNumber}`));
      const none = await ask('0A');
      expect({ status: none.status, stdout: none.stdout }).toEqual({ status: 3, stdout: '' });
      expect(none.stderr).toContain('[ERR_CERTIFICATE_NOT_FOUND]');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("passes STS's refusal on, and takes no answer that is none", async () => {
    const bad = await runCli(['whoami', '--source', 'env', '--region', 'us-east-1', '--sts-endpoint', emulator.url], {
      env: { ...USER, AWS_SECRET_ACCESS_KEY: 'wrong' },
    });
    expect(bad.status).toBe(4);
    expect(bad.stderr).toContain('SignatureDoesNotMatch');
    const server = await scriptedServer((response) =>
      response.end(
        '<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>\u001b[2J</Arn><UserId>a</UserId><Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>',
      ),
    );
    const odd = await runCli(['whoami', '--source', 'env', '--region', 'us-east-1', '--sts-endpoint', server.url], {
      env: { ...USER },
    });
    await server.close();
    expect(odd).toMatchObject({ status: 5, stdout: '' });
    expect(odd.stderr).toContain('ERR_RESPONSE_INVALID');
  });

  it('wants a certificate or a source', async () => {
    expect((await runCli(['whoami'])).stderr).toContain('ERR_FLAG_REQUIRED');
  });
});
