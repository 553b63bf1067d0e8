/** What a program does with its options, its environment and its working directory after it made a provider. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { fromAssumeRole, fromRolesAnywhere, fromWebIdentity } from '../../src/index.ts';
import type { CredentialsStore, RolesAnywhereOptions } from '../../src/index.ts';
import { PKI } from '../support/cli.ts';
import { SOURCE, type ScriptedSts, scriptedSts } from '../support/sts.ts';
import { startTestEmulator } from '../support/vending.ts';

const home = process.cwd();
let emulator: Emulator;
let dir: string;
let sts: ScriptedSts;
beforeAll(async () => {
  emulator = await startTestEmulator();
  sts = await scriptedSts();
});
afterAll(async () => {
  await emulator.close();
  await sts.close();
});
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ra-later-'));
  for (const [folder, kind] of [
    ['one', 'ec-p256'],
    ['other', 'rsa-2048'],
  ] as const) {
    mkdirSync(join(dir, folder));
    copyFileSync(`${PKI}${kind}.combined.pem`, join(dir, folder, 'id.pem'));
  }
});
afterEach(() => {
  process.chdir(home);
  delete process.env['LATER_IDENTITY'];
  rmSync(dir, { recursive: true, force: true });
});

const combined = (kind: string): Buffer => readFileSync(`${PKI}${kind}.combined.pem`);

function options(certificate: string | Uint8Array, extra: Partial<RolesAnywhereOptions> = {}): RolesAnywhereOptions {
  return {
    trustAnchorArn: emulator.trustAnchorArns[0] ?? '',
    profileArn: emulator.profileArns[0] ?? '',
    roleArn: emulator.roleArns[0] ?? '',
    endpoint: emulator.url,
    certificate,
    intermediates: `${PKI}intermediate.pem`,
    ...extra,
  };
}

/** The certificate behind a set: sessions are called by its serial number. */
async function holder(given: RolesAnywhereOptions): Promise<string | undefined> {
  return (await fromRolesAnywhere(given)()).assumedRoleArn;
}

function mapStore(): CredentialsStore {
  const texts = new Map<string, string>();
  return { get: async (key) => texts.get(key), set: async (key, text) => void texts.set(key, text) };
}

describe('the certificate', () => {
  it('stays that of the folder in which it was named', async () => {
    process.chdir(join(dir, 'one'));
    const credentials = fromRolesAnywhere(options('id.pem'));
    process.chdir(join(dir, 'other'));
    expect((await credentials()).assumedRoleArn).toBe(await holder(options(join(dir, 'one', 'id.pem'))));
  });

  it('stays what it was when its bytes are wiped or written over', async () => {
    const bytes = combined('ec-p256');
    const credentials = fromRolesAnywhere(options(bytes));
    bytes.fill(0);
    expect((await credentials()).assumedRoleArn).toBe(await holder(options(combined('ec-p256'))));
  });

  it('is read from its variable anew, and never kept under the name of what was there before', async () => {
    const cache = mapStore();
    process.env['LATER_IDENTITY'] = combined('ec-p256').toString();
    const one = fromRolesAnywhere(options('env:LATER_IDENTITY', { cache }));
    process.env['LATER_IDENTITY'] = combined('rsa-2048').toString();
    expect((await one()).assumedRoleArn).toBe(await holder(options(combined('rsa-2048'))));
    process.env['LATER_IDENTITY'] = combined('ec-p256').toString();
    expect(await holder(options('env:LATER_IDENTITY', { cache }))).toBe(await holder(options(combined('ec-p256'))));
  });

  it('is not kept where its variable changed while the service was asked', async () => {
    const texts = new Map<string, string>();
    const cache: CredentialsStore = {
      get: async (key) => {
        // Between the moment at which the name is known and the one at which the variable is read.
        process.env['LATER_IDENTITY'] = combined('rsa-2048').toString();
        return texts.get(key);
      },
      set: async (key, text) => void texts.set(key, text),
    };
    process.env['LATER_IDENTITY'] = combined('ec-p256').toString();
    await holder(options('env:LATER_IDENTITY', { cache }));
    expect(texts.size).toBe(0);
  });
});

describe('options', () => {
  it('are those of the moment of the call, lists and objects in them too', async () => {
    const tags = { Team: 'blue' };
    const policyArns = ['arn:aws:iam::aws:policy/ReadOnlyAccess'];
    const given = {
      source: SOURCE,
      roleArn: 'arn:aws:iam::111122223333:role/Target',
      region: 'eu-west-1',
      endpoint: sts.url,
    };
    const credentials = fromAssumeRole({ ...given, tags, policyArns });
    tags.Team = 'red';
    policyArns.length = 0;
    await credentials();
    const { parameters } = sts.calls.at(-1) ?? {};
    expect(parameters).toMatchObject({
      'Tags.member.1.Value': 'blue',
      'PolicyArns.member.1.arn': 'arn:aws:iam::aws:policy/ReadOnlyAccess',
    });
  });

  it('may be inherited, as from a class with getters', async () => {
    class Settings {
      readonly #given = options(combined('ec-p256'), { durationSeconds: 900 });
      get certificate() {
        return this.#given.certificate;
      }
      get durationSeconds() {
        return this.#given.durationSeconds;
      }
    }
    const { certificate: _, ...rest } = options('');
    const inherited = Object.assign(new Settings(), rest);
    const left = (await fromRolesAnywhere(inherited)()).expiration.getTime() - Date.now();
    expect(left).toBeLessThanOrEqual(900_000);
  });
});

describe('the file of a web identity token', () => {
  it('stays that of the folder in which it was named', async () => {
    for (const folder of ['one', 'other']) writeFileSync(join(dir, folder, 'token'), `token-of-${folder}`);
    process.chdir(join(dir, 'one'));
    const credentials = fromWebIdentity({
      roleArn: 'arn:aws:iam::111122223333:role/Target',
      tokenFile: 'token',
      region: 'eu-west-1',
      endpoint: sts.url,
    });
    process.chdir(join(dir, 'other'));
    await credentials().catch(() => undefined);
    expect(sts.calls.at(-1)?.parameters['WebIdentityToken']).toBe('token-of-one');
  });
});
