/** The flags of AWS's helper, as its own help lists them: test/peer/switching.test.ts asks it. */

const SIGNING = [
  'cert-selector',
  'certificate',
  'debug',
  'no-tpm-key-password',
  'pkcs11-lib',
  'pkcs8-password',
  'private-key',
  'reuse-pin',
  'system-store-name',
  'tpm-key-password',
  'use-latest-expiring-certificate',
];
const VENDING = [
  ...SIGNING,
  'endpoint',
  'intermediates',
  'no-verify-ssl',
  'profile-arn',
  'region',
  'role-arn',
  'role-session-name',
  'session-duration',
  'trust-anchor-arn',
  'with-proxy',
];

/** By command, without `--help`. */
export const flagsOfTheHelper: Readonly<Record<string, readonly string[]>> = {
  'credential-process': VENDING,
  serve: [...VENDING, 'hop-limit', 'port'],
  update: [...VENDING, 'once', 'profile'],
  'sign-string': [...SIGNING, 'digest', 'format'],
  'read-certificate-data': ['cert-selector', 'certificate', 'debug', 'pkcs11-lib', 'system-store-name'],
};

/** The flags of the first column of docs/switching.md's table. */
export function readFlagTable(page: string): string[] {
  const [, table = ''] = /^\| flag of the helper \|.*\n\|-.*\n((?:\|.*\n)+)/m.exec(page) ?? [];
  return table.split('\n').flatMap((row) => {
    const [, first = ''] = /^\| (.*?) \|/.exec(row) ?? [];
    return [...first.matchAll(/`--([\w-]+)`/g)].map(([, flag = '']) => flag);
  });
}
