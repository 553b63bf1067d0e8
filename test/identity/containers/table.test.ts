import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type IdentitySpec, loadIdentity } from '../../../src/identity/load.ts';
import type { PasswordSources } from '../../../src/identity/passwords.ts';
import { CONTAINER_CASES, PASSWORD, makeContainers, placesOf } from '../../support/containers.ts';
import { pkiText } from '../../support/pki.ts';
import { refusal } from '../../support/refusal.ts';
import { verifyWithCertificate } from '../../support/verify.ts';
import { requireTool } from '../../support/tools.ts';

const MESSAGE = Buffer.from('to be signed');
let dir: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'containers-'));
  await makeContainers(dir, PASSWORD);
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

async function load(spec: IdentitySpec, passwords: PasswordSources) {
  return await loadIdentity(spec, { passwords, ask: async () => undefined });
}

const given = (password: string): PasswordSources =>
  password === ''
    ? {}
    : {
        pkcs8: { password, from: '--pkcs8-password' },
        pkcs12: { password, from: '--pkcs12-password' },
      };

const hasOpenssl = requireTool('openssl');
const LOCKED = CONTAINER_CASES.filter(({ container }) => container.password !== undefined);

describe.skipIf(!hasOpenssl)('every key in every kind of file', () => {
  it.each(CONTAINER_CASES)('$kind in $container.name opens, byte for byte, and signs', async (example) => {
    const identity = await load(placesOf(example, dir), given(passwordFor(example.container.name)));
    const leaf = new X509Certificate(pkiText(`${example.kind}.crt.pem`)).raw;
    const issuer = example.kind.startsWith('ml-dsa') ? 'ml-dsa-intermediate.pem' : 'intermediate.pem';
    expect(Buffer.from(identity.certificate)).toEqual(leaf);
    expect(identity.chain.map((der) => Buffer.from(der))).toEqual([new X509Certificate(pkiText(issuer)).raw]);
    expect(verifyWithCertificate(leaf, MESSAGE, await identity.signer.sign(MESSAGE))).toBe(true);
    await identity.close();
    await identity.close();
  });

  it.each(LOCKED)('$kind in $container.name stays shut for a wrong password', async (example) => {
    const error = await refusal(async () => await load(placesOf(example, dir), given('not the one')));
    expect(error.code).toBe('ERR_PASSWORD_INCORRECT');
    expect(error.message).toContain(`--${example.container.password}-password`);
    expect(`${error.message} ${error.hint} ${String(error.cause)}`).not.toContain('not the one');
  });

  it.each(LOCKED)('$kind in $container.name needs its password, and says how to give one', async (example) => {
    const error = await refusal(async () => await load(placesOf(example, dir), {}));
    expect(error.code).toBe('ERR_PASSWORD_REQUIRED');
    expect(error.hint).toContain(`--${example.container.password}-password-file`);
    expect(error.hint).toContain(`ROLES_ANYWHERE_${example.container.password?.toUpperCase()}_PASSWORD`);
  });
});

/** The one container whose password is the empty one is opened without one. */
function passwordFor(name: string): string {
  return name === 'PKCS#12, empty password' ? '' : PASSWORD;
}
