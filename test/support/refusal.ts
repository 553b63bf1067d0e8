import { type ErrorCode, RolesAnywhereError } from '../../src/platform/errors.ts';

/** What a call was refused with. Anything but a RolesAnywhereError, and no error at all, fails the test. */
export async function refusal(call: () => unknown): Promise<RolesAnywhereError> {
  try {
    await call();
  } catch (error) {
    if (error instanceof RolesAnywhereError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** As {@link refusal}, of a synchronous call. */
export function refusalOf(call: () => unknown): RolesAnywhereError {
  try {
    call();
  } catch (error) {
    if (error instanceof RolesAnywhereError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** The code of {@link refusal}. */
export async function refusalCode(call: () => unknown): Promise<ErrorCode> {
  return (await refusal(call)).code;
}

/** What a synchronous call gave, or the code it was refused with. Any other error is thrown on. */
export function outcome<T>(call: () => T): { value: T } | { code: ErrorCode } {
  try {
    return { value: call() };
  } catch (error) {
    if (error instanceof RolesAnywhereError) return { code: error.code };
    throw error;
  }
}
