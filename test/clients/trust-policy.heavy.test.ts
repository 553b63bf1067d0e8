/** What `trust-policy` prints, run as printed: by the AWS CLI against the emulator, and by Terraform where it is. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { ADMIN } from '../emulator/services/control/drivers.ts';
import { type CliResult, PKI, runCli, runProgram } from '../support/cli.ts';
import { TERRAFORM_MIRROR, hasTerraform } from '../support/terraform.ts';
import { requireTool } from '../support/tools.ts';
import { startTestEmulator } from '../support/vending.ts';

const AWS = '/usr/bin/aws';
const CERTIFICATE = ['--certificate', `${PKI}ec-p256.crt.pem`];

let emulator: Emulator;
let dir: string;
beforeEach(async () => {
  emulator = await startTestEmulator();
  dir = mkdtempSync(join(tmpdir(), 'roles-anywhere-trust-policy-'));
  // Debian's AWS CLI knows no variable for its endpoint.
  writeFileSync(join(dir, 'aws'), `#!/bin/sh\nexec ${AWS} --endpoint-url ${emulator.url} "$@"\n`);
  chmodSync(join(dir, 'aws'), 0o755);
});
afterEach(async () => {
  await emulator.close();
  rmSync(dir, { recursive: true });
});

/** Runs the script that is printed, and gives back the flags that it prints. */
async function setUp(...flags: readonly string[]): Promise<CliResult & { flags: string[] }> {
  const script = await runCli(['trust-policy', ...CERTIFICATE, '--format', 'aws-cli', ...flags]);
  expect(script).toMatchObject({ status: 0, stderr: '' });
  const path = join(dir, 'set-up.sh');
  writeFileSync(path, script.stdout);
  const env = {
    PATH: `${dir}:/usr/bin:/bin`,
    HOME: dir,
    AWS_ACCESS_KEY_ID: ADMIN.accessKeyId,
    AWS_SECRET_ACCESS_KEY: ADMIN.secretAccessKey,
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_MAX_ATTEMPTS: '1',
  };
  const result = await runProgram('/bin/sh', [path], { env });
  return { ...result, flags: result.stdout.split(/\s+/).filter((word) => word !== '') };
}

const vend = (leaf: string, flags: readonly string[]): Promise<CliResult> => {
  const files = ['--certificate', `${PKI}${leaf}.crt.pem`, '--private-key', `${PKI}${leaf}.key.pem`];
  const chain = ['--intermediates', `${PKI}intermediate.pem`];
  return runCli(['credential-process', ...files, ...chain, '--endpoint', emulator.url, ...flags]);
};

describe.runIf(requireTool(AWS))('the script for the AWS CLI', () => {
  it('sets up an anchor, a role and a profile with which this certificate is vended, and no other of its CA', async () => {
    const { status, stderr, flags } = await setUp('--certificate-bundle', `${PKI}root.pem`);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(flags.filter((word) => word.startsWith('--'))).toEqual([
      '--trust-anchor-arn',
      '--profile-arn',
      '--role-arn',
    ]);
    expect(emulator.state.get('roles', flags[5] ?? '')).toMatchObject({ name: 'ec-p256', policies: [] });

    const own = await vend('ec-p256', flags);
    expect(own).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(own.stdout)).toMatchObject({ Version: 1 });
    const other = await vend('ec-p384', flags);
    expect(other.status).toBe(4);
    expect(other.stderr).toContain('[ERR_ACCESS_DENIED]');
    // The same certificate by another anchor that trusts its CA is another one.
    const elsewhere = flags.with(1, emulator.trustAnchorArns[0] ?? '');
    expect(await vend('ec-p256', elsewhere)).toMatchObject({ status: 4 });
  }, 60_000);

  it('sets up a role and a profile for an anchor that is there', async () => {
    const [anchor = ''] = emulator.trustAnchorArns;
    const { status, flags } = await setUp('--trust-anchor-arn', anchor, '--name', 'build');
    expect(status).toBe(0);
    expect(flags[1]).toBe(anchor);
    expect(flags[5]).toMatch(/:role\/build$/);
    expect(await vend('ec-p256', flags)).toMatchObject({ status: 0, stderr: '' });
    expect(await vend('ec-p384', flags)).toMatchObject({ status: 4 });
  }, 60_000);

  it('ends at the first thing that fails', async () => {
    const [anchor = ''] = emulator.trustAnchorArns;
    expect((await setUp('--trust-anchor-arn', anchor, '--name', 'build')).status).toBe(0);
    const profiles = emulator.state.list('profiles').length;
    const again = await setUp('--trust-anchor-arn', anchor, '--name', 'build');
    expect(again.status).not.toBe(0);
    expect(again.stderr).toContain('EntityAlreadyExists');
    expect(again.stdout).toBe('');
    expect(emulator.state.list('profiles')).toHaveLength(profiles);
  }, 60_000);

  it('asks for a private CA as the service has it, which the emulator says it has none of', async () => {
    const arn = 'arn:aws:acm-pca:us-east-1:123456789012:certificate-authority/11111111-2222-3333-4444-555555555555';
    const { status, stderr } = await setUp('--acm-pca-arn', arn);
    expect(status).not.toBe(0);
    expect(stderr).toContain('Trust anchors of type AWS_ACM_PCA are not supported');
  }, 60_000);
});

describe.runIf(hasTerraform())('Terraform, where it and ROLES_ANYWHERE_TERRAFORM_MIRROR are there', () => {
  it.each([
    ['--certificate-bundle', `${PKI}root.pem`],
    [
      '--acm-pca-arn',
      'arn:aws:acm-pca:us-east-1:123456789012:certificate-authority/11111111-2222-3333-4444-555555555555',
    ],
    [
      '--trust-anchor-arn',
      'arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/11111111-2222-3333-4444-555555555555',
    ],
  ])(
    'finds the configuration with %s valid, and has nothing to format',
    async (flag, value) => {
      const { stdout } = await runCli(['trust-policy', ...CERTIFICATE, '--format', 'terraform', flag, value]);
      writeFileSync(join(dir, 'main.tf'), stdout);
      const rc = join(dir, 'terraform.rc');
      writeFileSync(
        rc,
        `provider_installation {\n  filesystem_mirror {\n    path = ${JSON.stringify(TERRAFORM_MIRROR)}\n  }\n}\n`,
      );
      const env = { HOME: dir, PATH: process.env['PATH'] ?? '', TF_CLI_CONFIG_FILE: rc, CHECKPOINT_DISABLE: '1' };
      for (const args of [['fmt', '-check', '-diff'], ['init', '-input=false'], ['validate']]) {
        const result = await runProgram('terraform', [...args, '-no-color'], { cwd: dir, env, timeout: 300_000 });
        expect({ args, ...result }).toMatchObject({ args, status: 0 });
      }
    },
    600_000,
  );
});
