/** Roots of trust by name, and those of the system. Loaded when they are asked for, or Node's own do not do. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { RolesAnywhereError } from '../platform/errors.ts';
import { certificatesIn, readCaBundle } from './ca-bundle.ts';

/** `bundled`: those that came with Node, alone. `system`: those of the operating system, alone. */
export type CaStore = 'bundled' | 'system';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where the system's store is. */
export interface SystemStore {
  /** Files of which the first that is there counts. */
  readonly files: readonly string[];
  /** Folders of which every file counts. */
  readonly folders: readonly string[];
  /** The store of a system that keeps it elsewhere, which then counts alone; undefined where there is none, or Node cannot look. */
  readonly fromNode: () => string | undefined;
}

/** Where distributions keep their roots: what Go's crypto/x509 looks at, in its order. */
const SYSTEM: SystemStore = {
  files: [
    '/etc/ssl/certs/ca-certificates.crt', // Debian, Ubuntu, Gentoo, Arch
    '/etc/pki/tls/certs/ca-bundle.crt', // Fedora, RHEL 6
    '/etc/ssl/ca-bundle.pem', // openSUSE
    '/etc/pki/tls/cacert.pem', // OpenELEC
    '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem', // CentOS, RHEL 7 and later
    '/etc/ssl/cert.pem', // Alpine, the BSDs
  ],
  folders: ['/etc/ssl/certs', '/etc/pki/tls/certs'],
  fromNode: systemRoots,
};

/** More than any folder of roots has. */
const MAX_FILES = 2000;

/**
 * Reads the roots of a store, as PEM text. The system's is what SSL_CERT_FILE and SSL_CERT_DIR name, else the files of the
 * distribution; on Windows and macOS what Node finds, from Node 22.15 and 23.10 on.
 *
 * @throws RolesAnywhereError `ERR_CA_BUNDLE` when there is no such store, or it is not what a variable says
 */
export function readCaStore(store: CaStore, env: Environment, system: SystemStore = SYSTEM): string {
  if (store === 'bundled') return tls.rootCertificates.join('\n');
  const { SSL_CERT_FILE: file, SSL_CERT_DIR: folders } = env;
  if (file) readCaBundle(file, 'SSL_CERT_FILE');
  const roots = namedRoots(env) ?? defaultRoots(system);
  if (roots !== undefined) return roots;
  throw new RolesAnywhereError(
    'ERR_CA_BUNDLE',
    folders ? 'SSL_CERT_DIR holds no certificate' : "the system's store of trusted roots is not found",
    { hint: 'give a file with --ca-bundle; on Windows and macOS, Node 22.15 or newer knows the store' },
  );
}

/**
 * Reads the roots that SSL_CERT_FILE and SSL_CERT_DIR (folders, with colons between them) name, as PEM text. What cannot be
 * read counts for nothing, as with OpenSSL and Go.
 */
export function namedRoots({ SSL_CERT_FILE: file, SSL_CERT_DIR: folders }: Environment): string | undefined {
  return together([...(file ? rootsIn(file) : []), ...(folders ? folders.split(':').flatMap(rootsBelow) : [])]);
}

/**
 * Reads all that the system trusts, as Go does: SSL_CERT_FILE takes the place of the distribution's file, and SSL_CERT_DIR
 * that of its folders. Undefined where nothing is found.
 */
export function trustedBySystem(
  env: Environment,
  { files, folders, fromNode }: SystemStore = SYSTEM,
): string | undefined {
  const { SSL_CERT_FILE: file, SSL_CERT_DIR: named } = env;
  const system = { files: file ? [file] : files, folders: named ? named.split(':') : folders, fromNode };
  return defaultRoots(system);
}

function defaultRoots({ files, folders, fromNode }: SystemStore): string | undefined {
  const file = files.find((path) => existsSync(path));
  return fromNode() ?? together([...(file === undefined ? [] : rootsIn(file)), ...folders.flatMap(rootsBelow)]);
}

/** Folders of roots hold each under several names. */
function together(roots: readonly string[]): string | undefined {
  return roots.length === 0 ? undefined : [...new Set(roots)].join('\n');
}

function rootsBelow(folder: string): string[] {
  try {
    return readdirSync(folder)
      .slice(0, MAX_FILES)
      .flatMap((name) => rootsIn(join(folder, name)));
  } catch {
    return [];
  }
}

function rootsIn(path: string): string[] {
  try {
    return certificatesIn(path);
  } catch {
    return [];
  }
}

/** What Node finds in the stores of Windows and macOS. */
function systemRoots(): string | undefined {
  if (process.platform !== 'win32' && process.platform !== 'darwin') return undefined;
  // Newer than the type declarations.
  const get: unknown = Reflect.get(tls, 'getCACertificates');
  const found: unknown = typeof get === 'function' ? get('system') : undefined;
  return Array.isArray(found) && found.length > 0 ? found.join('\n') : undefined;
}
