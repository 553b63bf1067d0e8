/** The flags of a renewal: from their values to settings that were checked. */
// Tests: test/options/renewal.test.ts
import { isIP } from 'node:net';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { FlagValues } from './flag-values.ts';

/** The flags that `renew` and `serve --renew` share. */
type RenewalFlags = FlagValues<
  | 'certificate'
  | 'renew-from'
  | 'renew-command'
  | 'renew-ca'
  | 'renew-ca-fingerprint'
  | 'renew-token-file'
  | 'renew-auth'
  | 'new-key'
  | 'at'
>;

/** Who renews. */
export type RenewFrom =
  | { readonly kind: 'step-ca' | 'est' | 'vault'; readonly url: URL }
  | { readonly kind: 'command'; readonly words: readonly [string, ...string[]] };

export interface RenewalSettings {
  readonly from: RenewFrom;
  /** The file of the roots to believe the CA by. Default: Node's own. */
  readonly ca: string | undefined;
  /** Of the root, in hexadecimal, in place of {@link ca}. */
  readonly fingerprint: string | undefined;
  /** What proves to the CA who asks, besides the certificate. */
  readonly tokenFile: string | undefined;
  readonly auth: VaultAuth;
  readonly newKey: boolean;
  /** What --at says; default a third. */
  readonly at: string | undefined;
}

/** How to log in to Vault. */
export interface VaultAuth {
  readonly method: 'token' | 'approle' | 'cert';
  readonly mount: string | undefined;
}

/**
 * Checks the flags of a renewal.
 *
 * @throws RolesAnywhereError of class `usage`
 */
export function renewalSettings(flags: RenewalFlags): RenewalSettings {
  const from = issuerOf(flags);
  const auth = authOf(flags['renew-auth'], from);
  const tokenFile = flags['renew-token-file'];
  const fingerprint = fingerprintOf(flags['renew-ca-fingerprint'], from);
  if (fingerprint !== undefined && flags['renew-ca'] !== undefined)
    throw new RolesAnywhereError('ERR_FLAG_CONFLICT', '--renew-ca and --renew-ca-fingerprint exclude each other', {
      flag: ['--renew-ca', '--renew-ca-fingerprint'],
      hint: 'leave out the fingerprint: the root is in the file',
    });
  if (from.kind === 'vault' && auth.method !== 'cert' && tokenFile === undefined)
    throw new RolesAnywhereError('ERR_FLAG_REQUIRED', '--renew-token-file is not given', {
      flag: '--renew-token-file',
      hint: "Vault wants a token, or an AppRole's ROLE_ID:SECRET_ID, in that file; or give --renew-auth cert to log in with the certificate",
    });
  return { from, ca: flags['renew-ca'], fingerprint, tokenFile, auth, newKey: flags['new-key'] === true, at: flags.at };
}

function issuerOf({ 'renew-from': from, 'renew-command': line }: RenewalFlags): RenewFrom {
  if (line !== undefined) {
    if (from === undefined) return { kind: 'command', words: wordsOf(line) };
    throw new RolesAnywhereError('ERR_FLAG_CONFLICT', '--renew-from and --renew-command exclude each other', {
      flag: ['--renew-from', '--renew-command'],
      hint: 'leave one of them out',
    });
  }
  if (from === undefined)
    throw new RolesAnywhereError('ERR_FLAG_REQUIRED', 'missing flag: --renew-from or --renew-command', {
      flag: ['--renew-from', '--renew-command'],
      hint: 'say who renews the certificate',
    });
  const [, kind = '', rest = ''] = /^(step-ca|est|vault):(.+)$/.exec(from) ?? [];
  const url = urlOf(rest);
  if ((kind !== 'step-ca' && kind !== 'est' && kind !== 'vault') || url === undefined)
    throw new RolesAnywhereError(
      'ERR_FLAG_VALUE',
      `--renew-from is no issuer: ${JSON.stringify(withoutPassword(from))}`,
      {
        flag: '--renew-from',
        hint: 'give step-ca:https://HOST[:PORT], est:https://HOST[:PORT][/.well-known/est[/LABEL]] or vault:https://HOST:8200/v1/pki/sign/ROLE',
      },
    );
  if (kind === 'vault' && !/^\/v1\/.+\/(?:sign|sign-verbatim)(?:\/[^/]+)?$/.test(url.pathname))
    throw new RolesAnywhereError(
      'ERR_FLAG_VALUE',
      `--renew-from names no path of Vault's that signs: ${url.pathname}`,
      {
        flag: '--renew-from',
        hint: 'give the whole URL: vault:https://HOST:8200/v1/pki/sign/ROLE, or .../v1/pki/sign-verbatim/ROLE',
      },
    );
  return { kind, url };
}

/** https, or http to this machine, as Vault has it in a sidecar. */
function urlOf(text: string): URL | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') return undefined;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isLocal = host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLocal) ? url : undefined;
}

function withoutPassword(text: string): string {
  return text.replace(/\/\/[^/@]*@/, '//<redacted>@');
}

function authOf(text: string | undefined, from: RenewFrom): VaultAuth {
  const [, method, mount] = /^(token|approle|cert)(?::([\w./-]+))?$/.exec(text ?? 'token') ?? [];
  if (text !== undefined && from.kind !== 'vault')
    throw new RolesAnywhereError('ERR_FLAG_CONFLICT', '--renew-auth is for Vault', {
      flag: '--renew-auth',
      hint: 'leave it out',
    });
  if (method === 'token' || method === 'approle' || method === 'cert') return { method, mount };
  throw new RolesAnywhereError('ERR_FLAG_VALUE', `--renew-auth is no way to log in: ${JSON.stringify(text)}`, {
    flag: '--renew-auth',
    hint: 'give token, approle or cert, with the mount behind a colon where it is another: approle:MOUNT',
  });
}

function fingerprintOf(text: string | undefined, from: RenewFrom): string | undefined {
  if (text === undefined) return undefined;
  if (from.kind !== 'step-ca')
    throw new RolesAnywhereError('ERR_FLAG_CONFLICT', '--renew-ca-fingerprint is for step-ca', {
      flag: '--renew-ca-fingerprint',
      hint: 'give the roots in a file, with --renew-ca',
    });
  const hex = text.replaceAll(':', '').toLowerCase();
  if (/^[\da-f]{64}$/.test(hex)) return hex;
  throw new RolesAnywhereError('ERR_FLAG_VALUE', '--renew-ca-fingerprint is no SHA-256 in hexadecimal', {
    flag: '--renew-ca-fingerprint',
    hint: 'print it with `step certificate fingerprint root_ca.crt`',
  });
}

/**
 * The words of a command: by blanks, but not within quotes, which are taken off; a backslash outside of single quotes takes
 * the next character as it is. No shell reads it: nothing is expanded.
 */
function wordsOf(line: string): readonly [string, ...string[]] {
  const words: string[] = [];
  let rest = line.trimStart();
  while (rest !== '') {
    const [whole = ''] = /^(?:'[^']*'|"(?:[^"\\]|\\[^])*"|\\[^]|[^\s'"\\])+/.exec(rest) ?? [];
    if (whole === '') break;
    words.push(
      whole.replaceAll(
        /'([^']*)'|"((?:[^"\\]|\\[^])*)"|\\([^])/g,
        (_text, single?: string, double?: string, one?: string) =>
          single ?? one ?? (double ?? '').replaceAll(/\\(["\\$`])/g, '$1'),
      ),
    );
    rest = rest.slice(whole.length);
    if (rest !== '' && !/^\s/.test(rest)) break;
    rest = rest.trimStart();
  }
  const [program, ...args] = words;
  if (rest === '' && program !== undefined && program !== '') return [program, ...args];
  throw new RolesAnywhereError(
    'ERR_FLAG_VALUE',
    '--renew-command is no command: a quote is open, or nothing is there',
    {
      flag: '--renew-command',
      hint: "write it as in a shell; it runs without one, so for pipes and variables give sh -c '...'",
    },
  );
}
