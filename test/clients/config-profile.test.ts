import { appendFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { COMMAND_LINE, PKI, runCli, runProgram } from '../support/cli.ts';
import { requireTool } from '../support/tools.ts';
import { startTestEmulator } from '../support/vending.ts';
import { awsHome, type AwsHome } from './config-file.ts';

const AWS = '/usr/bin/aws';
const JS_CLIENT = fileURLToPath(new URL('who-am-i.mjs', import.meta.url));

let emulator: Emulator;
let home: AwsHome;
beforeAll(async () => {
  emulator = await startTestEmulator();
  home = awsHome(() => `${COMMAND_LINE} credential-process --config-profile default`, {
    rolesanywhere_certificate: `${PKI}ec-p256.crt.pem`,
    rolesanywhere_private_key: `${PKI}ec-p256.key.pem`,
    rolesanywhere_intermediates: `${PKI}intermediate.pem`,
    rolesanywhere_trust_anchor_arn: emulator.trustAnchorArns[0] ?? '',
    rolesanywhere_profile_arn: emulator.profileArns[0] ?? '',
    rolesanywhere_role_arn: emulator.roleArns[0] ?? '',
    rolesanywhere_endpoint: emulator.url,
  });
});
afterAll(async () => {
  home.remove();
  await emulator.close();
});

describe('a profile that is the whole of a set-up', () => {
  it.runIf(requireTool(AWS))('works in the AWS CLI', async () => {
    const line = ['--endpoint-url', emulator.url, 'sts', 'get-caller-identity', '--query', 'Arn', '--output', 'text'];
    const { status, stdout, stderr } = await runProgram(AWS, line, { env: home.env });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^arn:aws:sts::123456789012:assumed-role\/Workload\//);
  });

  it('works in the AWS SDK for JavaScript', async () => {
    const { status, stdout } = await runProgram(process.execPath, [JS_CLIENT, emulator.url], { env: home.env });
    expect(status).toBe(0);
    expect(stdout).toContain('arn:aws:sts::123456789012:assumed-role/Workload/');
  });

  it('gives way to flags and to the environment', async () => {
    const env = { ...home.env, ROLES_ANYWHERE_ROLE_ARN: 'arn:aws:iam::123456789012:role/Unknown' };
    const line = ['credential-process', '--config-profile', 'default'];
    expect(await runCli(line, { env })).toMatchObject({ status: 4, stdout: '' });
    const { status, stderr } = await runCli([...line, '--role-arn', emulator.roleArns[0] ?? ''], { env });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('is refused whole with the line of a mistake', async () => {
    appendFileSync(home.env['AWS_CONFIG_FILE'] ?? '', 'rolesanywhere_regoin = us-east-1\n');
    const { status, stdout, stderr } = await runCli(['credential-process', '--config-profile', 'default'], {
      env: home.env,
    });
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(
      /config, line 11: unknown key rolesanywhere_regoin \[ERR_CONFIG_KEY\]\nhint: did you mean rolesanywhere_region\n$/,
    );
  });
});
