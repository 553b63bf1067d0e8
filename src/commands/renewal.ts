/** What `renew` and `serve --renew` share: the issuer that the flags name, and a renewer that keeps a certificate fresh. */
// Tests: test/renewal/step-ca.heavy.test.ts, test/docs/renewal.heavy.test.ts
import { directTransport } from '../http/direct.ts';
import type { HttpTransport } from '../http/http.ts';
import { readCaBundle } from '../http/ca-bundle.ts';
import { certificateChoice } from '../options/choice.ts';
import type { FlagValues } from '../options/flag-values.ts';
import type { RenewalSettings } from '../options/renewal.ts';
import { withoutSecrets } from '../options/secrets.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { readNamedFile } from '../platform/files.ts';
import type { IdentityFiles } from '../renewal/form.ts';
import type { Issuer } from '../renewal/issuer.ts';
import type { Reaching } from '../renewal/request.ts';
import type { Io } from './command.ts';
import { named } from './connection.ts';

const PROXY_VARIABLES = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'];

/** No token is longer. */
const MAX_TOKEN_BYTES = 16 * 1024;

/**
 * The files that a renewal replaces. What a selector chooses is not among them: which file a new certificate belongs in, or
 * which store, only its own issuer knows.
 *
 * @throws RolesAnywhereError `ERR_UNSUPPORTED`
 */
export function renewedFiles(
  flags: FlagValues<
    'certificate' | 'private-key' | 'intermediates' | 'cert-selector' | 'use-latest-expiring-certificate'
  >,
): IdentityFiles {
  const { certificate, 'private-key': privateKey, intermediates } = flags;
  if (certificate !== undefined && certificateChoice(flags) === undefined)
    return { certificate, privateKey, intermediates };
  throw new RolesAnywhereError('ERR_UNSUPPORTED', 'a certificate that --cert-selector chooses is not renewed here', {
    flag: '--cert-selector',
    hint: 'name the one file that is to be renewed with --certificate; a store renews by itself, such as by auto-enrolment',
  });
}

/**
 * The issuer that renews. Its code is loaded with it, and that of no other.
 *
 * @param certificate the file of the certificate, beside which a command works
 * @throws RolesAnywhereError `ERR_CA_BUNDLE`, `ERR_PROXY_URL`
 */
export async function openIssuer(
  settings: RenewalSettings,
  { env, log }: Pick<Io, 'env' | 'log'>,
  certificate: string,
  now: () => number,
): Promise<Issuer> {
  const { from, auth, fingerprint, tokenFile } = settings;
  if (from.kind === 'command') {
    const { command } = await import('../renewal/issuers/command.ts');
    const tell = (text: string): void => log.info('the command says', { text: text.trimEnd().split('\n') });
    return command({ words: from.words, beside: certificate, env: withoutSecrets(env), tell });
  }
  const { url } = from;
  const reaching: Reaching = {
    transport: named(await transportTo(env)),
    ca: settings.ca === undefined ? undefined : readCaBundle(settings.ca, '--renew-ca'),
  };
  const token = tokenFile === undefined ? undefined : () => readToken(tokenFile);
  if (from.kind === 'step-ca') {
    const { stepCa } = await import('../renewal/issuers/step-ca.ts');
    return stepCa({ ...reaching, url, token, fingerprint, now });
  }
  if (from.kind === 'est') {
    const { est } = await import('../renewal/issuers/est.ts');
    return est({ ...reaching, url, token, now });
  }
  const { vault } = await import('../renewal/issuers/vault.ts');
  return vault({ ...reaching, url, token, login: auth, namespace: env['VAULT_NAMESPACE'] || undefined });
}

/** A connection of its own for each request: one that is kept would go on showing the old certificate. */
async function transportTo(env: Io['env']): Promise<HttpTransport> {
  if (!PROXY_VARIABLES.some((name) => env[name])) return directTransport;
  return (await import('../http/proxied.ts')).throughProxy('environment', env, 'HTTPS_PROXY');
}

/**
 * What proves who asks: the first line of a file, which others may replace.
 *
 * @throws RolesAnywhereError `ERR_RENEWAL_TOKEN`
 */
export function readToken(path: string): string {
  const flag = '--renew-token-file';
  const { bytes } = readNamedFile({
    path,
    name: `${flag} ${path}`,
    flag,
    code: 'ERR_RENEWAL_TOKEN',
    maxBytes: MAX_TOKEN_BYTES,
    streams: 'open',
  });
  const token = Buffer.from(bytes).toString('utf8').split(/\r?\n/, 1)[0] ?? '';
  bytes.fill(0);
  if (token !== '' && /^[\u0020-\u007e\u00a0-\uffff]+$/.test(token)) return token;
  throw new RolesAnywhereError('ERR_RENEWAL_TOKEN', `${flag} ${path} holds no token in its first line`, {
    flag,
    hint: "write the CA's token, or USER:PASSWORD, into it and nothing else",
  });
}
