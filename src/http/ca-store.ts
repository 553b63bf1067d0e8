/** Roots of trust by name. Loaded when one is asked for. */
import { existsSync } from 'node:fs';
import * as tls from 'node:tls';
import { RolesAnywhereError } from '../platform/errors.ts';
import { readCaBundle } from './ca-bundle.ts';

/** `bundled`: those that came with Node, alone. `system`: those of the operating system, alone. */
export type CaStore = 'bundled' | 'system';

/** Where distributions keep their roots in one file: those that Go's crypto/x509 looks at, in its order. */
const SYSTEM_FILES = [
  '/etc/ssl/certs/ca-certificates.crt', // Debian, Ubuntu, Gentoo, Arch
  '/etc/pki/tls/certs/ca-bundle.crt', // Fedora, RHEL 6
  '/etc/ssl/ca-bundle.pem', // openSUSE
  '/etc/pki/tls/cacert.pem', // OpenELEC
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem', // CentOS, RHEL 7 and later
  '/etc/ssl/cert.pem', // Alpine, macOS, the BSDs
];

/**
 * The roots of a store, as PEM text. From Node 22.15 and 23.10 on the system's
 * store is read by Node, also on Windows and macOS; before, from the file that
 * SSL_CERT_FILE names or the distribution keeps.
 *
 * @throws RolesAnywhereError `ERR_CA_BUNDLE` when there is no such store
 */
export function readCaStore(
  store: CaStore,
  env: Readonly<Record<string, string | undefined>>,
  {
    files = SYSTEM_FILES,
    fromNode = systemRoots,
  }: { files?: readonly string[]; fromNode?: () => string | undefined } = {},
): string {
  if (store === 'bundled') return tls.rootCertificates.join('\n');
  const named = env['SSL_CERT_FILE'];
  if (named !== undefined && named !== '') return readCaBundle(named, 'SSL_CERT_FILE');
  const roots = fromNode();
  if (roots !== undefined) return roots;
  const file = files.find((path) => existsSync(path));
  if (file !== undefined) return readCaBundle(file, '--ca-store system');
  throw new RolesAnywhereError('ERR_CA_BUNDLE', "the system's store of trusted roots is not found", {
    hint: 'give its file with --ca-bundle, or use Node 22.15 or newer, which knows the stores of all systems',
  });
}

/** What Node finds in the system's store; undefined where it cannot look. */
function systemRoots(): string | undefined {
  // Newer than the type declarations.
  const get: unknown = Reflect.get(tls, 'getCACertificates');
  const found: unknown = typeof get === 'function' ? get('system') : undefined;
  return Array.isArray(found) && found.length > 0 ? found.join('\n') : undefined;
}
