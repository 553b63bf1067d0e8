/** Credentials that are on this machine already: what the SDKs' default chains begin with, to assume a role with. */
// Tests: test/sources/sources.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import { directTransport } from '../http/direct.ts';
import type { AwsCredentials } from '../credentials/credentials.ts';
import type { Source, SourceSurroundings } from './source.ts';
import { fromContainer } from './container.ts';
import { fromEnvironment } from './environment.ts';
import { fromImds } from './imds.ts';
import { fromProfile } from './profile.ts';
import { fromWebIdentity } from './web-identity.ts';

export type SourceKind = 'env' | 'web-identity' | 'profile' | 'container' | 'imds';

const SOURCES: Readonly<Record<SourceKind, Source>> = {
  env: fromEnvironment,
  'web-identity': fromWebIdentity,
  profile: fromProfile,
  container: fromContainer,
  imds: fromImds,
};

const WHERE: Readonly<Record<SourceKind, string>> = {
  env: 'AWS_ACCESS_KEY_ID is not set',
  'web-identity': 'AWS_WEB_IDENTITY_TOKEN_FILE is not set',
  profile: 'the profile has no credentials',
  container: 'neither AWS_CONTAINER_CREDENTIALS_FULL_URI nor _RELATIVE_URI is set',
  imds: 'no instance metadata service answers',
};

/**
 * Credentials of one kind, or of the first kind that there is any sign of.
 *
 * @throws RolesAnywhereError `ERR_SOURCE_CREDENTIALS`
 */
export async function localCredentials(
  kind: SourceKind | undefined,
  surroundings: Omit<SourceSurroundings, 'transport'> & Partial<SourceSurroundings>,
): Promise<AwsCredentials> {
  const kinds = kind === undefined ? chainIn(surroundings.env) : [kind];
  for (const candidate of kinds) {
    const found = await SOURCES[candidate]({ transport: directTransport, ...surroundings });
    if (found !== undefined) return found;
  }
  throw new RolesAnywhereError(
    'ERR_SOURCE_CREDENTIALS',
    kind === undefined ? 'there are no credentials to assume a role with' : `no credentials: ${WHERE[kind]}`,
    { hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with --source-profile' },
  );
}

/**
 * The order of the SDKs: a pod's token comes before the role of the machine that it runs on, and before a profile that
 * nobody has named.
 */
function chainIn({ AWS_PROFILE: profile }: SourceSurroundings['env']): readonly SourceKind[] {
  const named = profile !== undefined && profile !== '';
  return [
    'env',
    ...(named ? (['profile', 'web-identity'] as const) : (['web-identity', 'profile'] as const)),
    'container',
    'imds',
  ];
}
