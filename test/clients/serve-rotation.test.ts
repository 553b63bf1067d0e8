import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type Authority,
  certificatePem,
  generateKeys,
  issueAuthority,
  issueLeaf,
  privateKeyPem,
} from '../../certs-dev/authority.ts';
import { startEmulator } from '../../src/emulator/emulator.ts';
import { ask } from '../server/support/server.ts';
import { type Pair, WAYS, certificatePath, keyPath } from '../support/rotations.ts';
import { worldFlags } from '../support/vending.ts';
import { flagsOf, runLines, spawnServe, startServe } from './serve-process.ts';

const ROTATIONS = 250;

/** Each so many rotations, one is let through. */
const LET_THROUGH = 25;

/** They come again and again, but for those that are let through: the log tells of each of these just once. */
const REPEATED = 7;

let authority: Authority;
let pairs: Pair[];

beforeAll(async () => {
  authority = await issueAuthority({ subject: 'CN=rotation', keys: await generateKeys('ec-p256') });
  pairs = await Promise.all(
    Array.from({ length: REPEATED + ROTATIONS / LET_THROUGH }, async (_, index) => {
      const keys = await generateKeys('ec-p256');
      const serialNumber = (0x40 + index).toString(16);
      const { publicKey } = keys;
      const leaf = await issueLeaf({ subject: `CN=pair-${index}`, serialNumber, issuer: authority, publicKey });
      return {
        serialNumber: String(Number.parseInt(serialNumber, 16)),
        certificate: certificatePem(leaf),
        key: privateKeyPem(keys),
      };
    }),
  );
});

function pair(step: number): Pair {
  const isLetThrough = step > 0 && step % LET_THROUGH === 0;
  const found = pairs[isLetThrough ? REPEATED - 1 + step / LET_THROUGH : step % REPEATED];
  if (found === undefined) throw new Error('no pairs');
  return found;
}

describe.concurrent(`${ROTATIONS} rotations under load`, () => {
  it.each(WAYS)('$way: no request fails, and each CreateSession verifies', async ({ rotate }) => {
    const dir = mkdtempSync(join(tmpdir(), 'ra-rotation-'));
    const emulator = await startEmulator({ trustAnchors: [{ certificates: certificatePem(authority.certificate) }] });
    await rotate(dir, pair(0), 0);
    const serve = await startServe([
      ...flagsOf({
        certificate: certificatePath(dir),
        'private-key': keyPath(dir),
        port: '0',
        // With it, a set may be replaced every second.
        'refresh-before': '1',
      }),
      ...worldFlags(emulator),
    ]);
    try {
      const env = runLines(serve.lines());
      const port = Number(new URL(env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '').port);
      const token = readFileSync(env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'] ?? '', 'utf8');
      const rotating = new AbortController();
      const statuses: number[] = [];
      const keyIds = new Set<unknown>();
      const client = async (): Promise<void> => {
        while (!rotating.signal.aborted) {
          const { status, body } = await ask({ port }, 'GET', '/credentials', { Authorization: token });
          statuses.push(status);
          if (status === 200) keyIds.add((JSON.parse(body) as { AccessKeyId: string }).AccessKeyId);
          await sleep(20);
        }
      };
      const clients = Promise.all([client(), client(), client()]);
      for (let step = 1; step <= ROTATIONS; step++) {
        await rotate(dir, pair(step), step);
        // Most come while the one before is being taken; some are let through.
        if (step % LET_THROUGH === 0) await serve.until(`"serialNumber":"${pair(step).serialNumber}"`);
        else await sleep(10);
      }
      rotating.abort();
      await clients;
      expect(new Set(statuses)).toEqual(new Set([200]));
      expect(serve.log()).not.toContain('no new credentials');
      expect(keyIds.size).toBeGreaterThan(1);
      expect(emulator.verdicts.length).toBeGreaterThanOrEqual(keyIds.size);
      expect(emulator.verdicts.filter(({ accepted }) => !accepted)).toEqual([]);
    } finally {
      serve.kill('SIGKILL');
      await serve.exited;
      await emulator.close();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe('a rotation amid a chain of roles', () => {
  it('begins the chain anew: no hop is made from the session of the certificate of before', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'ra-rotation-'));
    const account = '123456789012';
    const next = `arn:aws:iam::${account}:role/Next`;
    const emulator = await startEmulator({
      trustAnchors: [{ certificates: certificatePem(authority.certificate) }],
      roles: [
        { arn: `arn:aws:iam::${account}:role/Workload` },
        {
          arn: next,
          trustPolicy: {
            Version: '2012-10-17',
            Statement: [
              {
                Effect: 'Allow',
                Principal: { AWS: `arn:aws:iam::${account}:root` },
                Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
              },
            ],
          },
        },
      ],
    });
    const [rename] = WAYS;
    await rename?.rotate(dir, pair(0), 0);
    const stsComesBack = emulator.inject({ path: '/', status: 503, times: Infinity });
    const serve = spawnServe([
      ...flagsOf({
        certificate: certificatePath(dir),
        'private-key': keyPath(dir),
        port: '0',
        'sts-endpoint': emulator.url,
        'assume-role-arn': next,
        timeout: '2',
      }),
      ...worldFlags(emulator),
    ]);
    try {
      await serve.until('no new credentials');
      await rename?.rotate(dir, pair(1), 1);
      await serve.until('a new certificate is in use');
      stsComesBack();
      await serve.until('AWS_CONTAINER_CREDENTIALS_FULL_URI');
      const hops = emulator.verdicts.filter(({ path, accepted }) => path === '/' && accepted);
      const session = Number(pair(1).serialNumber).toString(16).padStart(2, '0');
      expect(hops.at(-1)?.reason).toContain(`/Workload/${session} became `);
    } finally {
      serve.kill('SIGKILL');
      await serve.exited;
      await emulator.close();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
