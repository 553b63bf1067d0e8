/**
 * The executable's hot path, by its runtime's own sockets and cryptography: that it answers as the npm program does, and that
 * what it refuses is refused in the same words. What it loads is counted in loads.heavy.test.ts.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TlsOptions, createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Authority, makeAuthority } from '../http/support/pki.ts';
import { CLI, type CliResult, PKI, runProgram } from '../support/cli.ts';
import { requireStandalone, STANDALONE } from '../support/standalone.ts';
import { startAnswering } from './support/answering.ts';
import type { Answering } from './support/answering.ts';

const DAY = 86_400_000;
const IDENTITY = ['--certificate', `${PKI}ec-p256.crt.pem`, '--private-key', `${PKI}ec-p256.key.pem`];

const byExecutable = (args: readonly string[], env: Record<string, string> = {}): Promise<CliResult> =>
  runProgram(STANDALONE, ['credential-process', ...args], { env });
const byNode = (args: readonly string[], env: Record<string, string> = {}): Promise<CliResult> =>
  runProgram(process.execPath, [CLI, 'credential-process', ...args], { env });

const plain = ({ status, stdout, stderr }: CliResult): object => ({
  status,
  stdout,
  stderr: stderr.replace(/^\(node:\d+\) Warning: .*\n\(Use .*\n/m, ''),
});

const answers = (socket: Socket): void => {
  socket.on('error', () => undefined).once('data', () => socket.end('HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n'));
};

/** Answers the first bytes with a text. */
const says =
  (text: string, then?: 'end' | 'reset') =>
  (socket: Socket): void => {
    socket.once('data', () => {
      socket.write(text, 'latin1', () => {
        if (then === 'end') socket.end();
        else if (then === 'reset') socket.resetAndDestroy();
      });
    });
  };

/** Both programs, which must end alike. Times and random waits are taken out of what they say. */
async function alike(args: readonly string[], env: Record<string, string> = {}): Promise<CliResult> {
  const [one, other] = await Promise.all([byExecutable(args, env), byNode(args, env)]);
  expect(plain(one)).toEqual(plain(other));
  return one;
}

describe.runIf(requireStandalone())("the executable's hot path", () => {
  let answering: Answering;
  let [trusted, stranger]: (Authority | undefined)[] = [];
  let dir: string;
  let bundle: string[];
  const servers: Server[] = [];
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'ra-hot-'));
    [trusted, stranger] = await Promise.all([makeAuthority('Trusted'), makeAuthority('Stranger')]);
    writeFileSync(join(dir, 'trusted.pem'), trusted.root);
    bundle = ['--ca-bundle', join(dir, 'trusted.pem')];
    answering = await startAnswering();
  });
  afterAll(async () => {
    for (const server of servers) server.close();
    await answering.close();
    rmSync(dir, { recursive: true });
  });

  /** What the executable printed, of a run that asked once. */
  async function printed(args: readonly string[]): Promise<string> {
    const before = answering.requests.length;
    const { status, stdout, stderr } = await byExecutable(args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ Version: 1, AccessKeyId: 'ASIAEXAMPLEEXAMPLE00' });
    expect(answering.requests).toHaveLength(before + 1);
    return stdout;
  }

  it.each(['ec-p256', 'ec-p384', 'ec-p521', 'rsa-2048', 'rsa-3072', 'rsa-4096'])(
    'prints the same bytes as the npm program with a key of %s, over HTTP and HTTPS',
    async (kind) => {
      const files = ['--certificate', `${PKI}${kind}.crt.pem`, '--private-key', `${PKI}${kind}.key.pem`];
      const secure = [...files, ...answering.flags(true), '--ca-bundle', answering.root];
      for (const line of [[...files, ...answering.flags(false)], secure])
        expect(await printed(line)).toBe((await byNode(line)).stdout);
    },
  );

  it('does not go through a proxy that only its runtime would know of', async () => {
    const nobody = 'http://127.0.0.1:9';
    const args = [...IDENTITY, ...answering.flags(true), '--ca-bundle', answering.root];
    const env = { HTTP_PROXY: nobody, HTTPS_PROXY: nobody, NO_PROXY: 'localhost' };
    const { status } = await byExecutable(args, env);
    expect(status).toBe((await byNode(args, env)).status);
  });

  it.each<[string, string[], Record<string, string>, RegExp]>([
    ['a traced connection', ['--debug'], {}, /timings: .*TLS \(TLSv1\.3\)/],
    ['an unverified server', ['--no-verify-ssl'], {}, /./],
    ['roots of a variable of Node', [], { NODE_EXTRA_CA_CERTS: 'given' }, /^$/],
  ])('does not keep the program from %s', async (_what, flags, variables, said) => {
    const rest = answering.flags(true);
    const roots =
      Object.keys(variables).length > 0 || flags.includes('--no-verify-ssl') ? [] : ['--ca-bundle', answering.root];
    const env = Object.fromEntries(Object.keys(variables).map((name) => [name, answering.root]));
    const { status, stderr } = await byExecutable([...IDENTITY, ...rest, ...roots, ...flags], env);
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringMatching(said) });
  });

  /** A server of any manners, and the flags that lead to it. */
  async function serve(tls: TlsOptions | undefined, onConnection: (socket: Socket) => void): Promise<string[]> {
    const server = tls === undefined ? createServer(onConnection) : createTlsServer(tls, onConnection);
    server.on('connection', (socket) => socket.on('error', () => undefined));
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const place = tls === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`;
    return [...answering.flags(false).slice(0, -1), place];
  }

  describe('refuses a server as the npm program does', () => {
    it.each<[string, string, () => Promise<TlsOptions>, string?]>([
      ['of an unknown authority', 'ERR_TLS_AUTHORITY', () => stranger!.issue(['localhost'])],
      ['of another name', 'ERR_TLS_NAME', () => trusted!.issue(['other.test'])],
      ['of an address alone', 'ERR_TLS_NAME', () => trusted!.issue(['127.0.0.1'])],
      ['with a common name alone', 'ERR_TLS_NAME', () => trusted!.issue('localhost')],
      ['that has expired', 'ERR_TLS_VALIDITY', () => trusted!.issue(['localhost'], Date.now() - 10 * DAY)],
      ['that is not valid yet', 'ERR_TLS_VALIDITY', () => trusted!.issue(['localhost'], Date.now() + 10 * DAY)],
      [
        'that speaks TLS 1.1 at most',
        'ERR_TLS',
        async () => ({
          ...(await trusted!.issue(['localhost'])),
          minVersion: 'TLSv1',
          maxVersion: 'TLSv1.1',
          ciphers: 'DEFAULT@SECLEVEL=0',
        }),
      ],
    ])('%s: %s', async (_what, code, options) => {
      const place = await serve(await options(), answers);
      const { status, stderr } = await alike([...IDENTITY, ...place, ...bundle]);
      expect(status).not.toBe(0);
      expect(stderr).toContain(`[${code}`);
    });

    it('with NODE_TLS_REJECT_UNAUTHORIZED=0 too', async () => {
      const place = await serve(await stranger!.issue(['localhost']), answers);
      const { stderr } = await alike([...IDENTITY, ...place, ...bundle], { NODE_TLS_REJECT_UNAUTHORIZED: '0' });
      expect(stderr).toContain('ERR_TLS_AUTHORITY');
    });

    it('that the roots would vouch for which the bundle replaces', async () => {
      // By the roots of the system; the bundle has another.
      writeFileSync(join(dir, 'stranger.pem'), stranger!.root);
      const place = await serve(await stranger!.issue(['localhost']), answers);
      const { stderr } = await alike([...IDENTITY, ...place, ...bundle], {
        NODE_EXTRA_CA_CERTS: join(dir, 'stranger.pem'),
      });
      expect(stderr).toContain('ERR_TLS_AUTHORITY');
    });
  });

  describe('says of a server what the npm program says', () => {
    it.each<[string, string, (socket: Socket) => void]>([
      ['that closes at once', 'ERR_CONNECT', (socket) => void socket.end()],
      ['that closes without an answer', 'ERR_CONNECT', says('', 'end')],
      ['that resets', 'ERR_CONNECT', says('', 'reset')],
      ['that ends amid the body', 'ERR_RESPONSE_INVALID', says('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{', 'end')],
      ['that speaks another protocol', 'ERR_RESPONSE_INVALID', says('SSH-2.0-OpenSSH_9.2\r\n')],
      ['that answers too much', 'ERR_RESPONSE_INVALID', says(`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(70_000)}`)],
      [
        'that redirects',
        'ERR_RESPONSE_INVALID',
        says('HTTP/1.1 307 T\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n'),
      ],
      ['that never answers', 'ERR_TIMEOUT', () => undefined],
    ])('%s: %s', async (_what, code, onConnection) => {
      const place = await serve(undefined, onConnection);
      const limits = ['--max-attempts', '1', '--timeout', '2'];
      const { status, stderr } = await alike([...IDENTITY, ...place, ...limits]);
      expect(status).not.toBe(0);
      expect(stderr).toContain(code);
    });

    it('that is not there', async () => {
      const place = await serve(undefined, () => undefined);
      servers.pop()!.close();
      expect((await alike([...IDENTITY, ...place, '--max-attempts', '1'])).stderr).toContain('ERR_CONNECT');
    });

    it('after as many attempts', async () => {
      let connections = 0;
      const place = await serve(undefined, (socket) => {
        connections++;
        socket.once('data', () => socket.end('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n'));
      });
      expect((await byExecutable([...IDENTITY, ...place, '--max-attempts', '2'])).status).not.toBe(0);
      expect(connections).toBe(2);
    });
  });
});
