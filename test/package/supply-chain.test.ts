/** What this project is built with: that nothing comes in unseen. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { judge, readAudit } from '../../scripts/supply-chain.ts';
import type { Lock } from '../../scripts/supply-chain.ts';

const read = (name: string): unknown => JSON.parse(readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8'));

interface Manifest {
  scripts: Record<string, string>;
  devDependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
  dependencies?: Record<string, string>;
}

const SOUND = { version: '1.0.0', license: 'MIT', integrity: `sha512-${'A'.repeat(86)}==` };

describe('the lockfile', () => {
  const lock = read('package-lock.json') as Lock;

  it('has a hash of every archive, and no package with an install script or a licence that nobody looked at', () => {
    expect(Object.keys(lock.packages).length).toBeGreaterThan(300);
    expect(judge(lock).problems).toEqual([]);
  });

  it('has the versions that package.json pins, each exactly', () => {
    const manifest = read('package.json') as Manifest;
    const wanted = { ...manifest.devDependencies, ...manifest.optionalDependencies, ...manifest.dependencies };
    expect(Object.entries(wanted).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
    const locked = Object.keys(wanted).map((name) => [name, lock.packages[`node_modules/${name}`]?.version]);
    expect(Object.fromEntries(locked)).toEqual(wanted);
  });

  it.each([
    ['without a hash', { ...SOUND, integrity: undefined }, /has no SHA-512/],
    ['with a weak hash', { ...SOUND, integrity: 'sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA=' }, /has no SHA-512/],
    ['with an install script', { ...SOUND, hasInstallScript: true }, /runs a script/],
    ['without a licence', { ...SOUND, license: undefined }, /is under none/],
    ['under a licence of another kind', { ...SOUND, license: 'SSPL-1.0' }, /is under SSPL-1\.0/],
  ])('would be refused with a package %s', (_, entry, problem) => {
    const { problems } = judge({ packages: { '': {}, 'node_modules/a/node_modules/@b/c': entry } });
    expect(problems).toEqual([expect.stringMatching(problem)]);
    expect(problems[0]).toMatch(/^@b\/c@1\.0\.0 /);
  });
});

describe('this package', () => {
  it('runs nothing when it is installed', () => {
    const { scripts } = read('package.json') as Manifest;
    const onInstall = new Set(['preinstall', 'install', 'postinstall', 'prepare', 'preprepare', 'postprepare']);
    expect(Object.keys(scripts).filter((name) => onInstall.has(name))).toEqual([]);
  });
});

describe('what the registry says of vulnerabilities', () => {
  it('is read where it says something', () => {
    expect(readAudit('{"auditReportVersion":2,"vulnerabilities":{}}')).toEqual({ answered: true, found: [] });
    const vulnerable = { vulnerabilities: { a: { name: 'a', severity: 'high', range: '<2.0.0' } } };
    expect(readAudit(JSON.stringify(vulnerable))).toEqual({ answered: true, found: ['a <2.0.0: high'] });
  });

  it.each(['', 'not JSON', '{"message":"405 Method Not Allowed"}', 'null'])('is not taken from %j', (text) => {
    expect(readAudit(text)).toEqual({ answered: false, found: [] });
  });
});
