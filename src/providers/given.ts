/** Options that must be there, in programs whose types nobody checks: `process.env.NAME` is undefined where it is not set. */
// Tests: test/providers/roles-anywhere.test.ts
import { resolve } from 'node:path';
import { RolesAnywhereError } from '../platform/errors.ts';
import { nearest } from '../platform/suggest.ts';

/**
 * An option that is text.
 *
 * @param isOther whether a value that is no text will do
 * @throws RolesAnywhereError `ERR_FLAG_REQUIRED` when it is not there, `ERR_USAGE` when it is neither text nor what will do
 */
export function requireGiven(name: string, value: unknown, isOther: (value: unknown) => boolean = () => false): void {
  if (value === undefined || value === null || value === '')
    throw new RolesAnywhereError('ERR_FLAG_REQUIRED', `${name} is not given`, {
      hint: 'an environment variable that is not set gives undefined',
    });
  if (typeof value !== 'string' && !isOther(value)) throw wrongType(name, value);
}

/**
 * An object: that of the options, or one of them.
 *
 * @throws RolesAnywhereError `ERR_FLAG_REQUIRED`, `ERR_USAGE`
 */
export function requireOptions(options: unknown, name = 'the options object'): void {
  if (typeof options === 'object' && options !== null) return;
  requireGiven(name, options);
  throw wrongType(name, options);
}

/**
 * An object with names and values, as tags are: what a Map or a list holds would be left out in silence.
 *
 * @throws RolesAnywhereError `ERR_FLAG_REQUIRED`, `ERR_USAGE`
 */
export function requireRecord(name: string, value: unknown): void {
  requireOptions(value, name);
  if (Symbol.iterator in Object(value)) throw wrongType(name, value);
}

/**
 * An option that is a function.
 *
 * @throws RolesAnywhereError `ERR_FLAG_REQUIRED`, `ERR_USAGE`
 */
export function requireFunction(name: string, value: unknown): void {
  if (typeof value === 'function') return;
  requireGiven(name, value);
  throw wrongType(name, value);
}

/**
 * An option that has a method.
 *
 * @throws RolesAnywhereError `ERR_FLAG_REQUIRED`, `ERR_USAGE`
 */
export function requireMethod(name: string, value: unknown, method: string): void {
  requireOptions(value, name);
  requireFunction(`${name}.${method}`, Reflect.get(Object(value), method));
}

/**
 * Options that are lists, where they are given.
 *
 * @throws RolesAnywhereError `ERR_USAGE`
 */
export function checkLists(lists: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(lists))
    if (value !== undefined && !Array.isArray(value)) throw wrongType(name, value);
}

/**
 * Refuses members that nobody reads: what was meant to bind a session must not be left out in silence.
 *
 * @param known the names of all members
 * @throws RolesAnywhereError `ERR_USAGE`, with the nearest name in the hint
 */
export function refuseUnknown(given: object, known: Readonly<Record<string, true>>, where: string): void {
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || Object.hasOwn(known, name)) continue;
    const meant = nearest(name, Object.keys(known));
    throw new RolesAnywhereError('ERR_USAGE', `${where} has an unknown member: ${JSON.stringify(name)}`, {
      hint: meant === undefined ? 'see the declarations of this package' : `did you mean ${meant}`,
    });
  }
}

/** Options that are data through and through; the others may be objects with a state of their own. */
const DATA: ReadonlySet<string> = new Set([
  'certificate',
  'privateKey',
  'intermediates',
  'pkcs11',
  'tpm',
  'tls',
  'retry',
  'policyArns',
  'tags',
  'transitiveTagKeys',
  'providedContexts',
  'credentials',
]);

/**
 * The options as they are now. What a program does with its object afterwards, such as wiping a key, is no matter for what is
 * asked hours later.
 */
export function taken<T extends object>(given: T, known: Readonly<Record<string, true>>): T {
  const members = Object.keys(known).flatMap((name): [string, unknown][] => {
    const value: unknown = Reflect.get(given, name);
    return value === undefined ? [] : [[name, DATA.has(name) ? copyOf(value) : value]];
  });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- its members by their names
  return Object.fromEntries(members) as T;
}

/** A copy of what is made of lists, plain objects and bytes; anything else is what it is. */
function copyOf(value: unknown): unknown {
  if (isBytes(value)) return Uint8Array.from(value);
  if (Array.isArray(value)) return value.map((one: unknown) => copyOf(one));
  if (typeof value !== 'object' || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copyOf(member)]));
}

/** A path from the root: it means what it meant when it was given, wherever the program goes. */
export function fromRoot(path: string): string {
  // Of a tilde, which no shell has expanded, whoever opens the file says what it is.
  if (path.startsWith('~')) return path;
  try {
    return resolve(path);
  } catch {
    return path; // the working directory was removed
  }
}

/** Also those of another realm, such as that of a test runner. */
export function isBytes(value: unknown): value is Uint8Array {
  return Object.prototype.toString.call(value) === '[object Uint8Array]';
}

function wrongType(name: string, value: unknown): RolesAnywhereError {
  const type = Array.isArray(value) ? 'array' : typeof value;
  return new RolesAnywhereError('ERR_USAGE', `${name} is of the wrong type: ${type}`, {
    hint: 'its type is in the declarations of this package',
  });
}
