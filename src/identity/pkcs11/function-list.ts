/** Loads a library and takes the functions that are used from its function list (PKCS#11 2.40 base, section 5.4). */
// Tests: test/identity/pkcs11/layout.test.ts
import type { Binding, NativeFunction, NativeLibrary, NativeType } from './binding.ts';
import { CKR_OK } from './constants.ts';
import { functionOffset } from './layout.ts';
import type { Abi } from './layout.ts';
import type { Memory } from './memory.ts';

/** A library that loads and is not PKCS#11, or breaks its contract. */
export class NotCryptokiError extends Error {
  override readonly name = 'NotCryptokiError';
}

/** Place in the function list (pkcs11f.h), and parameters: `u` a CK_ULONG or handle, `p` a pointer. */
const FUNCTIONS = {
  C_Initialize: [0, 'p'],
  C_Finalize: [1, 'p'],
  C_GetInfo: [2, 'p'],
  C_GetSlotList: [4, 'bpp'],
  C_GetSlotInfo: [5, 'up'],
  C_GetTokenInfo: [6, 'up'],
  C_GetMechanismList: [7, 'upp'],
  C_OpenSession: [12, 'uuppp'],
  C_CloseSession: [13, 'u'],
  C_Login: [18, 'uupu'],
  C_CreateObject: [20, 'upup'],
  C_DestroyObject: [22, 'uu'],
  C_GetAttributeValue: [24, 'uupu'],
  C_FindObjectsInit: [26, 'upu'],
  C_FindObjects: [27, 'upup'],
  C_FindObjectsFinal: [28, 'u'],
  C_SignInit: [42, 'upu'],
  C_Sign: [43, 'upupp'],
} as const;

export type FunctionName = keyof typeof FUNCTIONS;

const PARAMETERS: Readonly<Record<string, NativeType>> = { u: 'ulong', p: 'void *', b: 'uchar' };

/**
 * Kept for as long as the process lives: the functions of the list do not keep their library loaded, and modules with
 * threads of their own do not survive being unloaded.
 */
const libraries = new Map<string, NativeLibrary>();

/**
 * Names outside the list are not looked up: libraries need not export any but C_GetFunctionList.
 *
 * @throws Error with the loader's words when the library cannot be loaded; NotCryptokiError when it is something else
 */
export function loadFunctions(
  binding: Binding,
  path: string,
  abi: Abi,
  memory: Memory,
): Map<FunctionName, NativeFunction> {
  const library = libraries.get(path) ?? binding.load(path);
  libraries.set(path, library);
  let getFunctionList: NativeFunction;
  try {
    getFunctionList = library.func('C_GetFunctionList', 'ulong', ['void *']);
  } catch (cause) {
    throw new NotCryptokiError('it has no C_GetFunctionList', { cause });
  }
  const slot = memory.take(8);
  const returnValue = Number(getFunctionList(slot.address));
  const list = memory.pointer(slot);
  memory.wipe();
  if (returnValue !== CKR_OK || list === 0n) throw new NotCryptokiError('its C_GetFunctionList gives no function list');

  const [major = 0, minor = 0] = new Uint8Array(binding.view(list, 2));
  if (major !== 2 && major !== 3)
    throw new NotCryptokiError(`it speaks version ${major}.${minor}, and 2.x or 3.x is needed`);

  const functions = new Map<FunctionName, NativeFunction>();
  for (const name of FUNCTION_NAMES) {
    const [index, parameters] = FUNCTIONS[name];
    const place = new DataView(binding.view(list + BigInt(functionOffset(index, abi)), abi.pointer));
    const pointer = abi.pointer === 4 ? BigInt(place.getUint32(0, true)) : place.getBigUint64(0, true);
    if (pointer === 0n) throw new NotCryptokiError(`its function list has no ${name}`);
    functions.set(name, binding.decode(pointer, prototype(binding, parameters)));
  }
  return functions;
}

// Object.keys() of a literal whose keys are all known.
const FUNCTION_NAMES = Object.keys(FUNCTIONS).filter((name): name is FunctionName => Object.hasOwn(FUNCTIONS, name));

const prototypes = new WeakMap<Binding, Map<string, NativeType>>();

/** Functions with the same parameters share a prototype: koffi keeps every one for good. Without a name, which could be taken. */
function prototype(binding: Binding, parameters: string): NativeType {
  const known = prototypes.get(binding) ?? new Map<string, NativeType>();
  prototypes.set(binding, known);
  let type = known.get(parameters);
  if (type === undefined) {
    type = binding.proto(
      'ulong',
      Array.from(parameters, (letter) => PARAMETERS[letter] ?? 'void *'),
    );
    known.set(parameters, type);
  }
  return type;
}
