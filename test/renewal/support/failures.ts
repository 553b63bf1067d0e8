/** What a CA may answer that is not to be taken, and what is said of it. */
import { HOUR_MS, generateKeys } from '../../../certs-dev/authority.ts';
import type { ErrorCode } from '../../../src/platform/errors.ts';
import { x509 } from '../../../src/platform/x509-library.ts';
import type { Twist } from './ca.ts';
import type { Answered } from './https.ts';

export interface Failure {
  readonly what: string;
  readonly twist?: (() => Promise<Twist>) | undefined;
  readonly instead?: Answered | 'never' | undefined;
  readonly code: ErrorCode;
  readonly message: RegExp;
}

export function failures(kind: 'EST' | 'Vault'): Failure[] {
  const type = kind === 'EST' ? 'application/pkcs7-mime' : 'application/json';
  const said = kind === 'EST' ? 'go away' : JSON.stringify({ errors: ['go away'] });
  const answer = (status: number, body: string): Answered => ({ status, headers: { 'content-type': type }, body });
  return [
    {
      what: 'a certificate of another subject',
      twist: async () => ({ subject: 'CN=other' }),
      code: 'ERR_RENEWAL_CHECK',
      message: /another subject: CN=other in place of/,
    },
    {
      what: 'a shorter life',
      twist: async () => ({ lifeMs: HOUR_MS / 2 }),
      code: 'ERR_RENEWAL_CHECK',
      message: /ends sooner/,
    },
    {
      what: 'another key',
      twist: async () => ({ publicKey: await x509.PublicKey.create((await generateKeys('ec-p256')).publicKey) }),
      code: 'ERR_RENEWAL_CHECK',
      message: /another key/,
    },
    { what: 'garbage', instead: answer(200, '\u0000{{{'), code: 'ERR_RESPONSE_INVALID', message: /the answer of/ },
    { what: 'nothing', instead: answer(200, ''), code: 'ERR_RESPONSE_INVALID', message: /the answer of/ },
    {
      what: 'a page',
      instead: { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>log in</html>' },
      code: 'ERR_RESPONSE_INVALID',
      message: /the answer of/,
    },
    {
      what: 'a flood',
      instead: answer(200, 'A'.repeat(300_000)),
      code: 'ERR_RESPONSE_INVALID',
      message: /longer than/,
    },
    { what: '401', instead: answer(401, said), code: 'ERR_RENEWAL_REFUSED', message: /answered 401: go away/ },
    { what: '403', instead: answer(403, said), code: 'ERR_RENEWAL_REFUSED', message: /answered 403: go away/ },
    {
      what: '302',
      instead: { status: 302, headers: { location: 'https://elsewhere.example' } },
      code: 'ERR_RENEWAL_REFUSED',
      message: /answered 302/,
    },
    { what: '429', instead: answer(429, said), code: 'ERR_THROTTLED', message: /answered 429: go away/ },
    { what: '500', instead: answer(500, said), code: 'ERR_SERVICE_FAILED', message: /answered 500: go away/ },
    {
      what: '503 with a page',
      instead: answer(503, '<html>sorry</html>'),
      code: 'ERR_SERVICE_FAILED',
      message: /answered 503$/,
    },
    { what: 'no answer, ever', instead: 'never', code: 'ERR_TIMEOUT', message: /no complete answer/ },
  ];
}
