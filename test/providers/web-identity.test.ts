import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fromWebIdentity } from '../../src/index.ts';
import type { WebIdentityProviderOptions } from '../../src/index.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { outcome, refusal } from '../support/refusal.ts';
import { type ScriptedSts, scriptedSts } from '../support/sts.ts';

const ROLE = 'arn:aws:iam::111122223333:role/Target';

let sts: ScriptedSts;
let folder: string;
beforeEach(async () => {
  sts = await scriptedSts();
  folder = mkdtempSync(join(tmpdir(), 'web-identity-'));
  for (const name of ['AWS_ROLE_ARN', 'AWS_ROLE_SESSION_NAME', 'AWS_WEB_IDENTITY_TOKEN_FILE', 'AWS_REGION'])
    vi.stubEnv(name, undefined);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
  await sts.close();
});

function options(extra: WebIdentityProviderOptions = {}): WebIdentityProviderOptions {
  return { roleArn: ROLE, region: 'eu-west-1', endpoint: sts.url, ...extra };
}

/** A token in a file, with the line feed that an editor leaves. */
function tokenFile(token: string): string {
  const path = join(folder, 'token');
  writeFileSync(path, `${token}\n`);
  return path;
}

function pipe(): string {
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  return path;
}

describe('fromWebIdentity', () => {
  it('asks STS with the token of the retriever, unsigned, for the time that STS chooses', async () => {
    const credentials = fromWebIdentity(options({ tokenRetriever: () => Promise.resolve('a.b.c') }));
    expect((await credentials()).assumedRoleArn).toContain(':assumed-role/Target/roles-anywhere-');
    expect(sts.calls).toHaveLength(1);
    expect(sts.calls[0]).toMatchObject({ signedBy: undefined, parameters: { WebIdentityToken: 'a.b.c' } });
    expect(sts.calls[0]?.parameters).not.toHaveProperty('DurationSeconds');
  });

  it('takes a byte order mark and line ends of Windows for no part of the token', async () => {
    await fromWebIdentity(options({ tokenFile: tokenFile('\ufeffto.ke.n\r') }))();
    expect(sts.calls[0]).toMatchObject({ parameters: { WebIdentityToken: 'to.ke.n' } });
  });

  it('names a file that holds something else, and shows nothing of it', async () => {
    const path = tokenFile('not a token');
    const error = await refusal(() => fromWebIdentity(options({ tokenFile: path }))());
    expect(error).toMatchObject({ code: 'ERR_WEB_IDENTITY_TOKEN', message: `the token file ${path} holds no token` });
    expect(`${error.message} ${error.hint}`).not.toContain('not a token');
  });

  it('reads the token file again for each request', async () => {
    const clock = new FakeClock(Date.now());
    const credentials = fromWebIdentity(options({ clock, tokenFile: tokenFile('first.token') }));
    await credentials();
    tokenFile('second.token');
    sts.lifeMs = 3 * 3_600_000;
    await clock.advance(3_600_000);
    await credentials();
    expect(sts.calls.map(({ parameters }) => parameters['WebIdentityToken'])).toEqual(['first.token', 'second.token']);
  });

  it('takes role, name, token and region from the variables of the AWS SDKs', async () => {
    vi.stubEnv('AWS_ROLE_ARN', ROLE);
    vi.stubEnv('AWS_ROLE_SESSION_NAME', 'pod');
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', tokenFile('from.a.variable'));
    vi.stubEnv('AWS_REGION', 'eu-west-1');
    await fromWebIdentity({ endpoint: sts.url })();
    expect(sts.calls[0]?.parameters).toMatchObject({
      RoleArn: ROLE,
      RoleSessionName: 'pod',
      WebIdentityToken: 'from.a.variable',
    });
  });

  it('prefers its options to the variables', async () => {
    vi.stubEnv('AWS_ROLE_ARN', 'arn:aws:iam::111122223333:role/Other');
    vi.stubEnv('AWS_WEB_IDENTITY_TOKEN_FILE', '/no/such/file');
    await fromWebIdentity(options({ tokenFile: tokenFile('mine.to.give') }))();
    expect(sts.calls[0]?.parameters).toMatchObject({ RoleArn: ROLE, WebIdentityToken: 'mine.to.give' });
  });

  it('passes every parameter on', async () => {
    const parameters = {
      roleSessionName: 'me',
      durationSeconds: 901,
      policy: '{"Statement":[]}',
      policyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess'],
      providerId: 'graph.facebook.com',
    };
    await fromWebIdentity(options({ ...parameters, tokenFile: tokenFile('to.ke.n') }))();
    expect(sts.calls[0]?.parameters).toEqual({
      Action: 'AssumeRoleWithWebIdentity',
      Version: '2011-06-15',
      RoleArn: ROLE,
      RoleSessionName: 'me',
      DurationSeconds: '901',
      Policy: '{"Statement":[]}',
      'PolicyArns.member.1.arn': 'arn:aws:iam::aws:policy/ReadOnlyAccess',
      ProviderId: 'graph.facebook.com',
      WebIdentityToken: 'to.ke.n',
    });
  });

  it.each<[string, () => WebIdentityProviderOptions]>([
    ['a file that is not there', () => ({ tokenFile: '/no/such/file' })],
    ['an empty file', () => ({ tokenFile: tokenFile('') })],
    ['a folder', () => ({ tokenFile: folder })],
    ['a pipe that nobody writes to', () => ({ tokenFile: pipe() })],
    [
      'a retriever that gives nothing',
      () => ({ tokenRetriever: () => Promise.resolve(undefined as unknown as string) }),
    ],
    ['a file with more than a token', () => ({ tokenFile: tokenFile('two tokens') })],
    ['a retriever that rejects', () => ({ tokenRetriever: () => Promise.reject(new Error('header.claims')) })],
  ])('rejects for %s, and nothing is sent', async (_, given) => {
    const error = await refusal(() => fromWebIdentity(options(given()))());
    expect(error.code).toBe('ERR_WEB_IDENTITY_TOKEN');
    expect(error.message).not.toMatch(/header|two tokens/);
    expect(sts.calls).toHaveLength(0);
  });

  it('says of a tilde that it is one', async () => {
    const error = await refusal(() => fromWebIdentity(options({ tokenFile: '~/no/such/file' }))());
    expect(error.hint).toContain('~ is not expanded');
  });

  it.each<[string, string, WebIdentityProviderOptions]>([
    ['no role', 'ERR_ARN', { roleArn: undefined }],
    ['no token', 'ERR_WEB_IDENTITY_TOKEN', {}],
    ['two tokens', 'ERR_USAGE', { tokenFile: 'x', tokenRetriever: () => Promise.resolve('y') }],
    ['a policy that is none', 'ERR_POLICY', { tokenFile: 'x', policy: '[' }],
  ])('refuses at once %s', (_, code, given) => {
    expect(outcome(() => fromWebIdentity(options(given)))).toEqual({ code });
  });
});
