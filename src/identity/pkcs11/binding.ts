/** The native part that calls into PKCS#11 libraries, and into those of a system's store: koffi, an optional dependency that is never bundled. */
import { arch, platform } from 'node:process';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { requireBeside } from '../../platform/require.ts';

/** The version that package.json pins; for hints. */
export const KOFFI_VERSION = '3.3.4';

/** What the binding is for. */
export interface BindingUse {
  readonly code: 'ERR_PKCS11_BINDING' | 'ERR_STORE_BINDING';
  /** What begins a message. */
  readonly what: string;
}

/** A function of a loaded library. Numbers that a double cannot hold come back as bigint. */
export type NativeFunction = (...args: (number | bigint | Uint8Array | null)[]) => number | bigint;

/** An opaque description of a C type. */
export type NativeType = object | string;

/** A loaded library. When the object is collected the library is unloaded, whatever still points into it. */
export interface NativeLibrary {
  func(name: string, result: NativeType, args: NativeType[]): NativeFunction;
}

/** What is used of koffi's interface (https://koffi.dev). */
export interface Binding {
  readonly version: string;
  /** @param path null: what this process is made of, the C library included */
  load(path: string | null): NativeLibrary;
  proto(result: NativeType, args: NativeType[]): NativeType;
  /** Makes a function of a function pointer. */
  decode(pointer: bigint, type: NativeType): NativeFunction;
  /** The memory at an address, not copied. */
  view(pointer: bigint, length: number): ArrayBuffer;
  /** Where a buffer lies. */
  address(buffer: Uint8Array): bigint;
  sizeof(type: NativeType): number;
}

/**
 * Loads the prebuilt binary for this platform.
 *
 * koffi's own package is only a loader for `@koromix/koffi-PLATFORM-ARCH`, with an install script for platforms without
 * a prebuilt binary. Taking that package directly needs no script, which npm 12 would not run.
 *
 * @throws RolesAnywhereError the code of its use, saying what to install
 */
export function loadBinding(
  load: (name: string) => unknown = requireBeside(),
  { code, what }: BindingUse = { code: 'ERR_PKCS11_BINDING', what: 'pkcs11:' },
): Binding {
  const name = `@koromix/koffi-${platform}-${arch}`;
  let binding: unknown;
  try {
    binding = load(name);
  } catch (cause) {
    const missing = isMissing(cause, name);
    throw new RolesAnywhereError(
      code,
      missing
        ? `${what} needs the optional package ${name}, which is not installed`
        : `the package ${name} cannot be loaded`,
      {
        hint: missing
          ? `install it next to this program (npm install ${name}@${KOFFI_VERSION}), or reinstall without --omit=optional`
          : 'reinstall this program on this machine: its native package is for another system, or damaged',
        cause,
      },
    );
  }
  if (!isBinding(binding)) {
    throw new RolesAnywhereError(code, `the package ${name} is not one that this version can use`, {
      hint: 'reinstall this program, so that the version that it asks for is installed',
    });
  }
  return binding;
}

function isMissing(error: unknown, name: string): boolean {
  return error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND' && error.message.includes(name);
}

function isBinding(value: unknown): value is Binding {
  if (typeof value !== 'object' || value === null) return false;
  const functions: Record<string, unknown> = { ...value };
  return ['load', 'proto', 'decode', 'view', 'address', 'sizeof'].every(
    (name) => typeof functions[name] === 'function',
  );
}
