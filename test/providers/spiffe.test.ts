import { afterEach, describe, expect, it } from 'vitest';
import { fromWebIdentity, loadIdentity, spiffe, spiffeToken } from '../../src/index.ts';
import {
  type WorkloadApi,
  begin,
  complete,
  jwtAnswer,
  makeTrustDomain,
  refuse,
  startWorkloadApi,
  x509Answer,
} from '../support/workload-api.ts';

const TOKEN = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl';

let api: WorkloadApi | undefined;
afterEach(async () => {
  await api?.close();
  api = undefined;
});

describe('spiffe()', () => {
  it('is a certificate of the other options, asked for anew each time', async () => {
    const domain = await makeTrustDomain();
    const web = await domain.issue();
    const hint = 'a&b';
    const batch = await domain.issue({ id: 'spiffe://example.org/batch', hint });
    api = await startWorkloadApi((question) => begin(question, x509Answer(web, batch)));
    const first = await loadIdentity({ certificate: spiffe({ socket: api.address }) });
    const second = await loadIdentity({ certificate: spiffe({ socket: api.address, id: batch.id, hint }) });
    expect([first.serialNumber, second.serialNumber]).toEqual([web.serialNumber, batch.serialNumber]);
    expect(api.questions).toHaveLength(2);
  });

  it('refuses at once what cannot be', () => {
    expect(() => spiffe({ socket: '/run/agent.sock' })).toThrow('neither unix: nor tcp:');
    expect(() => spiffe({ socket: 'unix:///s', id: 'web' })).toThrow('is not a SPIFFE ID');
    expect(() => Reflect.apply(spiffe, undefined, [{ sockets: 'unix:///s' }])).toThrow('sockets');
  });
});

describe('spiffeToken()', () => {
  it('gives a token for the audience to a provider', async () => {
    api = await startWorkloadApi((question) => complete(question, jwtAnswer({ id: 'spiffe://a/b', token: TOKEN })));
    const tokenRetriever = spiffeToken({ socket: api.address, audience: 'sts.amazonaws.com', timeoutMs: 10_000 });
    expect(await tokenRetriever({ signal: new AbortController().signal })).toBe(TOKEN);
    expect(api.questions[0]?.request.toString()).toContain('sts.amazonaws.com');
  });

  it('lets its own errors through, without the token', async () => {
    api = await startWorkloadApi((question) => refuse(question, 7, `no: ${TOKEN}`));
    const provider = fromWebIdentity({
      roleArn: 'arn:aws:iam::111122223333:role/Web',
      region: 'us-east-1',
      tokenRetriever: spiffeToken({ socket: api.address, audience: 'a' }),
    });
    const error = await provider().then(String, (cause: Error & { code: string }) => `${cause.code} ${cause.message}`);
    expect(error).toContain('ERR_SPIFFE_DENIED');
    expect(error).not.toContain(TOKEN);
  });

  it('needs an audience', () => {
    expect(() => spiffeToken({ socket: 'unix:///s', audience: '' })).toThrow('needs the audience');
  });
});
