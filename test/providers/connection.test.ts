/** What every provider of the library takes: how it works together with the AWS SDK, and with what is there on a machine. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { chain } from '@smithy/core/config';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fromAssumeRole, fromRolesAnywhere, fromWebIdentity } from '../../src/index.ts';
import type { AssumeRoleProviderOptions, RolesAnywhereOptions } from '../../src/index.ts';
import { PKI } from '../support/cli.ts';
import { refusal, refusalCode } from '../support/refusal.ts';
import { SOURCE, type ScriptedSts, scriptedSts } from '../support/sts.ts';
import { startTestEmulator } from '../support/vending.ts';

const ROLE = 'arn:aws:iam::111122223333:role/Target';

let sts: ScriptedSts;
beforeEach(async () => {
  sts = await scriptedSts();
  for (const name of ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_PROFILE']) vi.stubEnv(name, undefined);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await sts.close();
});

function options(extra: Partial<AssumeRoleProviderOptions> = {}): AssumeRoleProviderOptions {
  return { source: SOURCE, roleArn: ROLE, region: 'eu-west-1', endpoint: sts.url, ...extra };
}

const denied = { status: 403, code: 'AccessDenied', message: 'not this one' };

const next = (): Promise<typeof SOURCE> => Promise.resolve(SOURCE);

describe('tryNextLink', () => {
  it("lets a chain of the SDK go on after a failure, of a call and of refresh()'s", async () => {
    sts.answer = () => denied;
    const provider = fromAssumeRole(options({ tryNextLink: true }));
    expect(await chain<object>(provider, next)()).toEqual(SOURCE);
    expect(await chain<object>(() => provider.refresh(), next)()).toEqual(SOURCE);
  });

  it('is off by default: the chain ends with the error', async () => {
    sts.answer = () => denied;
    expect(await refusalCode(chain<object>(fromAssumeRole(options()), next))).toBe('ERR_ACCESS_DENIED');
  });

  it('does not hold for a provider that was closed', async () => {
    const provider = fromAssumeRole(options({ tryNextLink: true }));
    provider.close();
    expect(await refusalCode(chain<object>(provider, next))).toBe('ERR_INTERRUPTED');
  });
});

const scopeOf = (index: number): string | undefined => sts.calls[index]?.signedBy?.scope;

describe('the region in which STS is asked', () => {
  it('is that of the client, before AWS_REGION', async () => {
    vi.stubEnv('AWS_REGION', 'eu-north-1');
    const credentials = fromAssumeRole(options({ region: undefined }));
    const client = new STSClient({ region: 'ap-southeast-2', endpoint: sts.url, credentials });
    await client.send(new GetCallerIdentityCommand({}));
    expect(scopeOf(0)).toContain('/ap-southeast-2/sts/');
    await fromAssumeRole(options({ region: undefined }))();
    expect(scopeOf(2)).toContain('/eu-north-1/sts/');
  });

  it('is the one that was given, before that of the client', async () => {
    await fromAssumeRole(options())({ callerClientConfig: { region: () => Promise.resolve('ap-southeast-2') } });
    expect(scopeOf(0)).toContain('/eu-west-1/sts/');
  });

  it('is that of the client with a token too', async () => {
    const hosts: string[] = [];
    const credentials = fromWebIdentity({
      roleArn: ROLE,
      tokenRetriever: () => Promise.resolve('token'),
      retry: { attempts: 1 },
      transport: ({ url }) => {
        hosts.push(url.host);
        return Promise.resolve({ status: 403, headers: {}, body: '' });
      },
    });
    await refusal(() => credentials({ callerClientConfig: { region: 'ap-southeast-2' } }));
    expect(hosts).toEqual(['sts.ap-southeast-2.amazonaws.com']);
  });

  it('is missed by the call where nobody names one', async () => {
    expect(await refusalCode(fromAssumeRole(options({ region: undefined })))).toBe('ERR_REGION');
  });
});

describe('log', () => {
  it('is told of new credentials and of failures, with no secret', async () => {
    const told: unknown[][] = [];
    const at =
      (level: string) =>
      (...args: unknown[]): number =>
        told.push([level, ...args]);
    const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
    const provider = fromAssumeRole(options({ log }));
    const { secretAccessKey, expiration } = await provider();
    expect(told).toContainEqual(['debug', 'new credentials', { until: expiration.toISOString() }]);
    sts.answer = () => denied;
    await refusal(fromAssumeRole(options({ log })));
    expect(told).toContainEqual(['warn', expect.stringContaining('not this one'), { code: 'ERR_ACCESS_DENIED' }]);
    expect(JSON.stringify(told)).not.toContain(secretAccessKey);
  });

  it('may throw without harm', async () => {
    const log = Object.fromEntries(['debug', 'info', 'warn', 'error'].map((level) => [level, broken]));
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the four names are there
    const provider = fromAssumeRole(options({ log: log as unknown as NonNullable<AssumeRoleProviderOptions['log']> }));
    expect(await provider()).toHaveProperty('sessionToken');
  });

  it('must have the four methods', async () => {
    const log: unknown = { debug: () => undefined };
    const error = await refusal(() => fromAssumeRole({ ...options(), log: log as typeof console }));
    expect([error.code, error.message]).toEqual(['ERR_FLAG_REQUIRED', 'log.info is not given']);
  });
});

function broken(): never {
  throw new Error('the log is broken');
}

describe('tls.ca', () => {
  it("takes the system's roots by name", async () => {
    vi.stubEnv('SSL_CERT_FILE', join(PKI, 'tls-root.pem'));
    vi.stubEnv('SSL_CERT_DIR', undefined);
    const given: unknown[] = [];
    const provider = fromAssumeRole(
      options({
        tls: { ca: 'system', minVersion: 'TLSv1.3' },
        retry: { attempts: 1 },
        transport: ({ tls }) => {
          given.push(tls);
          return Promise.resolve({ status: 403, headers: {}, body: '' });
        },
      }),
    );
    await refusal(provider);
    const body = /-----BEGIN[^]*END CERTIFICATE-----/.exec(readFileSync(join(PKI, 'tls-root.pem'), 'utf8'))?.[0];
    expect(given).toEqual([{ ca: expect.stringContaining(body ?? 'no root'), minVersion: 'TLSv1.3' }]);
  });
});

describe('fromAssumeRole without a source', () => {
  it("starts from the machine's own credentials, as the command assume-role does", async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', SOURCE.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', SOURCE.secretAccessKey);
    vi.stubEnv('AWS_SESSION_TOKEN', undefined);
    await fromAssumeRole(options({ source: undefined }))();
    expect(sts.calls[0]?.signedBy).toMatchObject({ accessKeyId: SOURCE.accessKeyId, valid: true });
  });
});

describe('skipChecks', () => {
  it('sends a certificate that breaks a rule, and warns', async () => {
    const emulator = await startTestEmulator();
    // Beside these it is asked for the time.
    const sessions = (): number => emulator.verdicts.filter(({ path }) => path === '/sessions').length;
    try {
      const warnings: string[] = [];
      const expired: RolesAnywhereOptions = {
        trustAnchorArn: emulator.trustAnchorArns[0] ?? '',
        profileArn: emulator.profileArns[0] ?? '',
        roleArn: emulator.roleArns[0] ?? '',
        endpoint: emulator.url,
        certificate: join(PKI, 'bad-expired.crt.pem'),
        privateKey: join(PKI, 'bad.key.pem'),
        intermediates: join(PKI, 'intermediate.pem'),
        onWarning: (message) => void warnings.push(message),
      };
      expect(await refusalCode(fromRolesAnywhere(expired))).toBe('ERR_CERTIFICATE_EXPIRED');
      expect([sessions(), warnings]).toEqual([0, []]);
      expect(await refusalCode(fromRolesAnywhere({ ...expired, skipChecks: true }))).toBe('ERR_ACCESS_DENIED');
      expect(sessions()).toBe(1);
      expect(warnings).toEqual([expect.stringContaining('expired')]);
    } finally {
      await emulator.close();
    }
  });
});
