import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AssumeRoleInput } from '../../src/aws/sts-input.ts';
import type { AwsCredentials } from '../../src/credentials/credentials.ts';
import { fromProcess } from '../../src/sources/credential-process.ts';
import { fromProfile } from '../../src/sources/profile.ts';
import { cleanEnv, COMMAND_LINE, runCli, runProgram } from '../support/cli.ts';
import { SOURCE, scriptedSts } from '../support/sts.ts';
import { refusal } from '../support/refusal.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'profile-roles-'));
  mkdirSync(join(home, '.aws'));
});
afterEach(() => rmSync(home, { recursive: true }));

const ROLE = 'arn:aws:iam::111122223333:role';

/** Whether a process is there, and has not ended without anybody having asked how. */
function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}
const KEY = 'aws_access_key_id = AKIA1\naws_secret_access_key = s1\n';

/** What a profile gives, and the roles that are assumed on the way. */
async function of(profile: string, config: string, env: Record<string, string> = {}) {
  writeFileSync(join(home, '.aws/config'), config);
  const assumed: [AssumeRoleInput, string][] = [];
  const credentials = await fromProfile({
    env: { HOME: home, ...env },
    profile,
    transport: () => Promise.reject(new Error('no network')),
    assume: async (input, from): Promise<AwsCredentials> => {
      assumed.push([input, from.accessKeyId]);
      return { accessKeyId: `ASIA${input.roleArn.split('/').at(-1)}`, secretAccessKey: 's', sessionToken: 't' };
    },
  });
  return { credentials, assumed };
}

describe('a profile that is a role', () => {
  it('is assumed from its source, and that from its own', async () => {
    const { credentials, assumed } = await of(
      'c',
      `[profile a]\n${KEY}[profile b]\nrole_arn = ${ROLE}/B\nsource_profile = a\nexternal_id = one\n` +
        `[profile c]\nrole_arn = ${ROLE}/C\nsource_profile = b\nrole_session_name = me\nduration_seconds = 1800\n`,
    );
    expect(credentials?.accessKeyId).toBe('ASIAC');
    expect(assumed).toMatchObject([
      [{ roleArn: `${ROLE}/B`, externalId: 'one' }, 'AKIA1'],
      [{ roleArn: `${ROLE}/C`, roleSessionName: 'me', durationSeconds: 1800 }, 'ASIAB'],
    ]);
  });

  it('may be its own source, with its own access key', async () => {
    const { assumed } = await of('a', `[profile a]\n${KEY}role_arn = ${ROLE}/A\nsource_profile = a\n`);
    expect(assumed).toMatchObject([[{ roleArn: `${ROLE}/A` }, 'AKIA1']]);
  });

  it('may start from the environment', async () => {
    const env = { AWS_ACCESS_KEY_ID: 'AKIAENV', AWS_SECRET_ACCESS_KEY: 's' };
    const config = `[profile a]\nrole_arn = ${ROLE}/A\ncredential_source = Environment\n`;
    expect((await of('a', config, env)).assumed).toMatchObject([[{ roleArn: `${ROLE}/A` }, 'AKIAENV']]);
  });

  it.each([
    [
      'leads in a circle',
      'role_arn = R/A\nsource_profile = b\n[profile b]\nrole_arn = R/B\nsource_profile = a\n',
      /"a" -> "b" -> "a"/,
    ],
    ['has no source', 'role_arn = R/A\n', /neither source_profile nor/],
    [
      'has two sources',
      'role_arn = R/A\nsource_profile = b\ncredential_source = Environment\n',
      /both source_profile and/,
    ],
    ['has a source that there is not', 'role_arn = R/A\ncredential_source = Magic\n', /"Magic"/],
    ['is its own source, without a key', 'role_arn = R/A\nsource_profile = a\n', /neither an access key/],
  ])('is refused when it %s', async (_, settings, message) => {
    const error = await refusal(() => of('a', `[profile a]\n${settings.replaceAll('R/', `${ROLE}/`)}`));
    expect(error.code).toBe('ERR_SOURCE_CREDENTIALS');
    expect(error.message).toMatch(message);
  });

  it('is assumed at the STS endpoint and in the region of the command', async () => {
    const sts = await scriptedSts();
    writeFileSync(
      join(home, '.aws/config'),
      `[profile a]\naws_access_key_id = ${SOURCE.accessKeyId}\naws_secret_access_key = ${SOURCE.secretAccessKey}\n` +
        `[profile b]\nrole_arn = ${ROLE}/B\nsource_profile = a\n`,
    );
    const args = ['assume-role', '--source-profile', 'b', '--assume-role-arn', `${ROLE}/C`, '--sts-endpoint', sts.url];
    const { status, stderr } = await runCli([...args, '--region', 'eu-west-1'], { env: { HOME: home } });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(sts.calls.map(({ parameters, signedBy }) => [parameters['RoleArn'], signedBy?.valid])).toEqual([
      [`${ROLE}/B`, true],
      [`${ROLE}/C`, true],
    ]);
    expect(sts.calls[0]?.signedBy?.scope).toContain('eu-west-1');
    await sts.close();
  });
});

describe('a profile whose credential_process starts from itself', () => {
  it.each(['[default]', '[profile other]'])('is named after two processes at most (%s)', async (header) => {
    const started = join(home, 'started');
    const program = join(home, 'program');
    writeFileSync(program, `#!/bin/sh\necho x >> '${started}'\nexec ${COMMAND_LINE} "$@"\n`);
    chmodSync(program, 0o755);
    const args = ['assume-role', '--assume-role-arn', `${ROLE}/C`, '--region', 'eu-west-1', '--sts-endpoint'];
    const line = [program, ...args, 'http://127.0.0.1:1'];
    writeFileSync(join(home, '.aws/config'), `${header}\ncredential_process = ${line.join(' ')}\n`);
    const [file = '', ...rest] = line;
    const env = header === '[default]' ? { HOME: home } : { HOME: home, AWS_PROFILE: 'other' };
    const { status, stderr } = await runProgram(file, rest, { env });
    expect(status).toBe(3);
    expect(stderr).toMatch(/credential_process of profile "(?:default|other)" asks for the credentials of profile/);
    expect(readFileSync(started, 'utf8').split('\n').length - 1).toBeLessThanOrEqual(2);
  });
});

describe('a credential_process', () => {
  const options = { env: cleanEnv(), profile: 'p', path: '/config' };

  it('may say something on standard error, which is passed on', async () => {
    const path = join(home, 'stderr');
    const stderr = openSync(path, 'w');
    const error = await refusal(() => fromProcess('echo the reason >&2; exit 7', { ...options, stderr }));
    closeSync(stderr);
    expect(error.message).toMatch(/failed: profile "p", status 7/);
    expect(readFileSync(path, 'utf8')).toBe('the reason\n');
  });

  it('of a source may take as long as --timeout says', async () => {
    mkdirSync(join(home, '.aws'), { recursive: true });
    writeFileSync(join(home, '.aws/config'), '[profile slow]\ncredential_process = exec sleep 20\n');
    const line = ['assume-role', '--source-profile', 'slow', '--assume-role-arn', `${ROLE}/C`, '--region', 'eu-west-1'];
    const { status, stdout, stderr } = await runCli([...line, '--timeout', '1'], { env: { HOME: home } });
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    expect(stderr).toContain('the credential_process of profile "slow" did not end within 1 s');
  });

  it('that takes too long is told from one that fails', async () => {
    const error = await refusal(() => fromProcess('exec sleep 20', { ...options, timeoutMs: 300 }));
    expect(error.message).toMatch(/did not end within 0\.3 s/);
  });

  it('that takes too long ends with what it has started', async () => {
    const pids = join(home, 'pids');
    const script = join(home, 'slow');
    // A shell, its child, and the child's child: none of them is the shell that is told to end.
    writeFileSync(script, `#!/bin/sh\necho $$ >> ${pids}\n(sh -c 'echo $$ >> ${pids}; sleep 60; :'; :)\n:\n`);
    chmodSync(script, 0o755);
    await refusal(() => fromProcess(`${script}; :`, { ...options, timeoutMs: 1000 }));
    const started = readFileSync(pids, 'utf8').trim().split('\n').map(Number);
    expect(started).toHaveLength(2);
    for (const pid of started) await vi.waitFor(() => expect(isRunning(pid)).toBe(false), 5000);
  });

  it('that prints without end is ended', async () => {
    expect((await refusal(() => fromProcess('yes', options))).message).toMatch(/prints more than 65536 bytes/);
  });
});
