/** The examples of `--help`, which docs/commands.md and the man pages have too: run as printed, with the emulator in the place of AWS. */
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificatePem, generateKeys, issueAuthority, issueLeaf, privateKeyPem } from '../../certs-dev/authority.ts';
import { startEmulator } from '../../src/emulator/emulator.ts';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { COMMAND_HELP } from '../../src/options/command-help.ts';
import { CLI, cleanEnv, runProgram } from '../support/cli.ts';

/** Why an example is not run here, and the suite that runs lines of its kind. */
const ELSEWHERE: readonly (readonly [RegExp, string])[] = [
  [/pkcs11:/, 'a token: test/cli/identities.test.ts'],
  [/handle:/, 'a TPM: test/cli/identities.test.ts'],
  [/^web-identity /, 'a token that its provider signed: test/providers/web-identity.test.ts'],
  [/spiffe:/, 'a SPIFFE agent: test/providers/spiffe.test.ts'],
  [/--assume-role-arn/, 'a role that trusts the first one, or MFA: test/providers/assume-role.test.ts'],
  [/^renew /, 'a CA: test/renewal'],
  [/-- terraform/, 'Terraform: test/clients/exec.test.ts has other commands'],
  [/^init (?:--profile workload|.*UUID --role-arn \S+)$/, 'a terminal: test/cli/init.test.ts'],
  [/^console /, "AWS's sign-in"],
];

/** Examples that run until they are stopped. */
const GOES_ON = /^(?:serve|emulator|update(?!.*--once))\b/;

const EXAMPLES = Object.values(COMMAND_HELP).flatMap(({ examples }) => examples.map(({ line }) => line.join(' ')));
const isElsewhere = (line: string): boolean => ELSEWHERE.some(([pattern]) => pattern.test(line));

const ACCOUNT = 'arn:aws:iam::123456789012';
const CREDENTIALS = `aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
`;

/** An example as it is typed: with the built-in ids, and at a port that no other suite has. */
const command = (line: string): string =>
  `roles-anywhere ${line}`
    .replace('--metrics-listen 9913', '--metrics-listen 0')
    .replace('trust-anchor/UUID', 'trust-anchor/11111111-1111-1111-1111-111111111111')
    .replace(':profile/UUID', ':profile/22222222-2222-2222-2222-222222222222')
    .replace('authority/UUID', 'authority/33333333-3333-3333-3333-333333333333');

describe('the examples of --help', () => {
  let emulator: Emulator;
  let root: string;
  /** By the names of files. */
  const files: Record<string, string> = {};
  beforeAll(async () => {
    const keys = await generateKeys('ec-p256');
    const authority = await issueAuthority({ subject: 'CN=Example CA', keys: await generateKeys('ec-p256') });
    const leaf = await issueLeaf({ subject: 'CN=workload', issuer: authority, publicKey: keys.publicKey });
    files['certificate.pem'] = certificatePem(leaf);
    files['certs/certificate.pem'] = certificatePem(leaf) + privateKeyPem(keys);
    files['key.pem'] = privateKeyPem(keys);
    files['root.pem'] = certificatePem(authority.certificate);
    files['world.yaml'] = 'trustAnchors:\n  - certificateFile: root.pem\n';
    root = mkdtempSync(join(tmpdir(), 'ra-examples-'));
    emulator = await startEmulator({
      trustAnchors: [{ certificates: certificatePem(authority.certificate) }],
      roles: [
        ...['Workload', 'Hub', 'App', 'Backup'].map((name) => ({ arn: `${ACCOUNT}:role/${name}` })),
        { arn: 'arn:aws:iam::444455556666:role/Deploy' },
      ],
    });
  });
  afterAll(async () => {
    await emulator.close();
    rmSync(root, { recursive: true });
  });

  /** A machine as the examples have it: files in the working directory, a profile `workload`, and one with keys. */
  function machine(index: number): { cwd: string; env: Record<string, string> } {
    const home = join(root, String(index));
    const cwd = join(home, 'work');
    const folders = [
      'work',
      'work/certs',
      'bin',
      '.aws',
      '.config/fish/completions',
      '.local/share/bash-completion/completions',
    ];
    for (const folder of [...folders, 'run']) mkdirSync(join(home, folder), { recursive: true, mode: 0o700 });
    symlinkSync(CLI, join(home, 'bin/roles-anywhere'));
    for (const name of ['aws', 'terraform']) {
      writeFileSync(
        join(home, 'bin', name),
        '#!/bin/sh\ntest -n "$AWS_SESSION_TOKEN" || test -n "$AWS_SECRET_ACCESS_KEY"\n',
      );
      chmodSync(join(home, 'bin', name), 0o755);
    }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text, { mode: 0o600 });
    const keys = {
      certificate: join(cwd, 'certificate.pem'),
      private_key: join(cwd, 'key.pem'),
      trust_anchor_arn: emulator.trustAnchorArns[0],
      profile_arn: emulator.profileArns[0],
      role_arn: emulator.roleArns[0],
    };
    const profile = Object.entries(keys).map(([key, value]) => `rolesanywhere_${key} = ${value}\n`);
    const line = `credential_process = ${process.execPath} ${CLI} credential-process --config-profile workload\n`;
    writeFileSync(
      join(home, '.aws/config'),
      `[default]\nregion = us-east-1\n${line}[profile workload]\nregion = us-east-1\n${line}${profile.join('')}[profile base]\nregion = us-east-1\n${CREDENTIALS}`,
    );
    // What init writes is not there before.
    if (EXAMPLES[index]?.endsWith('--diff') === true) writeFileSync(join(home, '.aws/config'), '');
    return {
      cwd,
      env: cleanEnv({
        HOME: home,
        PATH: `${join(home, 'bin')}:${dirname(process.execPath)}:/usr/bin:/bin`,
        XDG_RUNTIME_DIR: join(home, 'run'),
        AWS_ENDPOINT_URL: emulator.url,
        AWS_REGION: 'us-east-1',
        GITHUB_ACTIONS: 'true',
        GITHUB_ENV: join(home, 'github'),
        // Another suite may have the usual ports.
        ...(GOES_ON.test(EXAMPLES[index] ?? '') && { ROLES_ANYWHERE_PORT: '0' }),
        ...(/--source env|whoami/.test(EXAMPLES[index] ?? '') && {
          AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
          AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
        }),
      }),
    };
  }
  const rows = EXAMPLES.map((line, index) => [line, index] as const);

  it.each(rows.filter(([line]) => !isElsewhere(line) && !GOES_ON.test(line)))('%s', async (line, index) => {
    const { cwd, env } = machine(index);
    const { status, stderr } = await runProgram('/bin/sh', ['-ec', command(line)], { cwd, env });
    expect({ line, status, errors: stderr.split('\n').filter((said) => /error:/.test(said)) }).toEqual({
      line,
      status: 0,
      errors: [],
    });
  });

  it.each(rows.filter(([line]) => !isElsewhere(line) && GOES_ON.test(line)))(
    '%s, until it is stopped',
    async (line, index) => {
      const { cwd, env } = machine(index);
      const child = spawn('/bin/sh', ['-ec', `exec ${command(line)}`], { cwd, env });
      let said = '';
      const isReady = new Promise<void>((resolve) => {
        const read = (data: Buffer): void => {
          said += String(data);
          if (/export AWS_|listening|written|wrote/.test(said)) resolve();
        };
        child.stdout.on('data', read);
        child.stderr.on('data', read);
        child.once('exit', () => resolve());
      });
      const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
      await isReady;
      child.kill('SIGTERM');
      expect({ line, status: await ended, said }).toEqual({ line, status: 0, said });
    },
  );

  it('are run, but for those that need what is elsewhere', () => {
    for (const [pattern] of ELSEWHERE) expect(EXAMPLES.filter((line) => pattern.test(line))).not.toEqual([]);
  });
});
