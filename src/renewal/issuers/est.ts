/** Enrolment over Secure Transport (RFC 7030): simplereenroll, simpleenroll and cacerts. */
// Tests: test/renewal/est.test.ts
import { RolesAnywhereError } from '../../platform/errors.ts';
import { readPkcs7 } from '../../identity/containers/pkcs7.ts';
import type { Issuer } from '../issuer.ts';
import { type Reaching, ask, retryAfter, unusable } from '../request.ts';

export interface EstOptions extends Reaching {
  /** Of the server, with or without `/.well-known/est` and a label. */
  readonly url: URL;
  /** `USER:PASSWORD` for HTTP authentication (RFC 7030, section 3.2.3), read when it is needed. */
  readonly token?: (() => string) | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const WELL_KNOWN = '/.well-known/est';

/** An EST server. */
export function est(options: EstOptions): Issuer {
  const { url, token, now } = options;
  const name = `the EST server ${url.host}`;
  const base = url.pathname === '/' ? WELL_KNOWN : url.pathname.replace(/\/$/, '');
  const path = (end: string): URL => new URL(`${base}/${end}`, url);

  return {
    name,
    async issue({ csr, current }, signal) {
      // An expired certificate makes no connection: there is the password, where one was given.
      const valid = current !== undefined && current.leaf.notAfter.getTime() > now();
      const client = valid ? current.tls : undefined;
      if (client === undefined && token === undefined)
        throw new RolesAnywhereError(
          'ERR_UNSUPPORTED',
          `${name} cannot be shown the certificate: ${current === undefined || valid ? 'its key cannot be used for TLS' : 'it has expired'}`,
          {
            flag: '--renew-token-file',
            hint: 'give USER:PASSWORD for HTTP authentication in a file, with --renew-token-file',
          },
        );
      const headers = {
        accept: 'application/pkcs7-mime',
        ...(token !== undefined && { authorization: `Basic ${Buffer.from(token()).toString('base64')}` }),
      };
      const answer = await ask(
        name,
        options,
        {
          method: 'POST',
          url: path(current === undefined ? 'simpleenroll' : 'simplereenroll'),
          // Section 4.2.1: base64 of the DER, as lines of 64 characters in the manner of MIME.
          headers: {
            ...headers,
            'content-type': 'application/pkcs10',
            'content-transfer-encoding': 'base64',
          },
          body: lines(csr),
          client,
          signal,
        },
        explain,
      );
      if (answer.status === 202)
        throw new RolesAnywhereError('ERR_THROTTLED', `${name} has not decided yet (202)`, {
          status: 202,
          retryAfterMs: retryAfter(answer),
          hint: 'the request waits for approval there; it is made again',
        });
      const issued = certificatesIn(name, answer.headers['content-type'], answer.body);
      // Section 4.2.3: the issued certificate, and none of its chain.
      const authorities = await ask(
        name,
        options,
        { method: 'GET', url: path('cacerts'), headers: { accept: headers.accept }, signal },
        explain,
      );
      return {
        certificates: [...issued, ...certificatesIn(name, authorities.headers['content-type'], authorities.body)],
      };
    },
  };
}

function lines(der: Uint8Array): string {
  return Buffer.from(der)
    .toString('base64')
    .replaceAll(/.{1,64}/g, '$&\r\n');
}

/** Those of a certs-only answer: base64, with any line ends (RFC 8951, section 2.1, has them optional). */
function certificatesIn(name: string, type: string | undefined, body: string): Uint8Array[] {
  if (type !== undefined && !/^application\/(?:x-)?pkcs7-mime\b/i.test(type)) throw unusable(name, 'is not PKCS#7');
  const base64 = body.replaceAll(/\s/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) throw unusable(name, 'is not base64');
  try {
    return readPkcs7(Buffer.from(base64, 'base64'), 'the answer').map(({ der }) => der);
  } catch (error) {
    if (error instanceof RolesAnywhereError)
      throw unusable(name, 'is PKCS#7 without certificates that can be read', error);
    throw error;
  }
}

/** Section 4.2.3: the body of a refusal may be text for a person. A page is for another kind of client. */
function explain(body: string): string | undefined {
  return /^\s*</.test(body) ? undefined : body.split(/\r?\n/, 1)[0];
}
