/**
 * Cryptoki (PKCS#11 2.40) as far as signing needs it, over a loaded library:
 * synchronous calls, plain values in and out, and an error for every return
 * value but CKR_OK.
 */
// Tests: test/identity/pkcs11/softhsm.test.ts
import process from 'node:process';
import type { Binding, NativeFunction } from './binding.ts';
import {
  CKF_OS_LOCKING_OK,
  CKF_RW_SESSION,
  CKF_SERIAL_SESSION,
  CKR_ARGUMENTS_BAD,
  CKR_ATTRIBUTE_SENSITIVE,
  CKR_ATTRIBUTE_TYPE_INVALID,
  CKR_BUFFER_TOO_SMALL,
  CKR_CANT_LOCK,
  CKR_CRYPTOKI_ALREADY_INITIALIZED,
  CKR_OK,
  returnValueName,
} from './constants.ts';
import { NotCryptokiError, loadFunctions } from './function-list.ts';
import type { FunctionName } from './function-list.ts';
import { ATTRIBUTE, INFO, INITIALIZE_ARGS, SLOT_INFO, TOKEN_INFO, abiOf, layout } from './layout.ts';
import type { Abi, Layout } from './layout.ts';
import { Memory } from './memory.ts';
import type { Slice } from './memory.ts';

/** A return value other than CKR_OK, and the function that gave it. Turned into a RolesAnywhereError by failures.ts. */
export class CryptokiError extends Error {
  override readonly name = 'CryptokiError';
  readonly function: string;
  readonly returnValue: number;

  constructor(name: string, returnValue: number) {
    super(`${name}: ${returnValueName(returnValue)}`);
    this.function = name;
    this.returnValue = returnValue;
  }
}

export interface LibraryInfo {
  manufacturer: string;
  description: string;
  version: { major: number; minor: number };
}

export interface SlotInfo {
  description: string;
  manufacturer: string;
}

export interface TokenInfo {
  label: string;
  manufacturer: string;
  model: string;
  serial: string;
  flags: number;
}

/** An attribute of a search: its type, and its value as bytes or as a CK_ULONG. */
export type Attribute = readonly [type: number, value: Uint8Array | number];

/** For one call's structures, the largest attribute and the message. */
const MEMORY_BYTES = 256 * 1024;
const FIRST_TRY_BYTES = 4096;
const MAX_ATTRIBUTE_BYTES = 128 * 1024;
/** RSA with 16384 bits. */
const MAX_SIGNATURE_BYTES = 2048;
const MAX_SLOTS = 1024;
const MAX_MECHANISMS = 4096;
const FIND_BATCH = 64;
/** A token with more matches than this is not searched by hand. */
const MAX_OBJECTS = 4096;

/** Says where NSS's softoken has its database. Releases that do not read it by themselves want it as pReserved. */
const NSS_PARAMETERS = 'NSS_LIB_PARAMS';

/** What modules answer that do not take CK_C_INITIALIZE_ARGS. */
const WITHOUT_ARGUMENTS: ReadonlySet<number> = new Set([CKR_ARGUMENTS_BAD, CKR_CANT_LOCK]);

export class Cryptoki {
  readonly #functions: ReadonlyMap<FunctionName, NativeFunction>;
  readonly #abi: Abi;
  readonly #memory: Memory;
  readonly #info: Layout<(typeof INFO)[number][0]>;
  readonly #slotInfo: Layout<(typeof SLOT_INFO)[number][0]>;
  readonly #tokenInfo: Layout<(typeof TOKEN_INFO)[number][0]>;
  readonly #attribute: Layout<(typeof ATTRIBUTE)[number][0]>;
  readonly #initializeArgs: Layout<(typeof INITIALIZE_ARGS)[number][0]>;
  #finalize = false;

  /**
   * Loads a library and takes its functions from its function list.
   *
   * @throws Error with the loader's words when it cannot be loaded; NotCryptokiError when it is something else
   */
  constructor(binding: Binding, path: string) {
    this.#abi = abiOf(process.platform, binding.sizeof('ulong'), binding.sizeof('void *'));
    this.#memory = new Memory(binding, this.#abi, MEMORY_BYTES);
    this.#info = layout(INFO, this.#abi);
    this.#slotInfo = layout(SLOT_INFO, this.#abi);
    this.#tokenInfo = layout(TOKEN_INFO, this.#abi);
    this.#attribute = layout(ATTRIBUTE, this.#abi);
    this.#initializeArgs = layout(INITIALIZE_ARGS, this.#abi);
    this.#functions = loadFunctions(binding, path, this.#abi, this.#memory);
  }

  /** Calls a function and wipes nothing: {@link #run} does, when the results are read. */
  #call(name: FunctionName, ...args: (number | bigint | null)[]): void {
    const returnValue = this.#try(name, ...args);
    if (returnValue !== CKR_OK) throw new CryptokiError(name, returnValue);
  }

  #try(name: FunctionName, ...args: (number | bigint | null)[]): number {
    const native = this.#functions.get(name);
    if (native === undefined) throw new NotCryptokiError(`its function list has no ${name}`);
    return Number(native(...args));
  }

  #run<T>(body: (memory: Memory) => T): T {
    try {
      return body(this.#memory);
    } finally {
      this.#memory.wipe();
    }
  }

  /**
   * C_Initialize, with CKF_OS_LOCKING_OK: modules with threads of their own refuse to do without, and those that cannot
   * lock, or take no arguments, are asked once more for one thread. A library that someone in this process initialised
   * already is used, and left running.
   */
  initialize(): void {
    let returnValue = this.#initializeWithLocks();
    const parameters = process.env[NSS_PARAMETERS];
    if (returnValue === CKR_ARGUMENTS_BAD && parameters !== undefined)
      returnValue = this.#initializeWithLocks(parameters);
    if (WITHOUT_ARGUMENTS.has(returnValue)) returnValue = this.#try('C_Initialize', null);
    if (returnValue !== CKR_OK && returnValue !== CKR_CRYPTOKI_ALREADY_INITIALIZED) {
      throw new CryptokiError('C_Initialize', returnValue);
    }
    this.#finalize = returnValue === CKR_OK;
  }

  #initializeWithLocks(reserved?: string): number {
    return this.#run((memory) => {
      const args = memory.take(this.#initializeArgs.size);
      const { flags, reserved: place } = this.#initializeArgs.offsets;
      memory.setUlong(args, flags, CKF_OS_LOCKING_OK);
      if (reserved !== undefined)
        memory.setPointer(args, place, memory.put(new TextEncoder().encode(`${reserved}\0`)).address);
      return this.#try('C_Initialize', args.address);
    });
  }

  finalize(): void {
    if (this.#finalize) this.#try('C_Finalize', null);
    this.#finalize = false;
  }

  getInfo(): LibraryInfo {
    return this.#run((memory) => {
      const info = memory.take(this.#info.size);
      this.#call('C_GetInfo', info.address);
      const { offsets } = this.#info;
      const [major = 0, minor = 0] = memory.read(info, 2, offsets.version);
      return {
        manufacturer: text(memory.read(info, 32, offsets.manufacturer)),
        description: text(memory.read(info, 32, offsets.description)),
        version: { major, minor },
      };
    });
  }

  /** The slots that hold a token. */
  getSlotList(): bigint[] {
    return this.#run((memory) => {
      const slots = memory.take(MAX_SLOTS * this.#abi.ulong);
      const count = memory.take(this.#abi.ulong);
      memory.setUlong(count, 0, MAX_SLOTS);
      // Some modules look for new tokens only in the call that asks for the number.
      this.#call('C_GetSlotList', 1, null, count.address);
      memory.setUlong(count, 0, MAX_SLOTS);
      this.#call('C_GetSlotList', 1, slots.address, count.address);
      return this.#handles(memory, slots, Math.min(memory.ulong(count), MAX_SLOTS));
    });
  }

  #handles(memory: Memory, slice: Slice, count: number): bigint[] {
    return Array.from({ length: count }, (_, index) => memory.handle(slice, index * this.#abi.ulong));
  }

  getSlotInfo(slot: bigint): SlotInfo {
    return this.#run((memory) => {
      const info = memory.take(this.#slotInfo.size);
      this.#call('C_GetSlotInfo', slot, info.address);
      const { offsets } = this.#slotInfo;
      return {
        description: text(memory.read(info, 64, offsets.description)),
        manufacturer: text(memory.read(info, 32, offsets.manufacturer)),
      };
    });
  }

  getTokenInfo(slot: bigint): TokenInfo {
    return this.#run((memory) => {
      const info = memory.take(this.#tokenInfo.size);
      this.#call('C_GetTokenInfo', slot, info.address);
      const { offsets } = this.#tokenInfo;
      return {
        label: text(memory.read(info, 32, offsets.label)),
        manufacturer: text(memory.read(info, 32, offsets.manufacturer)),
        model: text(memory.read(info, 16, offsets.model)),
        serial: text(memory.read(info, 16, offsets.serial)),
        flags: memory.ulong(info, offsets.flags),
      };
    });
  }

  getMechanismList(slot: bigint): number[] {
    return this.#run((memory) => {
      const count = memory.take(this.#abi.ulong);
      this.#call('C_GetMechanismList', slot, null, count.address);
      const room = Math.min(memory.ulong(count), MAX_MECHANISMS);
      const list = memory.take(room * this.#abi.ulong);
      memory.setUlong(count, 0, room);
      this.#call('C_GetMechanismList', slot, list.address, count.address);
      const length = Math.min(memory.ulong(count), room);
      return Array.from({ length }, (_, index) => memory.ulong(list, index * this.#abi.ulong));
    });
  }

  /** @param writable default: a read-only session */
  openSession(slot: bigint, writable = false): bigint {
    return this.#run((memory) => {
      const session = memory.take(this.#abi.ulong);
      const flags = CKF_SERIAL_SESSION | (writable ? CKF_RW_SESSION : 0);
      this.#call('C_OpenSession', slot, flags, null, null, session.address);
      return memory.handle(session);
    });
  }

  closeSession(session: bigint): void {
    this.#call('C_CloseSession', session);
  }

  /** @param pin null: the token asks for it at its own keypad */
  login(session: bigint, user: number, pin: Uint8Array | null): void {
    this.#run((memory) => {
      const slice = pin === null ? null : memory.put(pin);
      this.#call('C_Login', session, user, slice?.address ?? null, slice?.size ?? 0);
    });
  }

  findObjects(session: bigint, attributes: readonly Attribute[]): bigint[] {
    return this.#run((memory) => {
      const template = this.#template(memory, attributes);
      this.#call('C_FindObjectsInit', session, template.address, attributes.length);
      try {
        return this.#found(memory, session);
      } finally {
        this.#try('C_FindObjectsFinal', session);
      }
    });
  }

  #template(memory: Memory, attributes: readonly Attribute[]): Slice {
    const template = memory.take(attributes.length * this.#attribute.size);
    attributes.forEach(([type, value], index) => {
      const offset = index * this.#attribute.size;
      const slice = typeof value === 'number' ? memory.take(this.#abi.ulong) : memory.put(value);
      if (typeof value === 'number') memory.setUlong(slice, 0, value);
      memory.setUlong(template, offset + this.#attribute.offsets.type, type);
      memory.setPointer(template, offset + this.#attribute.offsets.value, slice.address);
      memory.setUlong(template, offset + this.#attribute.offsets.length, slice.size);
    });
    return template;
  }

  /** @param session a writable one */
  createObject(session: bigint, attributes: readonly Attribute[]): void {
    this.#run((memory) => {
      const template = this.#template(memory, attributes);
      const object = memory.take(this.#abi.ulong);
      this.#call('C_CreateObject', session, template.address, attributes.length, object.address);
    });
  }

  /** @param session a writable one */
  destroyObject(session: bigint, object: bigint): void {
    this.#call('C_DestroyObject', session, object);
  }

  #found(memory: Memory, session: bigint): bigint[] {
    const batch = memory.take(FIND_BATCH * this.#abi.ulong);
    const count = memory.take(this.#abi.ulong);
    const found: bigint[] = [];
    while (found.length < MAX_OBJECTS) {
      this.#call('C_FindObjects', session, batch.address, FIND_BATCH, count.address);
      const handles = this.#handles(memory, batch, Math.min(memory.ulong(count), FIND_BATCH));
      if (handles.length === 0) break;
      found.push(...handles);
    }
    return found;
  }

  /** One attribute's bytes; undefined when the object has none or does not show it. */
  getAttribute(session: bigint, object: bigint, type: number): Uint8Array | undefined {
    return this.#run((memory) => {
      const attribute = memory.take(this.#attribute.size);
      const { offsets } = this.#attribute;
      memory.setUlong(attribute, offsets.type, type);
      const read = (room: number): [number, Slice] => {
        const value = memory.take(room);
        memory.setPointer(attribute, offsets.value, value.address);
        memory.setUlong(attribute, offsets.length, room);
        return [this.#try('C_GetAttributeValue', session, object, attribute.address, 1), value];
      };
      let [returnValue, value] = read(FIRST_TRY_BYTES);
      if (returnValue === CKR_BUFFER_TOO_SMALL) {
        memory.setPointer(attribute, offsets.value, 0n);
        memory.setUlong(attribute, offsets.length, 0);
        this.#call('C_GetAttributeValue', session, object, attribute.address, 1);
        const needed = memory.ulong(attribute, offsets.length);
        if (needed > MAX_ATTRIBUTE_BYTES) return undefined;
        [returnValue, value] = read(needed);
      }
      if (returnValue === CKR_ATTRIBUTE_SENSITIVE || returnValue === CKR_ATTRIBUTE_TYPE_INVALID) return undefined;
      if (returnValue !== CKR_OK) throw new CryptokiError('C_GetAttributeValue', returnValue);
      const length = memory.ulong(attribute, offsets.length);
      return length > value.size ? undefined : memory.read(value, length);
    });
  }

  /** An attribute that is a CK_ULONG. */
  getUlong(session: bigint, object: bigint, type: number): number | undefined {
    const bytes = this.getAttribute(session, object, type);
    if (bytes?.length !== this.#abi.ulong) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return this.#abi.ulong === 4 ? view.getUint32(0, true) : Number(view.getBigUint64(0, true));
  }

  /** None of the mechanisms used here takes a parameter. */
  signInit(session: bigint, mechanism: number, key: bigint): void {
    this.#run((memory) => {
      const slice = memory.take(this.#attribute.size);
      memory.setUlong(slice, this.#attribute.offsets.type, mechanism);
      this.#call('C_SignInit', session, slice.address, key);
    });
  }

  sign(session: bigint, data: Uint8Array): Uint8Array {
    return this.#run((memory) => {
      const input = memory.put(data);
      const signature = memory.take(MAX_SIGNATURE_BYTES);
      const length = memory.take(this.#abi.ulong);
      memory.setUlong(length, 0, MAX_SIGNATURE_BYTES);
      this.#call('C_Sign', session, input.address, data.length, signature.address, length.address);
      return memory.read(signature, Math.min(memory.ulong(length), MAX_SIGNATURE_BYTES));
    });
  }
}

/** Fixed-width text: padded with spaces, by some modules ended with a zero byte. */
function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end === -1 ? bytes : bytes.subarray(0, end)).trimEnd();
}
