import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../../src/emulator/emulator.ts';
import { explain } from '../../../src/emulator/wire/explain.ts';
import { signedCall } from '../services/control/drivers.ts';
import { type Draft, type Message, draft, send, setHeader, signed } from '../support/signed-request.ts';
import { type Client, NOW, makeAuthority, makeClient, startWith } from '../support/world.ts';

let emulator: Emulator;
let alice: Client;
beforeAll(async () => {
  const root = await makeAuthority('root');
  alice = await makeClient(root);
  emulator = await startWith(root);
});
afterAll(() => emulator.close());

/** Signs what `before` makes of a good request, and sends what `after` makes of that. */
async function verdictOf(before: (request: Draft) => void, after: (message: Message) => void = () => undefined) {
  const request = draft(alice, emulator.url, { now: NOW });
  before(request);
  const message = signed(request, alice);
  after(message);
  expect(await send(emulator.url, message)).toMatchObject({ status: 403 });
  return emulator.verdicts.at(-1)!;
}

/** What is put back, after it was signed otherwise. */
function instead(change: (request: Draft) => void) {
  let right: Message;
  return [
    (request: Draft): void => {
      right = structuredClone({ ...request });
      change(request);
    },
    (message: Message): void => {
      Object.assign(message, { method: right.method, path: right.path, query: right.query, body: right.body });
      for (const [name, value] of right.headers) setHeader(message, name.toLowerCase(), () => value);
    },
  ] as const;
}

describe('a refused signature names the mistake', () => {
  it.each<[string, (request: Draft) => void]>([
    ['the host without its port', (request) => setHeader(request, 'host', () => '127.0.0.1')],
    ['an empty body', (request) => (request.body = '')],
    ['the body in another spacing', (request) => (request.body = '{"durationSeconds": 3600}')],
    ['no query', (request) => (request.query = '')],
    ['the path /', (request) => (request.path = '/')],
    ['a slash at the end of the path', (request) => (request.path = '/sessions/')],
    ['the method in lower case', (request) => (request.method = 'post')],
    ['the query as it was sent', (request) => (request.query = decodeURIComponent(request.query))],
  ])('%s', async (what, change) => {
    // That query is sent as it was signed; everything else is put right again.
    const [before, after] = what.startsWith('the query') ? [change] : instead(change);
    const verdict = await verdictOf(before, after);
    expect(verdict.reason).toContain(`, but over one with ${what}`);
    expect(verdict.signed).not.toBe(verdict.expected);
    expect(explain(verdict)).toMatch(/^line \d+ of the canonical request:\n {2}the client signed {2}".*"\n {2}it sent/);
  });

  it('in the line where the requests differ', async () => {
    const host = new URL(emulator.url).host;
    const verdict = await verdictOf(...instead((request) => setHeader(request, 'host', () => '127.0.0.1')));
    expect(explain(verdict)).toBe(
      `line 5 of the canonical request:\n  the client signed  "host:127.0.0.1"\n  it sent            "host:${host}"`,
    );
  });

  it('and, when there is none that is known, shows what was expected', async () => {
    const verdict = await verdictOf(
      () => undefined,
      (message) => (message.body = '{}'),
    );
    expect(verdict.reason).toBe("the signature is not that of the certificate's key over this request");
    expect(verdict).not.toHaveProperty('signed');
    expect(explain(verdict)).toMatch(/^the canonical request that was expected:\n {2}1 {2}POST\n {2}2 {2}\/sessions\n/);
  });

  it('for the control plane too, without the session token', async () => {
    const good = await send(emulator.url, signed(draft(alice, emulator.url, { now: NOW }), alice));
    const { credentialSet } = JSON.parse(good.body) as {
      credentialSet: [{ credentials: { accessKeyId: string; secretAccessKey: string; sessionToken: string } }];
    };
    const { credentials } = credentialSet[0];
    const other = { ...credentials, secretAccessKey: 'wrong' };
    expect(await signedCall(emulator.url, { method: 'GET', path: '/crls' }, other, { now: NOW })).toMatchObject({
      type: 'InvalidSignatureException',
    });
    const verdict = emulator.verdicts.at(-1)!;
    expect(verdict.expected).toContain('x-amz-security-token:<redacted>');
    expect(JSON.stringify(verdict)).not.toContain(credentials.sessionToken);
  });

  it('and has nothing to explain of other refusals', () => {
    const first = emulator.verdicts.find(({ accepted }) => accepted);
    expect(explain(first!)).toBeUndefined();
  });
});
