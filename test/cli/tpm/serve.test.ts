import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, describe, it } from 'vitest';
import { flagsOf, runLines, startServe } from '../../clients/serve-process.ts';
import { ask, imdsToken } from '../../server/support/server.ts';
import { Issuer, madeKeys } from '../../support/tpm/keys.ts';
import { keyNamed } from '../../support/tpm/open.ts';
import { Proxy } from '../../support/tpm/proxy.ts';
import { Simulator, hasSimulator } from '../../support/tpm/simulator.ts';

const ROLES = Array.from({ length: 20 }, (_, index) => `role-${index}`);
const LIFE_MS = 10_000;
const ARN = 'arn:aws:rolesanywhere:eu-west-1:123456789012:';
const ID = '11111111-2222-3333-4444-555555555555';

/** CreateSession with sessions of seconds. */
class ShortSessions {
  /** When each set ends, by key id. */
  readonly ends = new Map<string, number>();
  /** The serial numbers of the certificates that came, in their order. */
  readonly serials: string[] = [];
  readonly #server = createServer((request, response) => {
    this.serials.push(/Credential=(\d+)\//.exec(request.headers.authorization ?? '')?.[1] ?? '');
    request.resume();
    const accessKeyId = `ASIA${String(this.ends.size).padStart(16, '0')}`;
    const end = Math.floor((Date.now() + LIFE_MS) / 1000) * 1000;
    this.ends.set(accessKeyId, end);
    const expiration = new Date(end).toISOString();
    const credentials = { accessKeyId, secretAccessKey: 'hidden-key', sessionToken: 'hidden-token', expiration };
    response.writeHead(201, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ credentialSet: [{ credentials }], subjectArn: 'x' }));
  });

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

describe.skipIf(!hasSimulator())('serve with a key in a TPM', () => {
  it('lets no client of 20 roles see a failure while its set is valid, and recovers by itself', async () => {
    const { directory, keys } = await madeKeys();
    const folder = mkdtempSync(join(tmpdir(), 'tpm-serve-'));
    const tpm = await new Simulator('tcp', directory).start();
    const proxy = await Proxy.start(join(folder, 'tpm.sock'), tpm.port);
    const service = new ShortSessions();
    const made = keyNamed(keys, 'o-owner-p256-pw');
    const [certificate, key] = [join(folder, 'leaf.pem'), join(folder, 'leaf.key')];
    copyFileSync(join(directory, `${made.name}.pem`), certificate);
    copyFileSync(join(directory, made.key), key);
    const password = join(folder, 'password');
    writeFileSync(password, made.password ?? '', { mode: 0o600 });
    const serve = await startServe(
      [
        ...flagsOf({
          certificate,
          'private-key': key,
          'tpm-device': proxy.path,
          'tpm-key-password-file': password,
          'trust-anchor-arn': `${ARN}trust-anchor/${ID}`,
          'profile-arn': `${ARN}profile/${ID}`,
          endpoint: await service.listen(),
          port: '0',
          'refresh-before': '7',
        }),
        ...ROLES.flatMap((name) => ['--role', `${name}=arn:aws:iam::123456789012:role/${name}`]),
      ],
      { env: tpm.env },
    );
    const { port } = new URL(runLines(serve.lines())['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '');
    const server = { port: Number(port) };
    const headers = { 'X-aws-ec2-metadata-token': await imdsToken(server) };
    const stop = new AbortController();
    const failures: string[] = [];
    const given = new Map<string, string>();
    let answers = 0;
    const clients = ROLES.map(async (name) => {
      while (!stop.signal.aborted) {
        const sentAt = Date.now();
        const { status, body } = await ask(
          server,
          'GET',
          `/latest/meta-data/iam/security-credentials/${name}`,
          headers,
        );
        // A role without a set, when this machine is slower than its sets are long, is answered in words.
        const { AccessKeyId = '', Expiration = '' } =
          status === 200 ? (JSON.parse(body) as Record<string, string>) : {};
        answers += 1;
        if (status === 200 && Date.parse(Expiration) > sentAt) given.set(name, AccessKeyId);
        // The set before ends a second earlier for clients than it says.
        else if (sentAt < (service.ends.get(given.get(name) ?? '') ?? 0) - 1500)
          failures.push(`${name}: ${status} ${body}`);
        await sleep(100);
      }
    });
    for (const [index, client] of clients.entries())
      client.catch((error: unknown) => void failures.push(`${ROLES[index]}: ${String(error)}`));
    /** Waits until each role has a set that was vended from now on. */
    const renewed = async (): Promise<void> => {
      const from = service.ends.size;
      for (let waited = 0; waited < 600; waited++) {
        if (ROLES.every((name) => Number(given.get(name)?.slice(4) ?? -1) >= from)) return;
        await sleep(50);
      }
      const old = ROLES.filter((name) => Number(given.get(name)?.slice(4) ?? -1) < from);
      throw new Error(`${old.join(', ')} got no new set:\n${failures.join('\n')}\n${serve.log()}`);
    };
    try {
      await renewed();
      proxy.fault = { command: 'Load', code: 0x902, times: 1 };
      await renewed();
      expect(serve.log()).not.toContain('ERR_TPM');

      proxy.fault = { command: 'Sign', code: 0x921 };
      await serve.until('ERR_TPM_LOCKOUT');
      proxy.fault = undefined;
      await renewed();

      // A new certificate for the same key: as after a renewal.
      const issuer = await Issuer.make();
      const publicKey = await tpm.tool(
        'tpm2_print',
        '-t',
        'TPM2B_PUBLIC',
        '-f',
        'pem',
        join(directory, `${made.name}.pub`),
      );
      const before = new Set(service.serials);
      writeFileSync(`${certificate}.new`, await issuer.certificate(publicKey, 'renewed'));
      renameSync(`${certificate}.new`, certificate);
      await serve.until('a new certificate is in use');
      await renewed();
      expect(before.has(service.serials.at(-1) ?? '')).toBe(false);

      await tpm.stop('SIGKILL');
      await serve.until('ERR_TPM_CLOSED');
      await tpm.start();
      await renewed();
      await renewed();
      expect(failures).toEqual([]);
      expect(answers).toBeGreaterThan(ROLES.length * 10);
      expect(serve.log()).not.toContain(made.password);
    } finally {
      stop.abort();
      await Promise.allSettled(clients);
      serve.kill('SIGTERM');
      await serve.exited;
      await proxy.close();
      await service.close();
    }
    expect(await tpm.leftovers()).toEqual([]);
    await tpm.remove();
    rmSync(folder, { recursive: true });
  }, 180_000);
});
