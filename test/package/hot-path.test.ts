import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLI, PKI, runProgram } from '../support/cli.ts';

const DIST = dirname(CLI);
const RECORDER = fileURLToPath(new URL('record-loads.cjs', import.meta.url));
const ARN = 'arn:aws:rolesanywhere:eu-west-1:123456789012';
const ID = '11111111-2222-3333-4444-555555555555';

/** Answers anything with credentials: here it matters what is loaded, not what was sent. */
const server = createServer((request, response) => {
  request.resume().on('end', () => {
    const credentials = {
      accessKeyId: 'ASIAEXAMPLEEXAMPLE00',
      secretAccessKey: 'secret'.repeat(6),
      sessionToken: 'token'.repeat(50),
      expiration: new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+/, ''),
    };
    const assumedRoleUser = {
      arn: 'arn:aws:sts::123456789012:assumed-role/Role/session',
      assumedRoleId: 'AROAEXAMPLE',
    };
    response.writeHead(201, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({ credentialSet: [{ assumedRoleUser, credentials }], subjectArn: `${ARN}:subject/${ID}` }),
    );
  });
});
let work: string;
beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'roles-anywhere-hot-'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  rmSync(work, { recursive: true });
  server.close();
});

function oneShot(kind: string): string[] {
  return [
    ['credential-process', '--certificate', `${PKI}${kind}.crt.pem`, '--private-key', `${PKI}${kind}.key.pem`],
    ['--intermediates', `${PKI}intermediate.pem`, '--trust-anchor-arn', `${ARN}:trust-anchor/${ID}`],
    ['--profile-arn', `${ARN}:profile/${ID}`, '--role-arn', 'arn:aws:iam::123456789012:role/Role'],
    ['--endpoint', `http://127.0.0.1:${(server.address() as AddressInfo).port}`],
  ].flat();
}

/** The files of this program and the builtin modules that a line asks for. */
async function loads(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ files: string[]; builtins: string[] }> {
  const record = join(work, 'loads.json');
  const { status, stderr } = await runProgram(process.execPath, ['--require', RECORDER, CLI, ...args], {
    env: { RECORD_LOADS_TO: record, ...env },
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const { files, builtins } = JSON.parse(readFileSync(record, 'utf8')) as { files: string[]; builtins: string[] };
  return { files: files.map((file) => relative(DIST, file)).toSorted(), builtins: builtins.toSorted() };
}

describe('what a line loads', () => {
  it.each(['ec-p256', 'rsa-2048'])(
    'the first file and the hot one for credential-process with an %s key',
    async (kind) => {
      expect(await loads(oneShot(kind))).toEqual({
        files: ['cli.cjs', 'main.cjs'],
        builtins: ['crypto', 'fs', 'net', 'path'],
      });
    },
  );

  it('the first file alone when the credentials are kept, and no module that Node has not loaded by itself', async () => {
    const env = { XDG_RUNTIME_DIR: work };
    const line = [...oneShot('ec-p256'), '--cache'];
    expect((await loads(line, env)).files).toContain('main.cjs');
    expect(await loads(line, env)).toEqual({ files: ['cli.cjs'], builtins: ['fs', 'path'] });
  });

  it('no reader of config files without a variable or a profile that asks for it, and no full parser with one', async () => {
    const [first = '', ...rest] = oneShot('ec-p256');
    const { files } = await loads([first, ...rest], { ROLES_ANYWHERE_REGION: 'eu-west-1' });
    expect(files.filter((file) => file.includes('configured'))).toHaveLength(1);
    expect(files.filter((file) => /any-line|yargs/.test(file))).toEqual([]);
    const unconcerned = await loads([first, ...rest], { AWS_PROFILE: 'x', AWS_CONFIG_FILE: '/nonexistent' });
    expect(unconcerned.files).toEqual(['cli.cjs', 'main.cjs']);
  });

  it('the first file alone for version, and a small file of its own in another form', async () => {
    expect(await loads(['version'])).toEqual({ files: ['cli.cjs'], builtins: ['fs', 'path'] });
    expect((await loads(['version', '--json'])).files).toEqual(['chunks/version.cjs', 'cli.cjs', 'main.cjs']);
  });

  it('no networking for --help', async () => {
    const { files, builtins } = await loads(['--help']);
    expect(files).toContain('cli.cjs');
    expect(builtins.filter((name) => /^(http|https|net|tls|dns|http2)$/.test(name))).toEqual([]);
  });
});
