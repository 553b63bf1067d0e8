/**
 * step-ca: renewal of a certificate by itself, over mTLS or with a token that its key signs, and the first one by a one-time
 * token. Source: step-ca's API (https://smallstep.com/docs/step-ca/), version 0.30.
 */
// Tests: test/renewal/step-ca.heavy.test.ts
import { createHash, randomUUID } from 'node:crypto';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { nameText, readName } from '../../x509/names.ts';
import { certificatesInPem } from '../certificates.ts';
import { certificatePem, csrPem } from '../csr.ts';
import type { CurrentIdentity, Issued, Issuer } from '../issuer.ts';
import { type Question, type Reaching, ask, member, parseJson } from '../request.ts';
import { joseSignature } from './jose.ts';

export interface StepCaOptions extends Reaching {
  /** Of the CA, for example `https://ca.example:9000`. */
  readonly url: URL;
  /** The one-time token of a first enrolment, read when it is needed. */
  readonly token?: (() => string) | undefined;
  /** SHA-256 of the root's DER in hexadecimal: the root is asked for by it, when there is no {@link Reaching.ca}. */
  readonly fingerprint?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const TOKEN_LIFE_S = 300;

/** step-ca by its API. */
export function stepCa(options: StepCaOptions): Issuer {
  const { url, now } = options;
  const name = `step-ca at ${url.host}`;
  const path = (end: string): URL => new URL(`${url.pathname.replace(/\/$/, '')}/1.0/${end}`, url);

  const post = async (
    end: string,
    ca: string | undefined,
    body: unknown,
    { client, headers, signal }: Pick<Question, 'client' | 'headers' | 'signal'>,
  ): Promise<Issued> => {
    const json = body === undefined ? undefined : JSON.stringify(body);
    const { body: answer } = await ask(
      name,
      { ...options, ca },
      {
        method: 'POST',
        url: path(end),
        headers: { 'content-type': 'application/json', ...headers },
        body: json ?? '',
        client,
        signal,
      },
      explain,
    );
    const parsed = parseJson(name, answer);
    const chain = member(parsed, 'certChain');
    const texts = Array.isArray(chain) && chain.length > 0 ? chain : [member(parsed, 'crt'), member(parsed, 'ca')];
    return { certificates: texts.flatMap((text) => certificatesInPem(name, text)) };
  };

  return {
    name,
    async issue({ csr, current, newKey }, signal) {
      if (current === undefined) {
        const ott = options.token?.() ?? '';
        const ca = await rootFor(options, name, path, claimsOf(ott)['sha'], signal);
        return await post('sign', ca, { csr: csrPem(csr), ott }, { signal });
      }
      const ca = await rootFor(options, name, path, undefined, signal);
      if (newKey) {
        if (current.tls !== undefined)
          return await post('rekey', ca, { csr: csrPem(csr) }, { client: current.tls, signal });
        throw new RolesAnywhereError(
          'ERR_UNSUPPORTED',
          'step-ca gives no certificate for a new key in place of one in a token',
          {
            flag: '--new-key',
            hint: 'leave out --new-key: the key stays where it is, and its certificate is renewed',
          },
        );
      }
      // An expired certificate makes no connection; where the CA's provisioner allows it, a token of its key does.
      if (current.tls !== undefined && current.leaf.notAfter.getTime() > now())
        return await post('renew', ca, undefined, { client: current.tls, signal });
      const bearer = await renewToken(current, path('renew'), now());
      return await post('renew', ca, undefined, { headers: { authorization: `Bearer ${bearer}` }, signal });
    },
  };
}

function explain(body: string): string | undefined {
  const message = member(JSON.parse(body), 'message');
  return typeof message === 'string' ? message : undefined;
}

/** The roots to believe the CA by: those given, or the one with the fingerprint that was given or that the token names. */
async function rootFor(
  options: StepCaOptions,
  name: string,
  path: (end: string) => URL,
  fromToken: unknown,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  if (options.ca !== undefined) return options.ca;
  const wanted =
    options.fingerprint ?? (typeof fromToken === 'string' && /^[\da-f]{64}$/.test(fromToken) ? fromToken : undefined);
  if (wanted === undefined) return undefined;
  // Whoever answers is believed this once, for what it sends is held against the fingerprint.
  const { body } = await ask(
    name,
    options,
    { method: 'GET', url: path(`root/${wanted}`), tls: { verify: false }, signal },
    explain,
  );
  const [root] = certificatesInPem(name, member(parseJson(name, body), 'ca'));
  if (root !== undefined && createHash('sha256').update(root).digest('hex') === wanted) return certificatePem(root);
  throw new RolesAnywhereError('ERR_TLS_AUTHORITY', `the root of ${name} has another fingerprint than was given`, {
    flag: '--renew-ca-fingerprint',
    hint: 'print that of the right CA with `step certificate fingerprint root_ca.crt`',
  });
}

/** The claims of a one-time token, without a look at its signature: the CA's to check. None where it is not a JWT. */
export function claimsOf(token: string): Readonly<Record<string, unknown>> {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    return typeof claims === 'object' && claims !== null ? { ...claims } : {};
  } catch {
    return {};
  }
}

/** The token of `step ca renew --mtls=false`: signed by the certificate's key, so that a key in a token will do. */
async function renewToken(current: CurrentIdentity, audience: URL, nowMs: number): Promise<string> {
  const { leaf, chain, signer } = current;
  const common = readName(leaf.subject)
    .flat()
    .findLast(({ type }) => type === 'CN')?.value;
  if (common === undefined)
    throw new RolesAnywhereError(
      'ERR_UNSUPPORTED',
      `the certificate has no common name: ${nameText(readName(leaf.subject))}`,
      {
        hint: 'step-ca takes no token for such a certificate: renew it with a key in a file, by mTLS',
      },
    );
  const now = Math.floor(nowMs / 1000);
  const sign = joseSignature(signer, leaf.publicKey);
  const header = {
    alg: sign.algorithm,
    typ: 'JWT',
    x5cInsecure: [leaf.der, ...chain].map((der) => Buffer.from(der).toString('base64')),
  };
  const claims = {
    iss: 'step-ca-client/1.0',
    sub: common,
    aud: audience.href,
    iat: now,
    nbf: now,
    exp: now + TOKEN_LIFE_S,
    jti: randomUUID(),
  };
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${Buffer.from(await sign(Buffer.from(signed))).toString('base64url')}`;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
