/**
 * A world in a file, YAML or JSON, and the files that it names. A change of
 * any of them is noticed at the next request: what is looked at then is their
 * times and sizes, so that nothing has to watch.
 */
import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { LineCounter, parseDocument, YAMLParseError } from 'yaml';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { readNamedFile } from '../../platform/files.ts';
import { schemaProblems } from './json-schema.ts';
import schema from './schema.json' with { type: 'json' };
import type { WorldOptions } from './world.ts';

const MAX_BYTES = 4 * 1024 * 1024;
const MAX_PROBLEMS = 5;
/** Far more than any world has. From some 850 on the stack may not do, and some ten thousand end Node where it does not throw. */
const MAX_LEVELS = 500;

/** Members that name a file, and those that hold what is in it. */
const FILE_MEMBERS: Readonly<Record<string, string>> = {
  certificateFile: 'certificates',
  crlFile: 'crl',
  jwksFile: 'jwks',
};

export interface WorldFile {
  /** The world that the file describes; throws what is wrong with the file. */
  world(): WorldOptions;
  /** Whether the file, or one that it names, has changed since it was read. */
  isChanged(): boolean;
}

/** Reads a world. Whether what it describes can be is for `createWorld` to say. */
export function readWorldFile(path: string): WorldFile {
  const files = new Map<string, string>();
  const read = (file: string): string => {
    files.set(file, fingerprint(file)); // before it is read: a change in between is noticed later
    return readText(file, file === path ? 'check the path of the world file' : undefined);
  };
  const result = attempt(() => readWorld(path, read));
  return {
    world() {
      if ('problem' in result) throw result.problem;
      return result.world;
    },
    isChanged: () => [...files].some(([file, before]) => fingerprint(file) !== before),
  };
}

function attempt(read: () => WorldOptions): { world: WorldOptions } | { problem: RolesAnywhereError } {
  try {
    return { world: read() };
  } catch (problem) {
    if (problem instanceof RolesAnywhereError) return { problem };
    throw problem;
  }
}

function readWorld(path: string, read: (file: string) => string): WorldOptions {
  const value = parseText(path, read(path));
  const problems = schemaProblems(value, schema, 'the file');
  if (problems.length > 0)
    throw new RolesAnywhereError('ERR_WORLD', `${path}: ${problems.slice(0, MAX_PROBLEMS).join('; ')}`, {
      hint: 'correct the file; emulator-world.schema.json, which comes with this program, lets an editor check it',
    });
  // The schema has the shape of WorldOptions, but for the members that name files.
  return inline(value, dirname(path), read) as WorldOptions; // oxlint-disable-line typescript/no-unsafe-type-assertion
}

function readText(file: string, hint = 'a path in a world file is relative to that file'): string {
  const { bytes } = readNamedFile({
    path: file,
    name: file,
    code: 'ERR_WORLD',
    hint,
    maxBytes: MAX_BYTES,
  });
  return Buffer.from(bytes).toString('utf8');
}

function parseText(path: string, text: string): unknown {
  if (isTooDeep(text))
    throw new RolesAnywhereError('ERR_WORLD', `${path} is nested more than ${MAX_LEVELS} levels deep`, {
      hint: 'is it a world file? it is YAML 1.2, of which JSON is a part',
    });
  const lineCounter = new LineCounter();
  try {
    // Pretty errors quote the line, and take the square of its length for that.
    const document = parseDocument(text, { lineCounter, prettyErrors: false });
    const [error] = document.errors;
    if (error !== undefined) throw error;
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    const { line, col } = cause instanceof YAMLParseError ? lineCounter.linePos(cause.pos[0]) : { line: 0, col: 0 };
    throw new RolesAnywhereError(
      'ERR_WORLD',
      `${path} is not YAML: ${cause instanceof Error ? cause.message : String(cause)}${line === 0 ? '' : ` at line ${line}, column ${col}`}`,
      { hint: 'a world file is YAML 1.2, of which JSON is a part', cause },
    );
  }
}

/** By brackets and indicators alone, wherever they stand: within strings they are balanced, or few. */
function isTooDeep(text: string): boolean {
  let [flow, block] = [0, 0];
  for (const character of text) {
    if ('[{'.includes(character)) flow++;
    else if (']}'.includes(character)) flow = Math.max(0, flow - 1);
    if ('-?:'.includes(character)) block++;
    else if (!' \t'.includes(character)) block = 0;
    if (flow > MAX_LEVELS || block > MAX_LEVELS) return true;
  }
  return false;
}

/** Puts what is in the files that are named in the place of their names. */
function inline(value: unknown, directory: string, read: (file: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => inline(item, directory, read));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]: [string, unknown]) => {
      const member = FILE_MEMBERS[name];
      return member === undefined || typeof item !== 'string'
        ? [name, inline(item, directory, read)]
        : [member, read(resolve(directory, item))];
    }),
  );
}

function fingerprint(file: string): string {
  try {
    const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
    return stat === undefined ? 'missing' : `${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
  } catch {
    return 'unreadable'; // reading says why
  }
}
