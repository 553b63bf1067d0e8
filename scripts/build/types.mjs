// The library's type declarations: emitted by tsc, checked to stand alone, and put together.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, posix, relative, resolve, sep } from 'node:path';
import { parseSync } from 'rolldown/utils';

/** The file beside each entry with the declarations of its folder that an entry reaches, by whatever way. */
const TOGETHER = 'declarations';

/**
 * Writes dist/types: the entries, and beside each a file with what they export and what that needs, since a file for each
 * source is twice as much to download. Gives each entry a face for ES modules. The declarations themselves count as CommonJS,
 * by the nearest package.json, since TypeScript lets either kind of module import that kind.
 *
 * @param {Record<string, string>} entries the name in dist and the source of each, in folders of their own
 *
 * @throws Error when the sources do not compile, a reachable declaration names a package, which consumers do not have, or two
 * of a folder have one name
 */
export function emitTypes(root, dist, entries) {
  const emitted = join(dist, 'types.emitted');
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  try {
    execFileSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', emitted], {
      stdio: 'pipe',
    });
  } catch (error) {
    throw new Error(`the declarations do not compile\n${error.stdout}`, { cause: error });
  }
  const types = join(dist, 'types');
  const declarations = Object.values(entries).map((source) => source.replace(/^src\//, '').replace(/\.ts$/, '.d.ts'));
  const modules = new Modules(
    emitted,
    declarations.map((file) => dirname(file)),
  );
  for (const [at, name] of Object.keys(entries).entries()) {
    const file = declarations[at];
    mkdirSync(join(types, dirname(file)), { recursive: true });
    writeFileSync(join(types, file), modules.entry(file));
    writeFileSync(join(dist, `${name}.d.mts`), `export * from './types/${file.replace(/\.d\.ts$/, '.js')}';\n`);
  }
  for (const [file, text] of modules.together()) writeFileSync(join(types, file), text);
  writeFileSync(join(types, 'package.json'), '{ "type": "commonjs" }\n');
  rmSync(emitted, { recursive: true });
}

/** The emitted files that have been looked at, and what is wanted of them. */
class Modules {
  #root;
  #folders;
  #files = new Map();
  /** By folder, what stands under a name there: the file or the module that declares it. */
  #names = new Map();
  /** By folder, what is imported into it: `type` or `value` by name, by module. */
  #imports = new Map();

  /** @param folders those that declarations are put together in, by their path under `root` */
  constructor(root, folders) {
    this.#root = root;
    this.#folders = folders.toSorted((a, b) => b.length - a.length);
  }

  /** The text of an entry, which exports names from other files and does nothing else. */
  entry(path) {
    const file = join(this.#root, path);
    const lines = [];
    for (const { type, source, specifiers, exportKind } of this.#read(file).statements) {
      if (type !== 'ExportNamedDeclaration' || source === null)
        throw new Error(`${file} does something else than export names from other files`);
      const kind = exportKind === 'type' ? 'type ' : '';
      for (const { local, exported } of specifiers) {
        const declared = this.#want(this.#target(file, source.value), local.name, [file]);
        const names = declared.name === exported.name ? declared.name : `${declared.name} as ${exported.name}`;
        lines.push(`export ${kind}{ ${names} } from '${this.#way(this.#folderOf(file), declared.file)}';\n`);
      }
    }
    return lines.join('');
  }

  /** The files with all that is wanted: the path and the text of each. */
  together() {
    return this.#folders.map((folder) => {
      const imports = [...(this.#imports.get(folder) ?? [])].map(([module, names]) => {
        const kind = [...names.values()].includes('value') ? '' : 'type ';
        return `import ${kind}{ ${[...names.keys()].join(', ')} } from '${module}';\n`;
      });
      const wanted = [...this.#files]
        .filter(([file]) => this.#folderOf(file) === folder)
        .flatMap(([, { declarations }]) => Array.from(declarations.values()))
        .flatMap(({ used, texts }) => (used ? `${texts.join('\n')}\n` : []));
      return [join(folder, `${TOGETHER}.d.ts`), [...imports, ...wanted].join('')];
    });
  }

  /**
   * Marks the declaration that a file exports, or has, under `name`, with all that it needs.
   *
   * @returns its own name and its file, or Node's module
   */
  #want(file, name, path) {
    const { declarations, imports, wholes } = this.#read(file);
    const trail = [...path, file];
    const from = imports.get(name);
    if (from !== undefined && !from.module.startsWith('.')) {
      if (!from.module.startsWith('node:'))
        throw new Error(
          `public types must stand alone, and name the package ${from.module} by\n  ${trail.join('\n  ')}`,
        );
      return { name: from.name, file: from.module, kind: from.kind };
    }
    if (from !== undefined) return this.#want(this.#target(file, from.module), from.name, trail);
    const declaration = declarations.get(name);
    if (declaration === undefined && wholes.length === 1) return this.#want(this.#target(file, wholes[0]), name, trail);
    if (declaration === undefined) throw new Error(`there is no ${name} in ${file}`);
    if (declaration.used) return { name, file };
    declaration.used = true;
    const folder = this.#folderOf(file);
    this.#claim(folder, name, file);
    for (const other of declaration.names) {
      if (other === name || !(declarations.has(other) || imports.has(other))) continue;
      const found = this.#want(file, other, trail);
      if (found.name !== other) throw new Error(`${file} gives ${found.name} of ${found.file} another name, ${other}`);
      this.#import(folder, found);
    }
    return { name, file };
  }

  /** What is declared elsewhere is imported. */
  #import(folder, { name, file, kind = 'type' }) {
    const module = file.startsWith('node:') ? file : this.#way(folder, file);
    if (module === `./${TOGETHER}.js`) return;
    this.#claim(folder, name, file);
    const modules = this.#imports.get(folder) ?? new Map();
    this.#imports.set(folder, modules);
    const names = modules.get(module) ?? new Map();
    modules.set(module, names);
    if (names.get(name) !== 'value') names.set(name, kind);
  }

  /** Two declarations of one name would be one. */
  #claim(folder, name, place) {
    const names = this.#names.get(folder) ?? new Map();
    this.#names.set(folder, names);
    const other = names.get(name) ?? place;
    if (other !== place) throw new Error(`public types name two things ${name}: in ${other} and in ${place}`);
    names.set(name, place);
  }

  #folderOf(file) {
    const path = relative(this.#root, file).replaceAll(sep, '/');
    return this.#folders.find((folder) => folder === '.' || path.startsWith(`${folder}/`));
  }

  /** How a file in `folder` names the one that has the declarations of `file`. */
  #way(folder, file) {
    const way = posix.relative(folder, posix.join(this.#folderOf(file), `${TOGETHER}.js`));
    return way.startsWith('.') ? way : `./${way}`;
  }

  #target(file, specifier) {
    // tsc leaves the sources' extension in declarations.
    const target = resolve(dirname(file), specifier.replace(/\.[jt]s$/, '.d.ts'));
    if (!existsSync(target)) throw new Error(`${file} names ${specifier}, which is not there`);
    return target;
  }

  #read(file) {
    const known = this.#files.get(file);
    if (known !== undefined) return known;
    const text = readFileSync(file, 'utf8');
    const { program, comments, errors } = parseSync(file, text);
    if (errors.length > 0) throw new Error(`${file}: ${errors[0].message}`);
    const imports = new Map();
    const declarations = new Map();
    const wholes = [];
    for (const statement of program.body) {
      const { type, specifiers, source } = statement;
      const declared = type === 'ExportNamedDeclaration' ? statement.declaration : statement;
      if (type === 'ImportDeclaration') {
        for (const { type: form, imported, local, importKind } of specifiers) {
          if (form !== 'ImportSpecifier') throw new Error(`${file} imports the whole of ${source.value}`);
          const kind = statement.importKind === 'type' || importKind === 'type' ? 'type' : 'value';
          imports.set(local.name, { module: source.value, name: imported.name, kind });
        }
      } else if (type === 'ExportNamedDeclaration' && declared === null) {
        for (const { local, exported } of specifiers) {
          if (source === null) throw new Error(`${file} exports ${local.name} apart from its declaration`);
          imports.set(exported.name, { module: source.value, name: local.name, again: true });
        }
      } else if (type === 'ExportAllDeclaration' && statement.exported === null) wholes.push(source.value);
      else {
        const name = nameOf(declared);
        const about = comments.findLast(
          ({ type: form, value, end }) =>
            form === 'Block' &&
            value.startsWith('*') &&
            end <= statement.start &&
            text.slice(end, statement.start).trim() === '',
        );
        const own = text.slice(statement.start, statement.end);
        const exported = own.startsWith('export ') ? own : `export ${own}`;
        const entry = declarations.get(name) ?? { texts: [], names: new Set(), used: false };
        entry.texts.push(about === undefined ? exported : `${text.slice(about.start, about.end)}\n${exported}`);
        for (const used of namesIn(declared)) entry.names.add(used);
        declarations.set(name, entry);
      }
    }
    const read = { statements: program.body, imports, declarations, wholes };
    this.#files.set(file, read);
    return read;
  }
}

function nameOf({ type, id, declarations }) {
  const name = type === 'VariableDeclaration' && declarations.length === 1 ? declarations[0].id.name : id?.name;
  if (name === undefined) throw new Error(`a declaration without one name: ${type}`);
  return name;
}

/** Every identifier in a declaration: also those of members, which at worst keeps more than is needed. */
function namesIn(node, found = new Set()) {
  if (Array.isArray(node)) for (const item of node) namesIn(item, found);
  else if (typeof node === 'object' && node !== null) {
    if (node.type === 'Identifier') found.add(node.name);
    for (const member of Object.values(node)) namesIn(member, found);
  }
  return found;
}
