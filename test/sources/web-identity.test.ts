import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { localCredentials } from '../../src/sources/index.ts';
import { runCli } from '../support/cli.ts';
import { refusal } from '../support/refusal.ts';
import { type ScriptedSts, scriptedSts } from '../support/sts.ts';

const ROLE = 'arn:aws:iam::111122223333:role';

let home: string;
let sts: ScriptedSts;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'web-identity-'));
  mkdirSync(join(home, '.aws'));
  writeFileSync(join(home, 'token'), 'header.claims.signature\n');
  sts = await scriptedSts();
});
afterEach(async () => {
  await sts.close();
  rmSync(home, { recursive: true });
});

/** The roles that `assume-role` asked for, with what it proved itself by. */
async function roles(
  config: string,
  env: Record<string, string> = {},
  more: readonly string[] = [],
): Promise<unknown[]> {
  writeFileSync(join(home, '.aws/config'), config);
  const args = ['assume-role', '--assume-role-arn', `${ROLE}/Last`, '--sts-endpoint', sts.url, '--region', 'eu-west-1'];
  const { status, stderr } = await runCli([...args, ...more], { env: { HOME: home, ...env } });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return sts.calls.map(({ parameters, signedBy }) => [
    parameters['RoleArn'],
    parameters['WebIdentityToken'] ?? signedBy?.valid,
    ...(parameters['Action'] === 'AssumeRole' ? [] : [parameters['RoleSessionName']]),
  ]);
}

describe('a web identity token', () => {
  it('of a profile is where assume-role starts from', async () => {
    const config = `[profile a]\nrole_arn = ${ROLE}/A\nweb_identity_token_file = ${home}/token\nrole_session_name = me\n`;
    expect(await roles(config, {}, ['--source-profile', 'a'])).toEqual([
      [`${ROLE}/A`, 'header.claims.signature', 'me'],
      [`${ROLE}/Last`, true],
    ]);
  });

  it('of a profile goes before its source, as in the AWS CLI, and may be the start of another', async () => {
    const config =
      `[profile a]\nrole_arn = ${ROLE}/A\nweb_identity_token_file = ${home}/token\nrole_session_name = me\nsource_profile = b\n` +
      `[profile b]\nrole_arn = ${ROLE}/B\nsource_profile = a\n`;
    expect(await roles(config, {}, ['--source-profile', 'b'])).toEqual([
      [`${ROLE}/A`, 'header.claims.signature', 'me'],
      [`${ROLE}/B`, true],
      [`${ROLE}/Last`, true],
    ]);
  });

  it("of the environment comes before the machine's own role, and before a profile that nobody named", async () => {
    const env = {
      AWS_WEB_IDENTITY_TOKEN_FILE: join(home, 'token'),
      AWS_ROLE_ARN: `${ROLE}/Pod`,
      AWS_ROLE_SESSION_NAME: 'pod',
      AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://127.0.0.1:1',
    };
    const key = 'aws_access_key_id = AKIAEXAMPLEEXAMPLE01\naws_secret_access_key = s1\n';
    sts.secrets.set('AKIAEXAMPLEEXAMPLE01', { secretAccessKey: 's1' });
    expect(await roles(`[default]\n${key}`, env)).toEqual([
      [`${ROLE}/Pod`, 'header.claims.signature', 'pod'],
      [`${ROLE}/Last`, true],
    ]);
    expect((await roles(`[profile p]\n${key}`, { ...env, AWS_PROFILE: 'p' })).at(-1)).toEqual([`${ROLE}/Last`, true]);
    expect(sts.calls).toHaveLength(3);
  });

  it('without a role is an error, and not passed over for the next source', async () => {
    const env = { HOME: home, AWS_WEB_IDENTITY_TOKEN_FILE: join(home, 'token') };
    const error = await refusal(() => localCredentials(undefined, { env }));
    expect(error.message).toMatch(/AWS_ROLE_ARN is not/);
  });

  it('is refused where no role is assumed', async () => {
    const env = { HOME: home, AWS_WEB_IDENTITY_TOKEN_FILE: join(home, 'token'), AWS_ROLE_ARN: `${ROLE}/Pod` };
    expect((await refusal(() => localCredentials('web-identity', { env }))).code).toBe('ERR_SOURCE_CREDENTIALS');
    expect((await refusal(() => localCredentials('web-identity', { env: {} }))).message).toMatch(
      /TOKEN_FILE is not set/,
    );
  });
});
