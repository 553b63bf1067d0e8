/** Healthy set-ups of different kinds, on which nothing is found. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { EXTERNAL_ID, FIRST, SECOND, startChainEmulator } from '../support/chain-world.ts';
import { CLI, PKI, cleanEnv, runCli } from '../support/cli.ts';
import { doctor, put } from '../support/doctor.ts';
import type { Report } from '../support/doctor.ts';
import { scriptedServer } from '../support/scripted-server.ts';
import { PIN, SOFTHSM_MODULE, SoftHsm, hasSoftHsm } from '../support/softhsm.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';
import { begin, makeTrustDomain, startWorkloadApi, x509Answer } from '../support/workload-api.ts';

let emulator: Emulator;
let folder: string;
beforeAll(async () => {
  emulator = await startChainEmulator();
  folder = mkdtempSync(join(tmpdir(), 'ra-doctor-'));
});
afterAll(async () => {
  await emulator.close();
  rmSync(folder, { recursive: true });
});

/** What a healthy report has: nothing but facts. */
function expectNothing({ findings, status }: Report): void {
  expect({ findings, status }).toEqual({ findings: [], status: 0 });
}

async function look(args: readonly string[], env: Record<string, string> = {}): Promise<Report> {
  return await doctor(args, { PATH: '/usr/bin:/bin', HOME: folder, ...env });
}

/** A key of the development PKI in a file that is its owner's alone. */
function key(name: string): string {
  const path = put(join(folder, name), readFileSync(`${PKI}${name}`));
  return path;
}

function pem(kind: string): string[] {
  return [
    '--certificate',
    `${PKI}${kind}.crt.pem`,
    '--private-key',
    key(`${kind}.key.pem`),
    '--intermediates',
    `${PKI}intermediate.pem`,
    ...worldFlags(emulator),
  ];
}

/** Whether the token has seen a wrong PIN. */
async function triesLeft(hsm: SoftHsm): Promise<string> {
  return /user PIN count low/.test(await hsm.tool(['--list-token-slots'])) ? 'not all' : 'all';
}

const ANCHOR = ['--trust-anchor', `${PKI}root.pem`];

describe('doctor, of healthy set-ups', () => {
  it.each(['ec-p256', 'ec-p384', 'rsa-2048', 'rsa-4096'])(
    'finds nothing in PEM files of %s, with --call',
    async (kind) => {
      const report = await look([...pem(kind), ...ANCHOR, '--call']);
      expectNothing(report);
      expect(report.facts.map(({ label }) => label)).toEqual(
        expect.arrayContaining(['private key', 'chain', 'Roles Anywhere', 'CreateSession']),
      );
      expect(report.facts).toContainEqual({
        area: 'service',
        label: 'GetCallerIdentity',
        value: "not asked: the endpoint is not AWS's, and no STS endpoint is given",
      });
    },
  );

  it('finds nothing in a PKCS#12 container', async () => {
    const args = ['--certificate', key('ec-p256.p12'), ...worldFlags(emulator), ...ANCHOR, '--call'];
    expectNothing(await look(args, { ROLES_ANYWHERE_PKCS12_PASSWORD: 'development' }));
  });

  it('finds nothing in one file with everything', async () => {
    const all = ['crt.pem', 'key.pem'].map((end) => readFileSync(`${PKI}rsa-2048.${end}`, 'utf8'));
    const file = put(join(folder, 'all.pem'), `${all.join('')}${readFileSync(`${PKI}intermediate.pem`, 'utf8')}`);
    expectNothing(await look(['--certificate', file, ...worldFlags(emulator), ...ANCHOR, '--call']));
  });

  it('finds nothing in an encrypted key with its password in a file', async () => {
    const args = [
      '--certificate',
      `${PKI}ec-p256.crt.pem`,
      '--private-key',
      key('ec-p256.encrypted.pem'),
      '--intermediates',
      `${PKI}intermediate.pem`,
      ...worldFlags(emulator),
      '--pkcs8-password-file',
      put(join(folder, 'password'), 'development\n'),
      '--call',
    ];
    expectNothing(await look(args));
  });

  it('finds nothing in variables that hold certificate and key', async () => {
    const args = ['--certificate', 'env:CLIENT', '--private-key', 'env:KEY', '--intermediates', 'env:CHAIN'];
    expectNothing(
      await look([...args, ...worldFlags(emulator), '--call'], {
        CLIENT: readFileSync(`${PKI}ec-p256.crt.pem`, 'utf8'),
        KEY: readFileSync(`${PKI}ec-p256.key.pem`, 'utf8'),
        CHAIN: readFileSync(`${PKI}intermediate.pem`, 'utf8'),
      }),
    );
  });

  it('finds nothing in a folder of which one certificate is chosen', async () => {
    const store = join(folder, 'store');
    mkdirSync(store);
    for (const kind of ['ec-p256', 'rsa-2048']) {
      copyFileSync(`${PKI}${kind}.crt.pem`, join(store, `${kind}.crt.pem`));
      put(join(store, `${kind}.key.pem`), readFileSync(`${PKI}${kind}.key.pem`));
    }
    copyFileSync(`${PKI}intermediate.pem`, join(store, 'intermediate.pem'));
    const args = [
      '--certificate',
      store,
      '--cert-selector',
      'Key=x509Subject,Value=CN=ec-p256,OU=Clients,O=Roles Anywhere development',
    ];
    expectNothing(await look([...args, ...worldFlags(emulator), '--call']));
  });

  it('finds nothing in DER files', async () => {
    const args = ['--certificate', `${PKI}ec-p256.crt.der`, '--private-key', key('ec-p256.key.der')];
    expectNothing(
      await look([...args, '--intermediates', `${PKI}intermediate.pem`, ...worldFlags(emulator), '--call']),
    );
  });

  it('finds nothing in a chain of roles, and says whose the credentials are at its end', async () => {
    const chain = [
      `--assume-role-arn=${FIRST},external-id=${EXTERNAL_ID},tag=Team=blue,transitive-tag-key=Team`,
      `--assume-role-arn=${SECOND}`,
      '--sts-endpoint',
      emulator.url,
    ];
    const report = await look([...pem('ec-p256'), ...chain, '--call']);
    expectNothing(report);
    expect(report.facts.find(({ label }) => label === 'GetCallerIdentity')?.value).toMatch(/:assumed-role\/Second\//);
  });

  it('finds nothing in keys of a profile', async () => {
    const [, anchor, , profile, , role, , endpoint] = worldFlags(emulator);
    const config = put(
      join(folder, 'keys'),
      [
        '[profile build]',
        `rolesanywhere_certificate = ${PKI}ec-p256.crt.pem`,
        `rolesanywhere_private_key = ${key('ec-p256.key.pem')}`,
        `rolesanywhere_intermediates = ${PKI}intermediate.pem`,
        `rolesanywhere_trust_anchor_arn = ${anchor}`,
        `rolesanywhere_profile_arn = ${profile}`,
        `rolesanywhere_role_arn = ${role}`,
        `rolesanywhere_endpoint = ${endpoint}`,
        '',
      ].join('\n'),
    );
    const report = await look(['--config-profile', 'build', '--call'], { AWS_CONFIG_FILE: config });
    expectNothing(report);
    expect(report.facts.find(({ label }) => label === '--role-arn')?.value).toContain(
      'rolesanywhere_role_arn in line 7 of',
    );
  });

  it('finds nothing in a profile that init wrote', async () => {
    const home = join(folder, 'home');
    mkdirSync(home);
    const env = {
      HOME: home,
      AWS_CONFIG_FILE: join(home, 'config'),
      AWS_SHARED_CREDENTIALS_FILE: join(home, 'credentials'),
    };
    const { status, stderr } = await runCli(['init', '--profile', 'build', '--yes', ...pem('ec-p256')], { env });
    expect({ status, stderr }).toMatchObject({ status: 0 });
    const report = await look(['--profile', 'build', '--call'], { ...env, PATH: process.env['PATH'] ?? '' });
    expectNothing(report);
    expect(report.facts).toContainEqual({
      area: 'environment',
      label: 'AWS CLI, boto3',
      value: 'takes its credentials from: profile',
    });
  });

  it("finds nothing in a line that was AWS's helper's", async () => {
    const link = join(folder, 'aws_signing_helper');
    writeFileSync(link, `#!${process.execPath}\nrequire(${JSON.stringify(CLI)});\n`, { mode: 0o755 });
    const line = [link, 'credential-process', ...pem('ec-p256')].join(' ');
    const config = put(join(folder, 'helper'), `[default]\nregion = us-east-1\ncredential_process = ${line}\n`);
    expectNothing(
      await look(['--call'], { AWS_CONFIG_FILE: config, AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none') }),
    );
  });

  it('finds nothing in an identity of a SPIFFE Workload API', async () => {
    const domain = await makeTrustDomain();
    const svid = await domain.issue();
    const api = await startWorkloadApi((question) => begin(question, x509Answer(svid)));
    const spiffe = await startTestEmulator({
      trustAnchors: [{ certificates: domain.root.certificate.toString('pem') }],
    });
    try {
      expectNothing(await look(['--certificate', `spiffe:${api.address}`, ...worldFlags(spiffe), '--call']));
    } finally {
      await api.close();
      await spiffe.close();
    }
  });

  it('finds nothing behind TLS, and tells of the certificate that was shown', async () => {
    const secure = await startTestEmulator({ tls: 'development' });
    const ca = put(join(folder, 'ca.pem'), secure.tlsCa ?? '');
    const report = await look([...pem('ec-p256'), '--endpoint', secure.tlsUrl ?? '', '--ca-bundle', ca, '--call']);
    await secure.close();
    expectNothing(report);
    expect(report.facts.find(({ label }) => label === 'Roles Anywhere, TLS')?.value).toMatch(
      /^TLSv1\.3, certificate of /,
    );
    expect(report.facts.find(({ label }) => label === 'roots of trust')?.value).toContain('ca.pem (--ca-bundle)');
  });

  it('finds nothing in a serve of this user that runs, and tells of it', async () => {
    const runtime = join(folder, 'run');
    mkdirSync(runtime);
    const env = { XDG_RUNTIME_DIR: runtime, HOME: folder };
    const serve = spawn(process.execPath, [CLI, 'serve', ...pem('ec-p256'), '--port', '0'], {
      env: cleanEnv(env),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    try {
      await once(serve.stdout, 'data');
      const report = await look(pem('ec-p256'), env);
      expectNothing(report);
      const port = report.facts.find(({ label }) => label.startsWith('serve at port'));
      expect(port?.value).toContain('gives credentials until');
      expect(report.facts.find(({ label }) => label === 'token file')?.value).toMatch(/, mode 0600, can be read$/);
    } finally {
      serve.kill('SIGKILL');
      await once(serve, 'close');
    }
    // It was killed: its token file lies there still.
    const { findings } = await look(pem('ec-p256'), env);
    expect(findings.map(({ code }) => code)).toEqual(['WARN_SERVE_ENDPOINT']);
  });

  it('finds nothing in a container endpoint that answers', async () => {
    const token = 'x'.repeat(43);
    const server = await scriptedServer((response, { headers }) => {
      response.writeHead(headers.authorization === token ? 200 : 403, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({
          AccessKeyId: 'ASIAIOSFODNN7EXAMPLE',
          SecretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
          Token: 'token',
          Expiration: '2099-01-01T00:00:00Z',
        }),
      );
    });
    const report = await look([], {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${server.url}/credentials`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: put(join(folder, 'token'), token),
    });
    await server.close();
    expectNothing(report);
    expect(JSON.stringify(report)).not.toContain('wJalrXUtnFEMI');
    expect(report.facts.find(({ label }) => label === 'the container endpoint')?.value).toContain('until 2099-01-01');
  });

  it.runIf(hasSoftHsm())('finds nothing in a token, and spends no try of its PIN but with --call', async () => {
    const hsm = new SoftHsm();
    try {
      await hsm.token('token');
      await hsm.pair('token', { pki: 'ec-p256', id: '01', label: 'client' });
      const args = [
        '--certificate',
        'pkcs11:token=token;object=client',
        '--pkcs11-lib',
        SOFTHSM_MODULE,
        '--intermediates',
        `${PKI}intermediate.pem`,
        ...worldFlags(emulator),
      ];
      const { env } = hsm;
      const report = await look(args, env);
      expectNothing(report);
      expect(report.notLookedAt.join()).toContain('--call signs with it');
      // A wrong PIN would be found out by the token, which was never asked.
      expectNothing(await look(args, { ...env, ROLES_ANYWHERE_PKCS11_PIN: 'wrong' }));
      expect(await triesLeft(hsm)).toBe('all');
      expectNothing(await look([...args, '--call'], { ...env, ROLES_ANYWHERE_PKCS11_PIN: PIN }));
      const inFile = ['--certificate', `${PKI}ec-p256.crt.pem`, '--private-key', 'pkcs11:token=token;object=client'];
      expectNothing(await look([...args, ...inFile], env));
    } finally {
      hsm.remove();
    }
  });
});
