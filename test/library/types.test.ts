import type { AwsCredentialIdentity, AwsCredentialIdentityProvider } from '@smithy/types';
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { describe, expectTypeOf, it } from 'vitest';
import * as library from '../../src/index.ts';
import type {
  AssumeRoleProviderOptions,
  CredentialsFunction,
  CredentialsSource,
  ErrorCode,
  RemoteSigner,
  RolesAnywhereOptions,
  SessionCredentials,
  TokenProvider,
} from '../../src/index.ts';

/** The compiler checks these (`npm run typecheck`); nothing happens when they run. */
describe('the public types', () => {
  it('are those that AWS SDK v3 clients take', () => {
    expectTypeOf<SessionCredentials>().toExtend<AwsCredentialIdentity>();
    expectTypeOf<CredentialsFunction>().toExtend<AwsCredentialIdentityProvider>();
    expectTypeOf<CredentialsFunction>().toExtend<NonNullable<S3ClientConfig['credentials']>>();
    expectTypeOf(library.fromRolesAnywhere).returns.toEqualTypeOf<CredentialsFunction>();
    expectTypeOf(library.fromAssumeRole).returns.toEqualTypeOf<CredentialsFunction>();
    expectTypeOf(library.fromWebIdentity).returns.toEqualTypeOf<CredentialsFunction>();
  });

  it('take what AWS SDK v3 providers give as a source', () => {
    expectTypeOf<AwsCredentialIdentityProvider>().toExtend<CredentialsSource>();
    expectTypeOf<AwsCredentialIdentity>().toExtend<CredentialsSource>();
    expectTypeOf<CredentialsFunction>().toExtend<CredentialsSource>();
  });

  it('take simple functions for signers and token providers', () => {
    expectTypeOf<{ sign: (message: Uint8Array) => Promise<Buffer> }>().toExtend<RemoteSigner>();
    expectTypeOf<() => Promise<string>>().toExtend<TokenProvider>();
  });

  it('ask for what is needed, and for nothing else', () => {
    type Required<T> = { [K in keyof T as object extends Pick<T, K> ? never : K]: T[K] };
    expectTypeOf<keyof Required<RolesAnywhereOptions>>().toEqualTypeOf<
      'trustAnchorArn' | 'profileArn' | 'roleArn' | 'certificate'
    >();
    expectTypeOf<keyof Required<AssumeRoleProviderOptions>>().toEqualTypeOf<'roleArn'>();
  });

  it('tell every code of an error', () => {
    expectTypeOf<'ERR_ACCESS_DENIED'>().toExtend<ErrorCode>();
    expectTypeOf<'ERR_NO_SUCH_CODE'>().not.toExtend<ErrorCode>();
    expectTypeOf<library.RolesAnywhereError['code']>().toEqualTypeOf<ErrorCode>();
  });
});
