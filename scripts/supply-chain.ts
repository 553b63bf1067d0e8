/** What this project is built with, and whether that may be. */

/** Licences under which a tool may be used here. What is shipped has a shorter list, in scripts/build/packages.mjs. */
const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  // A tool's own files stay under it; nothing of them is shipped.
  'MPL-2.0',
]);

export interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}
interface LockedPackage {
  readonly version?: string | undefined;
  readonly license?: string | undefined;
  readonly integrity?: string | undefined;
  readonly hasInstallScript?: boolean | undefined;
}

/** The packages of a lockfile by their licence, and what is wrong with them. */
export function judge(lock: Lock): { licences: Map<string, string[]>; problems: string[] } {
  const licences = new Map<string, string[]>();
  const problems: string[] = [];
  for (const [path, one] of Object.entries(lock.packages)) {
    const { version, license = 'none', integrity, hasInstallScript } = one;
    if (path === '') continue;
    const id = `${path.replace(/^.*node_modules\//, '')}@${version}`;
    licences.set(license, [...(licences.get(license) ?? []), id]);
    if (!/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? '')) problems.push(`${id} has no SHA-512 of its archive`);
    if (hasInstallScript === true) problems.push(`${id} runs a script when it is installed`);
    if (!ALLOWED.has(license))
      problems.push(`${id} is under ${license}, which is not listed in scripts/supply-chain.ts`);
  }
  return { licences, problems };
}

interface Audit {
  readonly vulnerabilities?: Readonly<Record<string, { name: string; severity: string; range: string }>>;
}

/** What `npm audit --json` says: whether the registry answered, and what is known of which versions. */
export function readAudit(text: string): { answered: boolean; found: string[] } {
  const known = parsed(text)?.vulnerabilities;
  if (known === undefined) return { answered: false, found: [] };
  const found = Object.values(known).map(({ name, severity, range }) => `${name} ${range}: ${severity}`);
  return { answered: true, found };
}

function parsed(text: string): Audit | null {
  try {
    return JSON.parse(text) as Audit | null;
  } catch {
    return null;
  }
}
