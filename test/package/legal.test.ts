import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProgram } from '../support/cli.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

interface Component {
  'bom-ref': string;
  group?: string;
  name: string;
  version: string;
  hashes: { alg: string; content: string }[];
  licenses: { license: { id: string } }[];
}
interface Bom {
  bomFormat: string;
  specVersion: string;
  metadata: { component: Component };
  components: Component[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

describe('the bill of materials', () => {
  const bom = JSON.parse(readFileSync(join(ROOT, 'sbom.cdx.json'), 'utf8')) as Bom;

  it('names every bundled package with version, licence and the hash of its archive', () => {
    expect(bom).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6' });
    const names = bom.components.map(({ group, name }) => (group === undefined ? name : `${group}/${name}`));
    expect(names).toEqual(expect.arrayContaining(['undici', '@peculiar/x509']));
    for (const { version, licenses, hashes } of bom.components) {
      expect(version).toMatch(/^\d+\.\d+\.\d+/);
      expect(licenses[0]!.license.id).toMatch(/^[\w.-]+$/);
      expect(hashes).toEqual([{ alg: 'SHA-512', content: expect.stringMatching(/^[0-9a-f]{128}$/) as string }]);
    }
  });

  it('refers to its own components only, each once', () => {
    const refs = [bom.metadata.component, ...bom.components].map((component) => component['bom-ref']);
    expect(new Set(refs).size).toBe(refs.length);
    expect(bom.dependencies.map(({ ref }) => ref).toSorted()).toEqual(refs.toSorted());
    for (const { dependsOn } of bom.dependencies) expect(refs).toEqual(expect.arrayContaining(dependsOn));
  });

  it('lists the same packages as the notices', () => {
    const notices = readFileSync(join(ROOT, 'THIRD-PARTY-NOTICES.txt'), 'utf8');
    const headings = [...notices.matchAll(/^={78}\n(\S+@\S+) \(.+\)\n={78}$/gm)].map(([, id]) => id);
    expect(headings).toEqual(
      bom.components.map(({ group, name, version }) => `${group === undefined ? '' : `${group}/`}${name}@${version}`),
    );
  });
});

describe('a bundled package', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'roles-anywhere-legal-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  async function collect(license: string | undefined, files: Record<string, string>) {
    const folder = join(root, 'node_modules/some-package');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'some-package', version: '1.0.0', license }));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const script = `import { bundledPackages, notices } from ${JSON.stringify(join(ROOT, 'scripts/build/packages.mjs'))};
      console.log(notices(bundledPackages(${JSON.stringify(root)}, [${JSON.stringify(join(folder, 'index.js'))}])))`;
    return runProgram(process.execPath, ['--input-type=module', '-e', script]);
  }

  it('is named with its licence text', async () => {
    const { status, stdout } = await collect('MIT', { 'LICENSE.md': 'the terms', NOTICE: 'the notice' });
    expect(status).toBe(0);
    expect(stdout).toContain('some-package@1.0.0 (MIT)');
    expect(stdout).toMatch(/the terms\n\nthe notice/);
  });

  it.each([
    ['no licence text', 'MIT', {}],
    ['no licence', undefined, { LICENSE: 'the terms' }],
    ['a licence that nobody has looked at', 'GPL-3.0-only', { LICENSE: 'the terms' }],
  ])('with %s fails the build', async (_, license, files) => {
    const { status, stderr } = await collect(license, files);
    expect(status).not.toBe(0);
    expect(stderr).toContain('some-package@1.0.0 is bundled');
  });
});
