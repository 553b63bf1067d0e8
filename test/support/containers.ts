/** Every kind of key in every kind of file, as openssl writes it, and certs-dev where openssl 3.0 cannot. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { KEY_KINDS, type KeyKind } from '../../certs-dev/authority.ts';
import { ML_DSA_KINDS, type MlDsaKind } from '../../certs-dev/ml-dsa.ts';
import { cleanEnv } from './cli.ts';
import { pkiPath } from './pki.ts';

export type Kind = KeyKind | MlDsaKind;
export const KINDS: readonly Kind[] = [...KEY_KINDS, ...ML_DSA_KINDS];

/** Of everything in {@link CONTAINERS}, and of what certs-dev encrypts. */
export { PASSWORD } from '../../certs-dev/containers.ts';

/** A kind of file that a key comes in. */
export interface ContainerKind {
  readonly name: string;
  /** What its password is given with; none where it has none. */
  readonly password?: 'pkcs8' | 'pkcs12';
  /** Whether the certificate is in it. */
  readonly whole?: true;
  /** How openssl writes it; `{}` stands for the password. */
  readonly openssl?: (kind: KeyKind) => readonly string[];
  /** A file of certs-dev, for ML-DSA. */
  readonly file?: string;
}

const pkcs8 = (name: string, ...options: string[]): ContainerKind => ({
  name,
  password: 'pkcs8',
  openssl: (kind) => ['pkcs8', '-topk8', '-in', pkiPath(`${kind}.key.pem`), '-passout', 'pass:{}', ...options],
});
const pkcs12 = (name: string, ...options: string[]): ContainerKind => ({
  name,
  password: 'pkcs12',
  whole: true,
  openssl: (kind) => [
    'pkcs12',
    '-export',
    '-in',
    pkiPath(`${kind}.crt.pem`),
    '-inkey',
    pkiPath(`${kind}.key.pem`),
    '-certfile',
    pkiPath('intermediate.pem'),
    '-passout',
    'pass:{}',
    ...options,
  ],
});
const traditional = (name: string, cipher: string): ContainerKind => ({
  name,
  password: 'pkcs8',
  openssl: (kind) => [
    ...(kind.startsWith('rsa') ? ['rsa', '-traditional'] : ['ec']),
    '-in',
    pkiPath(`${kind}.key.pem`),
    `-${cipher}`,
    '-passout',
    'pass:{}',
  ],
});

const CONTAINERS: readonly ContainerKind[] = [
  { name: 'PKCS#8', file: 'key.pem' },
  { name: 'PKCS#8, DER', file: 'key.der' },
  { name: 'combined PEM', file: 'combined.pem', whole: true },
  { name: 'PKCS#8, seed', file: 'seed.pem' },
  { name: 'PKCS#8, expanded key', file: 'expanded.pem' },
  { name: 'encrypted seed', password: 'pkcs8', file: 'seed.encrypted.pem' },
  { name: 'encrypted expanded key', password: 'pkcs8', file: 'expanded.encrypted.pem' },
  { name: 'encrypted PKCS#8', password: 'pkcs8', file: 'encrypted.pem' },
  { name: 'encrypted PKCS#8, DER', password: 'pkcs8', file: 'encrypted.der' },
  pkcs8('PBES2 AES-128', '-v2', 'aes-128-cbc', '-v2prf', 'hmacWithSHA1'),
  pkcs8('PBES2 AES-192', '-v2', 'aes-192-cbc', '-v2prf', 'hmacWithSHA224'),
  pkcs8('PBES2 AES-256', '-v2', 'aes-256-cbc', '-v2prf', 'hmacWithSHA256'),
  pkcs8('PBES2 AES-256, SHA-384', '-v2', 'aes-256-cbc', '-v2prf', 'hmacWithSHA384'),
  pkcs8('PBES2 3DES, SHA-512', '-v2', 'des3', '-v2prf', 'hmacWithSHA512'),
  pkcs8('PBES2 scrypt', '-scrypt'),
  pkcs8('PBES1 3DES', '-v1', 'PBE-SHA1-3DES'),
  pkcs8('PBES2 AES-256, DER', '-outform', 'DER'),
  traditional('traditional AES-256', 'aes256'),
  traditional('traditional 3DES', 'des3'),
  { name: 'PKCS#12', password: 'pkcs12', whole: true, file: 'p12' },
  { name: 'PKCS#12 3DES', password: 'pkcs12', whole: true, file: 'legacy.p12' },
  { name: 'PKCS#12, empty password', whole: true, file: 'no-password.p12' },
  pkcs12('PKCS#12 of openssl'),
  pkcs12('PKCS#12 of openssl, -legacy', '-legacy'),
  pkcs12('PKCS#12 of openssl, no MAC', '-nomac'),
  {
    name: 'PKCS#12 of openssl, nothing protected',
    whole: true,
    openssl: (kind) => [...(pkcs12('').openssl?.(kind) ?? []), '-keypbe', 'NONE', '-certpbe', 'NONE', '-nomac'],
  },
];

/** One key in one kind of file. */
export interface ContainerCase {
  readonly kind: Kind;
  readonly container: ContainerKind;
  /** The file's name: of certs-dev, or in the folder of {@link makeContainers}. */
  readonly file: string;
}

/** Every combination that there is. */
export const CONTAINER_CASES: readonly ContainerCase[] = KINDS.flatMap((kind) =>
  CONTAINERS.filter(({ openssl, file }) =>
    isMlDsa(kind) ? file !== undefined : openssl !== undefined || !/^(seed|expanded)/.test(file ?? ''),
  ).map((container) => ({
    kind,
    container,
    file: container.file === undefined ? `${kind} ${container.name}` : `${kind}.${container.file}`,
  })),
);

function isMlDsa(kind: Kind): kind is MlDsaKind {
  return kind.startsWith('ml-dsa');
}

/** Makes what openssl writes, in `dir`. */
export async function makeContainers(dir: string, password: string): Promise<void> {
  const waiting = CONTAINER_CASES.filter(({ container }) => container.openssl !== undefined);
  const work = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { kind, container, file } = next;
      const args = container.openssl?.(kind as KeyKind) ?? [];
      const filled = args.map((arg) => arg.replace('{}', password));
      await promisify(execFile)('openssl', [...filled, '-out', join(dir, file)], { env: cleanEnv() });
    }
  };
  await Promise.all([work(), work(), work()]);
}

/** Where a case's files are, as an identity and as flags name them. */
export function placesOf({ kind, container, file }: ContainerCase, dir: string) {
  const path = container.file === undefined ? join(dir, file) : pkiPath(file);
  const intermediates = pkiPath(`${kind}.chain.pem`);
  return container.whole === true
    ? { certificate: path, intermediates }
    : { certificate: pkiPath(`${kind}.crt.pem`), privateKey: path, intermediates };
}
