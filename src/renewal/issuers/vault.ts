/**
 * The PKI secrets engine of Vault and OpenBao: `sign/ROLE` and `sign-verbatim`, logged in to by a token, an AppRole or the
 * certificate itself. Source: https://developer.hashicorp.com/vault/api-docs/secret/pki and .../auth/{approle,cert}.
 */
// Tests: test/renewal/vault.test.ts
import { RolesAnywhereError } from '../../platform/errors.ts';
import { EXTENSION } from '../../x509/extensions.ts';
import { readAlternativeNames, readName } from '../../x509/names.ts';
import { certificatesInPem } from '../certificates.ts';
import { csrPem } from '../csr.ts';
import type { CurrentIdentity, Issuer } from '../issuer.ts';
import { type Reaching, ask, member, parseJson, unusable } from '../request.ts';

/** How to log in, and where the method is mounted. */
export interface VaultLogin {
  readonly method: 'token' | 'approle' | 'cert';
  /** Default: the method's own name. */
  readonly mount?: string | undefined;
}

export interface VaultOptions extends Reaching {
  /** Of the path that signs, for example `https://vault.example:8200/v1/pki/sign/web`. */
  readonly url: URL;
  readonly login: VaultLogin;
  /** The token, or `ROLE_ID:SECRET_ID`; read for each renewal. */
  readonly token?: (() => string) | undefined;
  /** VAULT_NAMESPACE. */
  readonly namespace?: string | undefined;
}

/** Vault, or OpenBao, which has the same API. */
export function vault(options: VaultOptions): Issuer {
  const { url, login, token, namespace } = options;
  const name = `Vault at ${url.host}`;
  const asked = { 'x-vault-request': 'true', ...(namespace !== undefined && { 'x-vault-namespace': namespace }) };
  const post = async (
    to: URL,
    body: object,
    headers: Readonly<Record<string, string>>,
    client: CurrentIdentity['tls'],
    signal: AbortSignal | undefined,
  ): Promise<unknown> => {
    const answer = await ask(
      name,
      options,
      {
        method: 'POST',
        url: to,
        headers: { 'content-type': 'application/json', ...asked, ...headers },
        body: JSON.stringify(body),
        client,
        signal,
      },
      explain,
    );
    return answer.status === 204 ? {} : parseJson(name, answer.body);
  };
  const path = (end: string): URL => new URL(`/v1/auth/${end}`, url);

  const logIn = async (current: CurrentIdentity | undefined, signal: AbortSignal | undefined): Promise<string> => {
    const mount = login.mount ?? login.method;
    let answer: unknown;
    if (login.method === 'cert') {
      if (current?.tls === undefined)
        throw new RolesAnywhereError(
          'ERR_UNSUPPORTED',
          `${name} cannot be logged in to with the certificate: there is none yet, or its key cannot be used for TLS`,
          {
            flag: '--renew-auth',
            hint: 'log in with a token or an AppRole',
          },
        );
      answer = await post(path(`${mount}/login`), {}, {}, current.tls, signal);
    } else {
      const [roleId, secretId] = splitOnce(token?.() ?? '');
      answer = await post(path(`${mount}/login`), { role_id: roleId, secret_id: secretId }, {}, undefined, signal);
    }
    const given = member(member(answer, 'auth'), 'client_token');
    if (typeof given === 'string' && given !== '') return given;
    throw unusable(name, 'to the login holds no token');
  };

  return {
    name,
    async issue({ csr, current }, signal) {
      const own = login.method === 'token' ? token?.() : undefined;
      const session = own ?? (await logIn(current, signal));
      const headers = { 'x-vault-token': session };
      try {
        const answer = await post(
          url,
          { csr: csrPem(csr), format: 'pem', ...namesOf(current) },
          headers,
          undefined,
          signal,
        );
        const data = member(answer, 'data');
        const chain = member(data, 'ca_chain');
        const issuing = member(data, 'issuing_ca');
        return {
          certificates: [
            ...certificatesInPem(name, member(data, 'certificate')),
            ...(Array.isArray(chain) ? chain : [issuing])
              .filter((text) => typeof text === 'string' && text !== '')
              .flatMap((text) => certificatesInPem(name, text)),
          ],
        };
      } finally {
        // A token that was made for this renewal is not left to live on. That this fails is no failure of the renewal.
        if (own === undefined)
          await post(path('token/revoke-self'), {}, headers, undefined, signal).catch(() => undefined);
      }
    },
  };
}

/**
 * What a role that takes nothing from the request wants to be told: the names of the certificate in use. A role that takes
 * them from the request, which is the default, ignores these.
 */
function namesOf(current: CurrentIdentity | undefined): Readonly<Record<string, string>> {
  if (current === undefined) return {};
  const { leaf } = current;
  const names = readAlternativeNames(leaf.extensions.get(EXTENSION.subjectAltName));
  const of = (...kinds: string[]): string | undefined =>
    names
      .filter(({ kind }) => kinds.includes(kind))
      .map(({ text }) => text)
      .join(',') || undefined;
  const all = {
    common_name: readName(leaf.subject)
      .flat()
      .findLast(({ type }) => type === 'CN')?.value,
    alt_names: of('DNS', 'email'),
    ip_sans: of('IP'),
    uri_sans: of('URI'),
  };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function splitOnce(text: string): [string, string | undefined] {
  const colon = text.indexOf(':');
  return colon < 0 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1)];
}

function explain(body: string): string | undefined {
  const errors = member(JSON.parse(body), 'errors');
  return Array.isArray(errors) ? errors.filter((error) => typeof error === 'string').join('; ') : undefined;
}
