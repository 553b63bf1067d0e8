import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PKI, runCli } from '../support/cli.ts';
import { KEYS, updateWorld } from './update-world.ts';

const world = updateWorld();
const { once, text, env, keyIds, shortFlags } = world;

describe('update --once', () => {
  it("writes the default profile of the file that AWS's tools read, and prints nothing", async () => {
    const { status, stdout, stderr } = await once([], { AWS_SHARED_CREDENTIALS_FILE: '', AWS_PROFILE: 'another' });
    expect([status, stdout]).toEqual([0, '']);
    expect(stderr).toMatch(/^credentials were written profile=default file=\S+ expiration=20\S+Z\n$/);
    const written = join(world.dir(), '.aws/credentials');
    expect(readFileSync(written, 'utf8')).toMatch(new RegExp(`^\\[default\\]\n${KEYS}$`));
    expect([statSync(written).mode & 0o777, statSync(join(world.dir(), '.aws')).mode & 0o777]).toEqual([0o600, 0o700]);
  });

  it('says nothing at all in place of the helper', async () => {
    expect(await once(['--compat'])).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(text()).toMatch(new RegExp(`^\\[default\\]\n${KEYS}$`));
  });

  it('leaves every other byte as it is', async () => {
    const before = '# mine\r\n[a]\r\nx=1 ; y\r\n\r\n[work] # jobs\r\nregion = eu-west-1\r\n  \r\n[z]\r\nlast = 1';
    writeFileSync(world.file(), before, { mode: 0o640 });
    expect((await once(['--profile', 'work', '--compat'])).status).toBe(0);
    const keys = KEYS.replaceAll(String.raw`\n`, String.raw`\r\n`);
    expect(text().replace(new RegExp(keys), '')).toBe(`${before}\r\n`);
    expect(statSync(world.file()).mode & 0o777).toBe(0o640);
  });

  it.each([
    ['a section twice', '[a]\n[b]\n[a]\n', /line 3: \[a\] is there a second time/],
    ['a name that the SDK for JavaScript throws at', '[a]\n[__proto__]\nx = 1\n', /line 2: the AWS SDK for JavaScript/],
    ['a line that is nothing', '[a]\nx\n', /line 2: neither a section nor key = value/],
  ])('leaves a file alone that has %s, and asks for nothing', async (_, before, message) => {
    writeFileSync(world.file(), before);
    const { status, stderr } = await runCli(['update', ...shortFlags(), '--once'], { env: env() });
    expect([status, text()]).toEqual([2, before]);
    expect(stderr).toMatch(message);
    expect(stderr).toContain('[ERR_CREDENTIALS_FILE]');
    expect(world.service().arrivals).toEqual([]);
    expect(readdirSync(world.dir())).toEqual(['credentials']);
  });

  it('leaves the file alone when the service refuses', async () => {
    writeFileSync(world.file(), '[default]\naws_access_key_id = OLD\n');
    const { status } = await once(['--role-arn', 'arn:aws:iam::123456789012:role/None']);
    expect([status, text()]).toEqual([4, '[default]\naws_access_key_id = OLD\n']);
  });

  it('writes several profiles, and those that are granted when one is not', async () => {
    const [role] = world.emulator().roleArns;
    const { status, stderr } = await once([
      '--role',
      `b=${role}`,
      '--role',
      'c=arn:aws:iam::123456789012:role/None',
      '--role',
      `d=${role}`,
    ]);
    expect(status).toBe(4);
    expect(stderr).toContain('[ERR_ACCESS_DENIED]');
    expect(text().match(/^\[.*\]$/gm)).toEqual(['[default]', '[b]', '[d]']);
    expect(new Set(keyIds()).size).toBe(3);
  });

  it('takes profiles, and their roles, from the config file', async () => {
    const [trustAnchor, profile, role] = [
      world.emulator().trustAnchorArns,
      world.emulator().profileArns,
      world.emulator().roleArns,
    ].map(([first]) => first);
    writeFileSync(
      join(world.dir(), 'config'),
      [
        '[profile jobs]',
        `rolesanywhere_certificate = ${PKI}ec-p256.crt.pem`,
        `rolesanywhere_private_key = ${PKI}ec-p256.key.pem`,
        `rolesanywhere_intermediates = ${PKI}intermediate.pem`,
        `rolesanywhere_trust_anchor_arn = ${trustAnchor}`,
        `rolesanywhere_profile_arn = ${profile}`,
        `rolesanywhere_endpoint = ${world.emulator().url}`,
        'rolesanywhere_role_profiles = one two',
        '[profile one]',
        `rolesanywhere_role_arn = ${role}`,
        `rolesanywhere_token_file = ${join(world.dir(), 'token')}`,
        '[profile two]',
        `rolesanywhere_role_arn = ${role}`,
        '',
      ].join('\n'),
      { mode: 0o600 },
    );
    const config = { AWS_CONFIG_FILE: join(world.dir(), 'config') };
    const { status } = await runCli(['update', '--once', '--config-profile', 'jobs'], { env: env(config) });
    expect(status).toBe(0);
    expect(text().match(/^\[.*\]$/gm)).toEqual(['[one]', '[two]']);
    expect(existsSync(join(world.dir(), 'token'))).toBe(false);
  });

  it.each([
    [['--profile', 'a]b'], /--profile: "a]b" cannot be a profile/, 'ERR_FLAG_VALUE'],
    [['--profile', 'DEFAULT'], /--profile: "DEFAULT" cannot be/, 'ERR_FLAG_VALUE'],
    [['--remove'], /--once and --remove exclude each other/, 'ERR_FLAG_CONFLICT'],
    [['--on-update', 'x "y'], /a quote does not end/, 'ERR_FLAG_VALUE'],
    [['--on-update', '--debug'], /is a flag, not a program/, 'ERR_FLAG_VALUE'],
    [['--on-update-shell'], /--on-update is not/, 'ERR_FLAG_REQUIRED'],
    [['--role', 'a=arn:aws:iam::123456789012:role/A,token-file=x'], /token-file is a key for serve/, 'ERR_FLAG_VALUE'],
    [['--role', 'default=arn:aws:iam::123456789012:role/A'], /two roles are called default/, 'ERR_FLAG_VALUE'],
  ])('refuses %j', async (flags, message, code) => {
    const { status, stderr } = await once(flags);
    expect([status, existsSync(world.file())]).toEqual([2, false]);
    expect(stderr).toMatch(message);
    expect(stderr).toContain(`[${code}]`);
  });
});

describe('what --on-update names', () => {
  const VARIABLES = [
    'AWS_PROFILE',
    'AWS_SHARED_CREDENTIALS_FILE',
    'AWS_SESSION_TOKEN',
    'ROLES_ANYWHERE_PKCS8_PASSWORD',
  ];
  const print = `process.stdout.write(JSON.stringify([process.argv.slice(2), ...${JSON.stringify(VARIABLES)}.map((name) => process.env[name])]) + '\\n')`;

  it('is run after the write without a shell, with what it needs and without secrets', async () => {
    writeFileSync(join(world.dir(), 'print.cjs'), print);
    const command = `"${process.execPath}" ${join(world.dir(), 'print.cjs')} $HOME "two words" ; | *`;
    const secrets = { AWS_SESSION_TOKEN: 'old', ROLES_ANYWHERE_PKCS8_PASSWORD: 'hidden', AWS_PROFILE: 'parent' };
    const { status, stdout, stderr } = await once(['--profile', 'work', '--on-update', command], secrets);
    expect([status, stdout]).toEqual([0, '']);
    expect(stderr).toContain(
      `${JSON.stringify([['$HOME', 'two words', ';', '|', '*'], 'work', world.file(), null, null])}\n`,
    );
  });

  it('is run by a shell when that is asked for', async () => {
    const command = `echo "$AWS_PROFILE" | tr a-z A-Z >${join(world.dir(), 'out')} && grep -c aws_session_token "$AWS_SHARED_CREDENTIALS_FILE"`;
    const { status, stderr } = await once(['--on-update', command, '--on-update-shell']);
    expect([status, readFileSync(join(world.dir(), 'out'), 'utf8')]).toEqual([0, 'DEFAULT\n']);
    expect(stderr).toMatch(/^1$/m);
  });

  it.each([
    ['sh -c "exit 3"', 'ended with status 3'],
    ['sh -c "kill -9 $$"', 'ended with SIGKILL'],
    ['/nonexistent/program', 'cannot be run: ENOENT'],
  ])('%s: the failure is told, and the file is written', async (command, message) => {
    const { status, stderr } = await once(['--on-update', command]);
    expect([status, keyIds().length]).toEqual([2, 1]);
    expect(stderr).toContain(`${message} [ERR_ON_UPDATE]`);
  });
});

describe('the place of the file', () => {
  it('follows a link to another folder, which stays a link', async () => {
    mkdirSync(join(world.dir(), 'real'));
    writeFileSync(join(world.dir(), 'real/file'), '# kept\n');
    symlinkSync('real/file', world.file());
    expect((await once()).status).toBe(0);
    expect(readFileSync(join(world.dir(), 'real/file'), 'utf8')).toMatch(/^# kept\n\n\[default\]\naws_access/);
    expect(readlinkSync(world.file())).toBe('real/file');
  });

  it.skipIf(process.getuid?.() === 0)('says so when the directory cannot be written to', async () => {
    chmodSync(world.dir(), 0o500);
    const { status, stderr } = await once();
    chmodSync(world.dir(), 0o700);
    expect([status, stderr]).toEqual([2, expect.stringContaining('(EACCES)')]);
  });
});
