// Of src/identity/tpm/authorization.ts and sessions.ts.
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { refusal, refusalCode } from '../../support/refusal.ts';
import { KEY_PASSWORD, type MadeKey, PARENT_PASSWORD, madeKeys } from '../../support/tpm/keys.ts';
import { keyNamed, openMade, verifies } from '../../support/tpm/open.ts';
import { type Exchange, Proxy } from '../../support/tpm/proxy.ts';
import { Simulator, hasSimulator } from '../../support/tpm/simulator.ts';

const PASSWORDED = [
  'h-rsa2048-pw',
  'h-ecc256-pw',
  'h-ecc256-pw-noda',
  'o-owner-p384-pw',
  'o-parentpw-p256-pw',
  't-enc-ecc256-pw',
];

describe.skipIf(!hasSimulator())('authorisation at a TPM', () => {
  let directory: string;
  let keys: readonly MadeKey[];
  let tpm: Simulator;
  let proxy: Proxy;
  beforeAll(async () => {
    ({ directory, keys } = await madeKeys());
    tpm = await new Simulator('tcp', directory).start();
    proxy = await Proxy.start(join(tpm.directory, 'wire.sock'), tpm.port);
  }, 240_000);
  afterEach(() => proxy.reset());
  afterAll(async () => {
    await proxy.close();
    await tpm.remove();
  });
  const through = () => ({ tcti: proxy.path, env: tpm.env });

  it.each(PASSWORDED)('shows the password of %s nowhere on the wire, by a session with a salt', async (name) => {
    const made = keyNamed(keys, name);
    const key = await openMade(through(), directory, made);
    for (let round = 0; round < 3; round++) {
      const message = randomBytes(64);
      expect(verifies(directory, made, message, await key.signer.sign(message))).toBe(true);
    }
    const { wire } = proxy;
    for (const secret of [KEY_PASSWORD, PARENT_PASSWORD]) {
      expect(wire.includes(secret)).toBe(false);
      // Nor what could stand for it.
      for (const hash of ['sha1', 'sha256', 'sha384', 'sha512'])
        expect(wire.includes(createHash(hash).update(secret).digest())).toBe(false);
    }
    const starts = proxy.exchanges.filter((exchange) => exchange.name === 'StartAuthSession');
    expect(starts.length).toBe(3);
    for (const { command } of starts) {
      const { saltKey, secretBytes, nonceCaller, algorithm } = startOf(command);
      expect([saltKey >>> 24, secretBytes, nonceCaller.length, algorithm]).toEqual([0x80, 68, 32, 0x000b]);
    }
    // Each session has a salt and a nonce of its own.
    expect(new Set(starts.map(({ command }) => startOf(command).salt)).size).toBe(3);
    for (const exchange of proxy.exchanges.filter((one) => one.name === 'Sign'))
      expect(sessionOf(exchange) >>> 24).toBe(0x02);
  });

  it('of keys without a password needs no session', async () => {
    await (await openMade(through(), directory, keyNamed(keys, 'o-owner-p256'))).signer.sign(randomBytes(4));
    expect(proxy.names).not.toContain('StartAuthSession');
  });

  it('sends the password as it is only when it is told to', async () => {
    const made = keyNamed(keys, 'o-parentpw-p256-pw');
    const key = await openMade(through(), directory, made, { passwordInClear: true });
    const message = randomBytes(64);
    expect(verifies(directory, made, message, await key.signer.sign(message))).toBe(true);
    expect(proxy.names).not.toContain('StartAuthSession');
    expect([proxy.wire.includes(KEY_PASSWORD), proxy.wire.includes(PARENT_PASSWORD)]).toEqual([true, true]);
  });

  it('does not believe an answer whose HMAC is not the TPM’s', async () => {
    const key = await openMade(through(), directory, keyNamed(keys, 'h-ecc256-pw'));
    for (const fromEnd of [1, 20, 32, 34, 40, 66]) {
      proxy.fault = {
        command: 'Sign',
        change(answer) {
          const changed = Buffer.from(answer);
          changed[changed.length - fromEnd] = (changed[changed.length - fromEnd] ?? 0) ^ 1;
          return changed;
        },
      };
      const { code, message } = await refusal(() => key.signer.sign(randomBytes(4)));
      expect([fromEnd, code, message.includes('HMAC')]).toEqual([
        fromEnd,
        'ERR_TPM_ANSWER',
        fromEnd !== 34, // the size of the HMAC
      ]);
    }
    proxy.fault = undefined;
    expect(await tpm.leftovers()).toEqual([]);
  });

  it('does not take another public key for that of a handle', async () => {
    proxy.fault = {
      command: 'ReadPublic',
      change(answer) {
        const changed = Buffer.from(answer);
        changed[60] = (changed[60] ?? 0) ^ 1;
        return changed;
      },
    };
    expect(await refusalCode(() => openMade(through(), directory, keyNamed(keys, 'h-ecc256')))).toBe('ERR_TPM_ANSWER');
  });

  it('uses one session for the parent and the key, and gives every slot back', async () => {
    await (await openMade(through(), directory, keyNamed(keys, 'o-parentpw-p256-pw'))).signer.sign(randomBytes(4));
    expect(proxy.names.filter((name) => name === 'StartAuthSession').length).toBe(1);
    const loads = proxy.names.filter((name) => ['CreatePrimary', 'Load', 'StartAuthSession'].includes(name)).length;
    expect(proxy.names.filter((name) => name === 'FlushContext').length).toBe(loads);
    expect(new Set(proxy.exchanges.map(({ connection }) => connection)).size).toBe(1);
    expect(await tpm.leftovers()).toEqual([]);
  });
});

/** The parts of TPM2_StartAuthSession (part 3, section 11.1). */
function startOf(command: Buffer): {
  saltKey: number;
  nonceCaller: Buffer;
  secretBytes: number;
  salt: string;
  algorithm: number;
} {
  const nonceSize = command.readUInt16BE(18);
  const at = 20 + nonceSize;
  const secretBytes = command.readUInt16BE(at);
  return {
    saltKey: command.readUInt32BE(10),
    nonceCaller: command.subarray(20, at),
    secretBytes,
    salt: command.subarray(at + 2, at + 2 + secretBytes).toString('hex'),
    algorithm: command.readUInt16BE(command.length - 2),
  };
}

/** The handle of the session that authorises a command with one handle. */
function sessionOf({ command }: Exchange): number {
  return command.readUInt32BE(18);
}
