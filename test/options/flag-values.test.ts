import { describe, expectTypeOf, it } from 'vitest';
import type { FlagValues, FlagsOf } from '../../src/options/flag-values.ts';
import type { FlagItem } from '../../src/options/flags.ts';

// The compiler checks these: `npm run typecheck`.
describe('the type of the flags of a command', () => {
  it('is present where the flag is required or has a default, and else may be undefined', () => {
    expectTypeOf<FlagsOf<'credential-process'>['role-arn']>().toEqualTypeOf<string>();
    expectTypeOf<FlagsOf<'serve'>['port']>().toEqualTypeOf<number>();
    expectTypeOf<FlagsOf<'serve'>['role-arn']>().toEqualTypeOf<string | undefined>();
    expectTypeOf<FlagsOf<'serve'>['session-duration']>().toEqualTypeOf<number | undefined>();
    expectTypeOf<FlagsOf<'assume-role'>['assume-role-arn']>().toEqualTypeOf<readonly (string | FlagItem)[]>();
    expectTypeOf<FlagsOf<'serve'>['listen']>().toEqualTypeOf<readonly string[] | undefined>();
  });

  it('may be undefined where another flag can take its place', () => {
    expectTypeOf<FlagsOf<'read-certificate-data'>['certificate']>().toEqualTypeOf<string | undefined>();
    expectTypeOf<FlagsOf<'sign-string'>['certificate']>().toEqualTypeOf<string | undefined>();
    expectTypeOf<FlagsOf<'console'>['certificate']>().toEqualTypeOf<string | undefined>();
  });

  it('may be undefined for what each --role may give for itself', () => {
    expectTypeOf<FlagsOf<'serve'>['profile-arn']>().toEqualTypeOf<string | undefined>();
  });

  it('is the union of the choices, of which a command may take fewer', () => {
    expectTypeOf<FlagsOf<'sign-string'>['format']>().toEqualTypeOf<'json' | 'text' | 'bin'>();
    expectTypeOf<FlagsOf<'read-certificate-data'>['format']>().toEqualTypeOf<'json' | 'text'>();
    expectTypeOf<FlagsOf<'version'>['log-level']>().toEqualTypeOf<'error' | 'warn' | 'info' | 'debug' | undefined>();
  });

  it('has no flag that the command does not take', () => {
    expectTypeOf<FlagsOf<'version'>>().not.toHaveProperty('role-arn');
    expectTypeOf<FlagsOf<'link'>>().toHaveProperty('debug');
  });

  it('goes wherever fewer flags are asked for', () => {
    expectTypeOf<FlagsOf<'serve'>>().toExtend<FlagValues<'role-arn' | 'debug'>>();
    expectTypeOf<FlagsOf<'serve'>>().not.toExtend<FlagsOf<'credential-process'>>();
  });
});
