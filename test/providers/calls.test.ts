import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/index.ts';
import * as library from '../../src/index.ts';
import { PKI } from '../support/cli.ts';
import { refusal } from '../support/refusal.ts';
import { startTestEmulator } from '../support/vending.ts';

let emulator: Emulator;
let identity: library.Identity;
beforeAll(async () => {
  emulator = await startTestEmulator();
  identity = await library.loadIdentity({
    certificate: `${PKI}ec-p256.crt.pem`,
    privateKey: `${PKI}ec-p256.key.pem`,
    intermediates: readFileSync(`${PKI}intermediate.pem`),
  });
});
afterAll(async () => {
  await identity.close();
  await emulator.close();
});

const arns = (): Pick<library.CreateSessionCall, 'trustAnchorArn' | 'profileArn' | 'roleArn'> => ({
  trustAnchorArn: emulator.trustAnchorArns[0] ?? '',
  profileArn: emulator.profileArns[0] ?? '',
  roleArn: emulator.roleArns[0] ?? '',
});

describe('a call without more than it needs', () => {
  it('takes endpoints as text, a transport by itself, and the region of the trust anchor', async () => {
    const session = await library.createSession(
      { identity, ...arns() },
      { endpoints: { rolesanywhere: emulator.url, sts: emulator.url, signin: emulator.url } },
    );
    expect(session.accessKeyId).toMatch(/^ASIA/);
    const url = await library.signinUrl({ credentials: session }, { endpoints: { signin: emulator.url } });
    expect(url).toContain('Action=login');
  });
});

const KEY = { accessKeyId: 'AKIAEXAMPLEEXAMPLE00', secretAccessKey: 'secret' };
const ROLE = 'arn:aws:iam::123456789012:role/Demo';

/** Calls as programs without types make them. */
describe('a call that cannot be right', () => {
  const loose = library as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
  const call = async (name: string, ...args: unknown[]): Promise<string> =>
    (await refusal(async () => await loose[name]?.(...args))).code;

  it.each(['createSession', 'assumeRole', 'assumeRoleWithWebIdentity', 'signinUrl'])(
    '%s without anything is refused in words',
    async (name) => {
      expect(await call(name)).toBe('ERR_FLAG_REQUIRED');
      expect(await call(name, 'text')).toBe('ERR_USAGE');
      expect(await call(name, {})).toMatch(/^ERR_(?:FLAG_REQUIRED|USAGE)$/);
    },
  );

  it.each<[string, object, object, string]>([
    ['createSession', { identity: {} }, {}, 'ERR_FLAG_REQUIRED'],
    ['createSession', { region: 'x.evil.com' }, {}, 'ERR_REGION'],
    ['createSession', { durationSeconds: 1 }, {}, 'ERR_DURATION'],
    ['createSession', { durationSecond: 900 }, {}, 'ERR_USAGE'],
    ['createSession', {}, { endpoints: { rolesanywhere: 'http://example.com' } }, 'ERR_ENDPOINT'],
    ['createSession', {}, { endpoints: { rolesanywhere: 42 } }, 'ERR_ENDPOINT'],
    ['createSession', {}, { endpoint: 'https://example.com' }, 'ERR_USAGE'],
    ['createSession', {}, { transport: {} }, 'ERR_USAGE'],
    ['createSession', {}, { tls: 'ca.pem' }, 'ERR_USAGE'],
  ])('%s with %o and %o is %s', async (name, request, connection, code) => {
    expect(await call(name, { identity, ...arns(), ...request }, connection)).toBe(code);
  });

  it.each<[string, object, string]>([
    ['assumeRole', { roleArn: ROLE, credentials: KEY }, 'ERR_FLAG_REQUIRED'],
    ['assumeRole', { roleArn: ROLE, region: 'us-east-1', credentials: {} }, 'ERR_FLAG_REQUIRED'],
    ['assumeRole', { roleArn: ROLE, region: 'us-east-1', credentials: KEY, externalID: 'x1' }, 'ERR_USAGE'],
    ['assumeRole', { roleArn: ROLE, region: 'us-east-1', credentials: KEY, policyArns: 'arn' }, 'ERR_USAGE'],
    ['assumeRoleWithWebIdentity', { roleArn: ROLE, region: 'us-east-1', token: 'text' }, 'ERR_USAGE'],
    ['signinUrl', { credentials: KEY }, 'ERR_SOURCE_CREDENTIALS'],
    ['signinUrl', { credentials: KEY, partition: 7 }, 'ERR_USAGE'],
  ])('%s with %o is %s', async (name, request, code) => {
    expect(await call(name, request)).toBe(code);
  });

  it('names the member that was meant', async () => {
    const error = await refusal(
      async () =>
        await loose['assumeRole']?.({ roleArn: ROLE, region: 'us-east-1', credentials: KEY, externalID: 'x1' }),
    );
    expect(error.hint).toBe('did you mean externalId');
  });
});

describe('a provider', () => {
  const loose = library as unknown as Record<string, (options: object) => unknown>;
  it.each([
    ['fromRolesAnywhere', 'sessionDuration'],
    ['fromAssumeRole', 'sourceIdentiy'],
    ['fromWebIdentity', 'tokenfile'],
  ])('%s refuses an option that nobody reads', async (name, option) => {
    const error = await refusal(() => loose[name]?.({ [option]: 'x' }));
    expect([error.code, error.message]).toEqual(['ERR_USAGE', expect.stringContaining(option)]);
  });
});
