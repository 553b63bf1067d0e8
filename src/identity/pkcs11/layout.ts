/** How the C structures of PKCS#11 lie in memory on each platform. */

/** What differs between platforms. All that koffi runs on are little-endian. */
export interface Abi {
  /** sizeof(CK_ULONG): C's `unsigned long`, so 4 on Windows and on 32-bit systems. */
  readonly ulong: 4 | 8;
  readonly pointer: 4 | 8;
  /** Windows modules are built with `#pragma pack(1)` (PKCS#11 2.40 base, section 2.1), others with natural alignment. */
  readonly packed: boolean;
}

/** A field: a number, a pointer, a CK_VERSION (two bytes), or so many bytes. */
export type Field = 'ulong' | 'pointer' | 'version' | number;

export interface Layout<Name extends string> {
  readonly size: number;
  readonly offsets: Readonly<Record<Name, number>>;
}

export function abiOf(platform: NodeJS.Platform, ulong: number, pointer: number): Abi {
  return { ulong: ulong === 4 ? 4 : 8, pointer: pointer === 4 ? 4 : 8, packed: platform === 'win32' };
}

/** Offsets of a structure's fields, and its size with the padding at its end. */
export function layout<Name extends string>(fields: readonly (readonly [Name, Field])[], abi: Abi): Layout<Name> {
  const places: [Name, number][] = [];
  let at = 0;
  let widest = 1;
  for (const [name, field] of fields) {
    const [size, natural] = measure(field, abi);
    const alignment = abi.packed ? 1 : natural;
    at = alignUp(at, alignment);
    places.push([name, at]);
    at += size;
    widest = Math.max(widest, alignment);
  }
  const offsets: object = Object.fromEntries(places);
  if (!hasAll(offsets, fields)) throw new TypeError('a structure without fields');
  return { size: alignUp(at, widest), offsets };
}

function hasAll<Name extends string>(
  offsets: object,
  fields: readonly (readonly [Name, Field])[],
): offsets is Record<Name, number> {
  return fields.every(([name]) => Object.hasOwn(offsets, name));
}

function measure(field: Field, abi: Abi): [size: number, alignment: number] {
  if (field === 'ulong') return [abi.ulong, abi.ulong];
  if (field === 'pointer') return [abi.pointer, abi.pointer];
  return [field === 'version' ? 2 : field, 1];
}

function alignUp(at: number, alignment: number): number {
  return Math.ceil(at / alignment) * alignment;
}

export const INFO = [
  ['cryptokiVersion', 'version'],
  ['manufacturer', 32],
  ['flags', 'ulong'],
  ['description', 32],
  ['version', 'version'],
] as const;

export const SLOT_INFO = [
  ['description', 64],
  ['manufacturer', 32],
  ['flags', 'ulong'],
  ['hardwareVersion', 'version'],
  ['firmwareVersion', 'version'],
] as const;

export const TOKEN_INFO = [
  ['label', 32],
  ['manufacturer', 32],
  ['model', 16],
  ['serial', 16],
  ['flags', 'ulong'],
  ['maxSessions', 'ulong'],
  ['sessions', 'ulong'],
  ['maxRwSessions', 'ulong'],
  ['rwSessions', 'ulong'],
  ['maxPinLength', 'ulong'],
  ['minPinLength', 'ulong'],
  ['totalPublicMemory', 'ulong'],
  ['freePublicMemory', 'ulong'],
  ['totalPrivateMemory', 'ulong'],
  ['freePrivateMemory', 'ulong'],
  ['hardwareVersion', 'version'],
  ['firmwareVersion', 'version'],
  ['utcTime', 16],
] as const;

/** CK_C_INITIALIZE_ARGS. */
export const INITIALIZE_ARGS = [
  ['createMutex', 'pointer'],
  ['destroyMutex', 'pointer'],
  ['lockMutex', 'pointer'],
  ['unlockMutex', 'pointer'],
  ['flags', 'ulong'],
  ['reserved', 'pointer'],
] as const;

/** CK_ATTRIBUTE; CK_MECHANISM has the same shape. */
export const ATTRIBUTE = [
  ['type', 'ulong'],
  ['value', 'pointer'],
  ['length', 'ulong'],
] as const;

/** Where the function with this index (its place in pkcs11f.h) has its pointer in CK_FUNCTION_LIST. */
export function functionOffset(index: number, abi: Abi): number {
  return alignUp(2, abi.packed ? 1 : abi.pointer) + index * abi.pointer;
}
