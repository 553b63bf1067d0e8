// Which packages' code went into the bundles, with what licence: the source of THIRD-PARTY-NOTICES.txt and the SBOM.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';

/** Licences that allow shipping in an Apache-2.0 package; another one is a decision for a person to take. */
const ALLOWED = new Set(['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', 'ISC', 'MIT']);
const LICENCE_FILE = /^(licen[cs]e|copying|notice|copyright(notice)?)([-.].*)?$/i;

/**
 * The packages behind the modules of the bundles, sorted by name.
 *
 * @param {Iterable<string>} moduleIds paths, and rolldown's own virtual modules
 * @throws Error when a package carries no licence text, or none that we know
 */
export function bundledPackages(root, moduleIds) {
  const found = new Map();
  for (const id of moduleIds) {
    // The bundler's helper functions are in the output too.
    const file = id.startsWith('\0') ? join(root, 'node_modules/rolldown/virtual') : id;
    if (!file.includes(`${sep}node_modules${sep}`)) continue;
    const folder = packageFolder(file);
    if (!found.has(folder)) found.set(folder, describe(folder));
  }
  return [...found.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

function packageFolder(file) {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    // Packages put nameless package.json files into folders to mark the module system.
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version !== undefined) return folder;
    if (folder === dirname(folder)) throw new Error(`no package.json above ${file}`);
  }
}

function describe(folder) {
  const {
    name,
    version,
    license,
    homepage,
    dependencies = {},
  } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (!ALLOWED.has(license))
    throw new Error(`${name}@${version} is bundled under ${license ?? 'no licence'}: see scripts/build/packages.mjs`);
  const texts = readdirSync(folder)
    .filter((file) => LICENCE_FILE.test(file))
    .toSorted()
    .map((file) => readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n').trim());
  if (texts.length === 0) throw new Error(`${name}@${version} is bundled and carries no licence text`);
  return {
    id: `${name}@${version}`,
    name,
    version,
    license,
    homepage,
    dependencies: Object.keys(dependencies),
    folder,
    texts,
  };
}

/** The text of THIRD-PARTY-NOTICES.txt. */
export function notices(packages) {
  const rule = '='.repeat(78);
  const intro =
    'The compiled files of this package contain code of the packages below, each under\nthe licence that follows its name.\n';
  return [
    intro,
    ...packages.map(({ id, license, texts }) => `${rule}\n${id} (${license})\n${rule}\n\n${texts.join('\n\n')}\n`),
  ].join('\n');
}

/** A CycloneDX 1.6 bill of materials, the same for the same input: it carries no time and no random number. */
export function sbom(root, manifest, packages) {
  const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const self = purl(manifest.name, manifest.version);
  const byFolder = new Map(packages.map((item) => [item.folder, item]));
  const document = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      lifecycles: [{ phase: 'build' }],
      component: {
        type: 'application',
        'bom-ref': self,
        name: manifest.name,
        version: manifest.version,
        licenses: [{ license: { id: manifest.license } }],
        purl: self,
      },
    },
    components: packages.map(({ name, version, license, homepage, folder }) => ({
      type: 'library',
      'bom-ref': purl(name, version),
      ...(name.startsWith('@') ? { group: name.split('/')[0] } : {}),
      name: name.split('/').at(-1),
      version,
      hashes: [integrity(locked, root, folder)],
      licenses: [{ license: { id: license } }],
      purl: purl(name, version),
      ...(homepage === undefined ? {} : { externalReferences: [{ type: 'website', url: homepage }] }),
    })),
    dependencies: [
      { ref: self, dependsOn: packages.map(({ name, version }) => purl(name, version)) },
      ...packages.map(({ name, version, folder, dependencies }) => ({
        ref: purl(name, version),
        dependsOn: dependencies
          .map((dependency) => installedFor(folder, dependency, byFolder))
          .filter((item) => item !== undefined)
          .map((item) => purl(item.name, item.version)),
      })),
    ],
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

/** The bundled package that `dependency` means to the package in `folder`, by Node's rule; absent when it was not bundled. */
function installedFor(folder, dependency, byFolder) {
  for (let at = folder; at !== dirname(at); at = dirname(at)) {
    const candidate = join(at, 'node_modules', dependency);
    if (existsSync(candidate)) return byFolder.get(candidate);
  }
  return undefined;
}

function purl(name, version) {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}

/** The hash of the package's archive, from the lockfile. */
function integrity(locked, root, folder) {
  const entry = locked[folder.slice(root.length + 1).replaceAll(sep, '/')];
  const [algorithm, digest] = entry.integrity.split('-');
  if (algorithm !== 'sha512') throw new Error(`the lockfile has a ${algorithm} hash for ${folder}`);
  return { alg: 'SHA-512', content: Buffer.from(digest, 'base64').toString('hex') };
}
