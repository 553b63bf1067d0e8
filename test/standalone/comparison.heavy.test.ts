/**
 * What the executable's cryptography and TLS know otherwise than Node's, one by one: both programs must print the same, say the
 * same and end with the same status. A difference that stays is in docs/standalone.md.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, type Server, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TlsOptions, createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spawnServe } from '../clients/serve-process.ts';
import { type Authority, makeAuthority } from '../http/support/pki.ts';
import { CLI, type CliResult, PKI, runProgram } from '../support/cli.ts';
import { requireStandalone, STANDALONE } from '../support/standalone.ts';
import { requireTool } from '../support/tools.ts';
import { startAnswering } from './support/answering.ts';
import type { Answering } from './support/answering.ts';

const PASSWORD = 'a passphrase';

/** Runs both, which must end alike, and gives what they said. */
async function expectAlike(args: readonly string[], env: Record<string, string> = {}): Promise<CliResult> {
  const [one, other] = await Promise.all([
    runProgram(STANDALONE, args, { env }),
    runProgram(process.execPath, [CLI, ...args], { env }),
  ]);
  expect(one).toEqual(other);
  return one;
}

const pem = (label: string, der: Buffer): string =>
  `-----BEGIN ${label}-----\n${der.toString('base64')}\n-----END ${label}-----\n`;

const derOf = (name: string): Buffer => readFileSync(`${PKI}${name}`);

const flipped = (der: Buffer, at: number): Buffer => {
  const copy = Buffer.from(der);
  copy[at] = (copy[at] ?? 0) ^ 0xff;
  return copy;
};

const both = async (args: readonly string[]): Promise<CliResult[]> => [
  await runProgram(STANDALONE, args),
  await runProgram(process.execPath, [CLI, ...args]),
];

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

describe.runIf(requireStandalone() && requireTool('openssl'))('the executable and the npm program', () => {
  let dir: string;
  let answering: Answering;
  let authority: Authority;
  const servers: Server[] = [];
  const openssl = (...args: string[]): string =>
    execFileSync('openssl', args, { cwd: dir, encoding: 'utf8', stdio: 'pipe' });
  const file = (name: string, content: string | Buffer): string => {
    writeFileSync(join(dir, name), content, { mode: 0o600 });
    return join(dir, name);
  };
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'ra-compare-'));
    answering = await startAnswering();
    authority = await makeAuthority('Trusted');
    file('trusted.pem', authority.root);
    file('password', PASSWORD);
  });
  afterAll(async () => {
    for (const server of servers) server.close();
    await answering.close();
    rmSync(dir, { recursive: true });
  });

  const vend = (certificate: string, key: string, ...more: string[]): string[] => [
    'credential-process',
    '--certificate',
    certificate,
    '--private-key',
    key,
    ...answering.flags(false),
    ...more,
  ];

  /** A key of `openssl genpkey`, with a certificate that it signed for itself. */
  function pair(name: string, ...args: string[]): [string, string] {
    const [certificate, key] = [join(dir, `${name}.crt`), join(dir, `${name}.key`)];
    openssl('genpkey', '-out', key, ...args);
    openssl('req', '-x509', '-new', '-key', key, '-subj', `/CN=${name}`, '-days', '30', '-out', certificate);
    return [certificate, key];
  }

  describe('agree on keys', () => {
    const own = [`${PKI}ec-p256.crt.pem`, `${PKI}ec-p256.key.pem`] as const;

    it.each<[string, string[]]>([
      ['PKCS#8 under scrypt', ['-scrypt']],
      ['PKCS#8 under scrypt with other costs', ['-scrypt', '-scrypt_N', '1024', '-scrypt_r', '4', '-scrypt_p', '2']],
      ['PKCS#8 under HMAC-SHA-1', ['-v2', 'aes-128-cbc', '-v2prf', 'hmacWithSHA1']],
      ['PKCS#8 under HMAC-SHA-384', ['-v2', 'aes-192-cbc', '-v2prf', 'hmacWithSHA384']],
      ['PKCS#8 under HMAC-SHA-512', ['-v2', 'aes-256-cbc', '-v2prf', 'hmacWithSHA512']],
      ['PKCS#8 under Triple-DES', ['-v2', 'des3', '-v2prf', 'hmacWithSHA256']],
    ])('in %s, with the passphrase, without and with another', async (_what, form) => {
      const key = join(dir, 'encrypted.key');
      openssl('pkcs8', '-topk8', '-in', own[1], '-out', key, '-passout', 'file:password', ...form);
      expect((await expectAlike(vend(own[0], key, '--pkcs8-password-file', join(dir, 'password')))).status).toBe(0);
      expect((await expectAlike(vend(own[0], key))).stderr).toContain('ERR_PASSWORD_REQUIRED');
      const wrong = file('wrong-password', 'another');
      expect((await expectAlike(vend(own[0], key, '--pkcs8-password-file', wrong))).stderr).toContain(
        'ERR_PASSWORD_INCORRECT',
      );
    });

    it.each<[string, string[], string]>([
      ['secp256k1', ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:secp256k1'], 'EC (secp256k1)'],
      ['P-192', ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:prime192v1'], 'EC (prime192v1)'],
      ['P-224', ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:secp224r1'], 'EC (secp224r1)'],
      [
        'brainpoolP256r1',
        ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:brainpoolP256r1'],
        'EC (brainpoolP256r1)',
      ],
      ['Ed25519', ['-algorithm', 'ED25519'], 'Ed25519'],
      ['Ed448', ['-algorithm', 'ED448'], 'Ed448'],
      ['RSA-PSS', ['-algorithm', 'RSA-PSS', '-pkeyopt', 'rsa_keygen_bits:2048'], 'RSASSA-PSS'],
    ])('of %s, refused by name', async (name, args, shown) => {
      const [certificate, key] = pair(name, ...args);
      const refused = await expectAlike(vend(certificate, key));
      expect(refused.stderr).toContain(`holds a key of the type ${shown} [ERR_KEY_UNSUPPORTED]`);
      await expectAlike(vend(certificate, own[1]));
      await expectAlike(vend(own[0], key));
      if (!args.includes('EC')) return;
      const sec1 = join(dir, 'sec1.key');
      openssl('ec', '-in', key, '-out', sec1);
      expect((await expectAlike(vend(certificate, sec1))).stderr).toContain(`holds a key of the type ${shown}`);
    });

    it.each(['rsa-2048', 'ec-p256'])('of %s in the encryption of RFC 1421, and in PKCS#12', async (kind) => {
      const key = join(dir, 'traditional.key');
      const command = kind.startsWith('rsa') ? ['rsa', '-traditional'] : ['ec'];
      openssl(...command, '-in', `${PKI}${kind}.key.pem`, '-out', key, '-aes256', '-passout', 'file:password');
      const password = ['--pkcs8-password-file', join(dir, 'password')];
      expect((await expectAlike(vend(`${PKI}${kind}.crt.pem`, key, ...password))).status).toBe(0);
      await expectAlike(vend(`${PKI}${kind}.crt.pem`, key));
      await expectAlike(vend(`${PKI}${kind}.p12`, `${PKI}${kind}.p12`));
      await expectAlike(vend(`${PKI}${kind}.no-password.p12`, `${PKI}${kind}.no-password.p12`));
    });

    it.each<[string, () => string | Buffer]>([
      ['that is empty', () => ''],
      ['of words', () => 'this is no key\n'],
      ['of zeros', () => Buffer.alloc(200)],
      ['of words in PEM', () => pem('PRIVATE KEY', Buffer.from('this is no key'))],
      ['of an empty SEQUENCE', () => pem('PRIVATE KEY', Buffer.from([0x30, 0]))],
      ['that is cut', () => pem('PRIVATE KEY', derOf('ec-p256.key.der').subarray(0, -20))],
      ['that is cut, of RSA', () => pem('PRIVATE KEY', derOf('rsa-2048.key.der').subarray(0, 600))],
      ['with more behind it', () => pem('PRIVATE KEY', Buffer.concat([derOf('ec-p256.key.der'), Buffer.from([0, 1])]))],
      ['with another public key', () => pem('PRIVATE KEY', flipped(derOf('ec-p256.key.der'), 100))],
      [
        'with a version of 9',
        () => pem('PRIVATE KEY', (([...der]) => Buffer.from(der.with(4, 9)))(derOf('ec-p256.key.der'))),
      ],
      ['in base64 that is none', () => '-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n'],
      ['under the label of another', () => pem('RSA PRIVATE KEY', derOf('ec-p256.key.der'))],
      ['that says it is encrypted', () => pem('ENCRYPTED PRIVATE KEY', derOf('ec-p256.key.der'))],
    ])('in a file %s', async (_what, content) => {
      const key = file('garbage.key', content());
      await expectAlike(vend(own[0], key));
      await expectAlike(vend(own[0], key, '--pkcs8-password-file', join(dir, 'password')));
    });

    it.each<[string, () => string | Buffer]>([
      ['that is empty', () => ''],
      ['of words', () => 'this is no certificate\n'],
      ['of words in PEM', () => pem('CERTIFICATE', Buffer.from('this is no certificate'))],
      ['that is cut', () => pem('CERTIFICATE', derOf('ec-p256.crt.der').subarray(0, -20))],
      ['that is cut in its key', () => pem('CERTIFICATE', derOf('ec-p256.crt.der').subarray(0, 200))],
      ['with more behind it', () => pem('CERTIFICATE', Buffer.concat([derOf('ec-p256.crt.der'), Buffer.from([0])]))],
      ['that is a key', () => readFileSync(`${PKI}ec-p256.key.pem`)],
    ])('and on certificates, in a file %s', async (_what, content) => {
      const certificate = file('garbage.crt', content());
      await expectAlike(vend(certificate, own[1]));
      await expectAlike(['read-certificate-data', '--certificate', certificate]);
    });

    it('and on a certificate of another key, whose bits are turned, one after another', async () => {
      const der = derOf('ec-p256.crt.der');
      for (let at = 0; at < der.length; at += 37)
        await expectAlike(vend(file('turned.crt', pem('CERTIFICATE', flipped(der, at))), own[1]));
    }, 120_000);
  });

  /** A TLS server of any manners, and the line that asks it. */
  async function asked(options: TlsOptions): Promise<string[]> {
    const server = createTlsServer(options, (socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end('HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n'));
    });
    server.on('tlsClientError', () => undefined);
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
    return line((server.address() as AddressInfo).port);
  }

  const line = (port: number): string[] => [
    ...vend(`${PKI}ec-p256.crt.pem`, `${PKI}ec-p256.key.pem`).slice(0, -1),
    `https://localhost:${port}`,
    '--ca-bundle',
    join(dir, 'trusted.pem'),
    '--max-attempts',
    '1',
  ];

  describe('agree on servers', () => {
    it.each<[string, () => TlsOptions, string[], string]>([
      [
        'with TLS 1.1 at most',
        () => ({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
        [],
        'ERR_TLS',
      ],
      [
        'with TLS 1.2 at most, of whom 1.3 is asked',
        () => ({ maxVersion: 'TLSv1.2' }),
        ['--tls-min-version', '1.3'],
        'ERR_TLS',
      ],
      ['with TLS 1.2 at most', () => ({ maxVersion: 'TLSv1.2' }), [], '500'],
      [
        'with a cipher that nobody should take',
        () => ({ maxVersion: 'TLSv1.2', ciphers: 'NULL:@SECLEVEL=0' }),
        [],
        'ERR_TLS',
      ],
      [
        'that want a certificate of clients, in TLS 1.2',
        () => ({ maxVersion: 'TLSv1.2', requestCert: true, rejectUnauthorized: true }),
        [],
        'ERR_',
      ],
      ['that would like a certificate of clients', () => ({ requestCert: true, rejectUnauthorized: false }), [], '500'],
      ['that speak HTTP/2 alone', () => ({ ALPNProtocols: ['h2'] }), [], 'ERR_TLS'],
      ['that know no ALPN', () => ({}), [], '500'],
      ['that speak HTTP/2 and HTTP/1.1', () => ({ ALPNProtocols: ['h2', 'http/1.1'] }), [], '500'],
    ])('%s', async (_what, options, flags, shown) => {
      const args = [...(await asked({ ...(await authority.issue(['localhost'])), ...options() })), ...flags];
      const { status, stderr } = await expectAlike(args);
      expect(status).not.toBe(0);
      expect(stderr).toContain(shown);
    });

    it('that speak no TLS', async () => {
      const server = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'));
      });
      servers.push(server.listen(0, '127.0.0.1'));
      await once(server, 'listening');
      expect((await expectAlike(line((server.address() as AddressInfo).port))).stderr).toContain('ERR_');
    });

    it.each<[string, string, string]>([
      ['that may', 'permitted;DNS:localhost', '500'],
      ['that may not, since others are named', 'permitted;DNS:other.test', 'ERR_TLS'],
      ['that may not, since it is excluded', 'excluded;DNS:localhost', 'ERR_TLS'],
      ['that may, since another is excluded', 'excluded;DNS:other.test', '500'],
      ['that may, since addresses alone are named', 'permitted;IP:10.0.0.0/255.0.0.0', '500'],
    ])('whose authority has name constraints: one %s', async (_what, constraint, shown) => {
      const [root, key, cert] = ['constrained.pem', 'constrained.key', 'leaf.pem'].map((name) => join(dir, name));
      openssl(
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-keyout',
        key!,
        '-out',
        root!,
        '-subj',
        '/CN=Constrained',
        '-addext',
        `nameConstraints=critical,${constraint}`,
        '-addext',
        'keyUsage=critical,keyCertSign',
      );
      openssl(
        'req',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-keyout',
        'leaf.key',
        '-out',
        'leaf.csr',
        '-subj',
        '/CN=leaf',
      );
      file('leaf.ext', 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n');
      openssl(
        'x509',
        '-req',
        '-in',
        'leaf.csr',
        '-CA',
        root!,
        '-CAkey',
        key!,
        '-set_serial',
        '7',
        '-days',
        '2',
        '-out',
        cert!,
        '-extfile',
        'leaf.ext',
      );
      const args = await asked({ cert: readFileSync(cert!), key: readFileSync(join(dir, 'leaf.key')) });
      const { stderr } = await expectAlike(args.map((word) => (word === join(dir, 'trusted.pem') ? root! : word)));
      expect(stderr).toContain(shown);
    });

    it.each([
      ['by renegotiation, in TLS 1.2', '-tls1_2', 'R\n'],
      ['by renegotiation without a certificate, in TLS 1.2', '-tls1_2', 'r\n'],
      ['after the handshake, in TLS 1.3', '-tls1_3', 'c\n'],
      ['by new keys, in TLS 1.3', '-tls1_3', 'K\n'],
    ])('that ask late, %s', async (_what, version, command) => {
      const { cert, key } = await authority.issue(['localhost']);
      const results = [];
      for (const program of [[STANDALONE], [process.execPath, CLI]] as const) {
        const port = await freePort();
        const args = ['-accept', `127.0.0.1:${port}`, '-cert', file('late.pem', cert), '-key', file('late.key', key)];
        const server = spawn('openssl', ['s_server', version, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
        let seen = '';
        let isAsked = false;
        // It prints the request that it gets, and only then asks for more, and answers.
        server.stdout.setEncoding('utf8').on('data', (text: string) => {
          seen += text;
          if (isAsked || (!seen.includes('connection: close') && !seen.includes('Connection: close'))) return;
          isAsked = true;
          server.stdin.write(command);
          setTimeout(() => server.stdin.write('HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n'), 500);
        });
        server.stderr.resume();
        while (!seen.includes('ACCEPT')) await once(server.stdout, 'data');
        const [command_ = '', ...first] = program;
        const { status, stdout, stderr } = await runProgram(command_, [...first, ...line(port), '--timeout', '5']);
        results.push({ status, stdout, stderr: stderr.replaceAll(String(port), 'PORT'), isAsked });
        server.kill();
        await once(server, 'exit');
      }
      expect(results[0]).toEqual(results[1]);
      expect(results[0]?.isAsked).toBe(true);
    });
  });

  describe('differ, as docs/standalone.md says', () => {
    it('in what they say of an RSA key whose numbers do not belong together: both refuse it', async () => {
      const der = readFileSync(`${PKI}rsa-2048.key.der`);
      der[60] = (der[60] ?? 0) ^ 0xff;
      const text = `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`;
      const results = await both(vend(`${PKI}rsa-2048.crt.pem`, file('torn.key', text)));
      expect(results.map(({ status, stdout }) => ({ status, stdout }))).toEqual([
        { status: 3, stdout: '' },
        { status: 3, stdout: '' },
      ]);
      expect(results[0]?.stderr).toContain('[ERR_KEY_MALFORMED]');
      expect(results[1]?.stderr).toContain('[ERR_KEY_MISMATCH]');
    });

    it('in the word for an alert that comes after the handshake: a client certificate in TLS 1.3', async () => {
      const identity = await authority.issue(['localhost']);
      const args = await asked({ ...identity, minVersion: 'TLSv1.3', requestCert: true, rejectUnauthorized: true });
      const results = await both(args);
      const compared = results.map(({ status, stdout, stderr }) => ({
        status,
        stdout,
        stderr: stderr.replace(/: (?:EPROTO|ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED) \[/, ': WORD ['),
      }));
      expect(compared[0]).toEqual(compared[1]);
      expect(compared[0]).toMatchObject({ status: 5, stderr: expect.stringContaining(': WORD [ERR_TLS]') as string });
    });
  });

  it('agree on the name that they are called by', async () => {
    const results = [];
    for (const program of [STANDALONE, CLI]) {
      const folder = mkdtempSync(join(dir, 'bin-'));
      symlinkSync(program, join(folder, 'aws_signing_helper'));
      const PATH = `${folder}:${process.execPath.replace(/\/node$/, '')}:/usr/bin:/bin`;
      for (const args of [
        ['version'],
        ['credential-process'],
        ['nonsense'],
        vend(`${PKI}ec-p256.crt.pem`, `${PKI}ec-p256.key.pem`),
      ])
        results.push(await runProgram('/usr/bin/env', ['aws_signing_helper', ...args], { env: { PATH } }));
    }
    expect(results.slice(0, 4)).toEqual(results.slice(4));
    expect(results[0]?.stdout).toContain('+roles-anywhere.');
  });

  it('agree on how many connections serve takes', async () => {
    const flags = vend(`${PKI}ec-p256.crt.pem`, `${PKI}ec-p256.key.pem`).slice(1);
    const taken = [];
    for (const program of [[STANDALONE], [process.execPath, CLI]]) {
      const serve = spawnServe(flags, { program });
      await serve.until('AWS_EC2_METADATA_SERVICE_ENDPOINT');
      const port = Number(/http:\/\/127\.0\.0\.1:(\d+)/.exec(serve.lines())?.[1]);
      const sockets = Array.from({ length: 2100 }, () => connect(port, '127.0.0.1').on('error', () => undefined));
      await Promise.all(sockets.map((socket) => once(socket, 'connect').catch(() => undefined)));
      const refused = sockets.filter((socket) => socket.resume().destroyed || socket.closed).length;
      const closed = await new Promise<number>((done) => {
        let count = refused;
        for (const socket of sockets) socket.once('close', () => (++count === 52 ? done(count) : undefined));
        setTimeout(() => done(count), 3000);
      });
      taken.push(sockets.length - closed);
      for (const socket of sockets) socket.destroy();
      serve.kill('SIGTERM');
      expect(await serve.exited).toBe(0);
    }
    expect(taken).toEqual([2048, 2048]);
  }, 120_000);
});
