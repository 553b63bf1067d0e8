/** What a module's failures mean to a person, and how they travel between processes. */
// Tests: test/identity/pkcs11/faults.test.ts
import { ERROR_CLASSES, RolesAnywhereError } from '../../platform/errors.ts';
import type { ErrorCode } from '../../platform/errors.ts';
import { returnValueName } from './constants.ts';
import { CryptokiError } from './cryptoki.ts';
import { NotCryptokiError } from './function-list.ts';
import type { Failure } from './port.ts';

/** A library that could not be opened. */
export class ModuleError extends Error {
  override readonly name = 'ModuleError';
  readonly kind: 'not-found' | 'not-cryptoki';
  readonly library: string;
  readonly reason: string;

  constructor(kind: 'not-found' | 'not-cryptoki', library: string, reason: string) {
    super(`${library}: ${reason}`);
    this.kind = kind;
    this.library = library;
    this.reason = reason;
  }
}

/** For the way from the helper to its parent. */
export function toFailure(error: unknown): Failure {
  if (error instanceof CryptokiError)
    return { kind: 'cryptoki', function: error.function, returnValue: error.returnValue };
  if (error instanceof ModuleError) return { kind: error.kind, library: error.library, reason: error.reason };
  if (error instanceof RolesAnywhereError) {
    return { kind: 'error', error: { code: error.code, message: error.message, hint: error.hint } };
  }
  return { kind: 'unexpected', message: error instanceof Error ? error.message : String(error) };
}

/** Reverses {@link toFailure}. */
export function fromFailure(failure: Failure): Error {
  switch (failure.kind) {
    case 'cryptoki':
      return new CryptokiError(failure.function, failure.returnValue);
    case 'not-found':
    case 'not-cryptoki':
      return new ModuleError(failure.kind, failure.library, failure.reason);
    case 'error': {
      const { code, message, hint } = failure.error;
      return new RolesAnywhereError(isErrorCode(code) ? code : 'ERR_INTERNAL', message, { hint });
    }
    case 'unexpected':
    default:
      return new Error(failure.message);
  }
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CLASSES, code);
}

/** The token or its session is gone, or the module has lost its mind: a fresh start may find it again. */
const LOST: ReadonlySet<number> = new Set([
  0x05, // general error: what SoftHSM and others say when a token went away
  0x30, // device error
  0x32, // device removed
  0x60, // key handle invalid
  0x82, // object handle invalid
  0xb0, // session closed
  0xb3, // session handle invalid
  0xe0, // token not present
  0xe1, // token not recognised
  0x101, // not logged in: another program logged out, or the token was put back
  0x190, // not initialised
]);

const REMOVED: ReadonlySet<number> = new Set([0x32, 0xe0, 0xe1]);

/** Whether a new port, with everything looked up again, may do better. */
export function mayRecover(error: unknown): boolean {
  if (error instanceof CryptokiError) return LOST.has(error.returnValue);
  return (
    error instanceof RolesAnywhereError &&
    (error.code === 'ERR_PKCS11_MODULE_CRASHED' || error.code === 'ERR_PKCS11_TIMEOUT')
  );
}

/** The error that users see. What is one already stays as it is. */
export function explain(error: unknown): RolesAnywhereError {
  if (error instanceof RolesAnywhereError) return error;
  if (error instanceof ModuleError) return explainModule(error);
  if (error instanceof CryptokiError) {
    const code = error.function.startsWith('C_Sign') ? 'ERR_SIGN' : 'ERR_PKCS11_FAILED';
    const what = `${error.function} failed with ${returnValueName(error.returnValue)}`;
    if (REMOVED.has(error.returnValue)) {
      return new RolesAnywhereError('ERR_TOKEN_REMOVED', `the token was removed: ${what}`, {
        hint: 'put the token back in; a long-running command then finds it by itself',
        cause: error,
      });
    }
    return new RolesAnywhereError(code, `the PKCS#11 module: ${what}`, {
      hint: hintFor(error.returnValue),
      cause: error,
    });
  }
  if (error instanceof NotCryptokiError || error instanceof RangeError) {
    return new RolesAnywhereError('ERR_PKCS11_FAILED', `the PKCS#11 module: ${error.message}`, { cause: error });
  }
  return new RolesAnywhereError('ERR_INTERNAL', 'the PKCS#11 layer failed', { cause: error });
}

function explainModule(error: ModuleError): RolesAnywhereError {
  if (error.kind === 'not-found') {
    const isProxy = error.library.includes('p11-kit-proxy');
    return new RolesAnywhereError(
      'ERR_PKCS11_MODULE_NOT_FOUND',
      `no PKCS#11 module at ${error.library}: ${error.reason}`,
      {
        hint: isProxy
          ? 'install p11-kit (Debian: p11-kit-modules), or name the module of your token with --pkcs11-lib'
          : 'check --pkcs11-lib, or module-path and module-name in the URI',
        cause: error,
      },
    );
  }
  return new RolesAnywhereError(
    'ERR_PKCS11_MODULE_INVALID',
    `${error.library} is not a usable PKCS#11 module: ${error.reason}`,
    {
      hint: 'name the PKCS#11 library of the vendor, built for this processor and operating system',
      cause: error,
    },
  );
}

function hintFor(returnValue: number): string {
  switch (returnValue) {
    case 0x05:
      return 'see whether the token is plugged in and its own tools work; SoftHSM says this when SOFTHSM2_CONF is wrong';
    case 0x68:
      return 'the key may not sign: its CKA_SIGN is false, or its policy forbids it';
    case 0x70:
      return 'the token cannot make this kind of signature with this key';
    case 0x101:
      return 'the key needs a login: give the PIN with pin-source, ROLES_ANYWHERE_PKCS11_PIN or at a terminal';
    case 0x102:
      return "the token has no user PIN yet: set one with the vendor's tool";
    default:
      return 'try the same with pkcs11-tool of OpenSC (pkcs11-tool --module MODULE --list-objects): it shows what the module says';
  }
}
