/** From an X.509 identity to credentials for AWS clients: the library's main entry. */
import { isFoundFromHere, libraryPlace } from '../credentials/cache/place.ts';
import type { CredentialsFunction, CredentialsRequest } from '../credentials/cached.ts';
import type { SessionCredentials } from '../credentials/credentials.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { tell } from '../platform/listeners.ts';
import { checkArnsAgree, doubtAbout, isRegion, parseArn } from '../aws/arn.ts';
import { createSession } from '../aws/create-session.ts';
import { endpointOf } from '../aws/endpoints.ts';
import { presumedNow } from '../aws/service-clock.ts';
import { checkDuration, checkSessionName } from '../aws/session-limits.ts';
import { SHARING_OPTIONS, sharedSource } from './cache.ts';
import type { SharingOptions } from './cache.ts';
import { SHARED_OPTIONS, connectionOf, keep } from './connection.ts';
import type { ConnectionOptions, KeepingOptions } from './connection.ts';
import { refuseUnknown, requireGiven, requireOptions, taken } from './given.ts';
import { MATERIAL_OPTIONS, identityLoader, inPlace } from './material.ts';
import type { MaterialOptions } from './material.ts';

export interface RolesAnywhereOptions extends MaterialOptions, ConnectionOptions, KeepingOptions, SharingOptions {
  readonly trustAnchorArn: string;
  readonly profileArn: string;
  readonly roleArn: string;
  /** Default: that of the trust anchor. */
  readonly region?: string | undefined;
  /** 900 to 43200 seconds. Default: the profile's own. */
  readonly durationSeconds?: number | undefined;
  /** If the profile accepts one: 2 to 64 letters, digits and characters of `_+=,.@-`. */
  readonly roleSessionName?: string | undefined;
}

const OPTIONS: Readonly<Record<keyof RolesAnywhereOptions, true>> = {
  ...MATERIAL_OPTIONS,
  ...SHARED_OPTIONS,
  ...SHARING_OPTIONS,
  trustAnchorArn: true,
  profileArn: true,
  roleArn: true,
  region: true,
  durationSeconds: true,
  roleSessionName: true,
};
/** How long the service may take to tell its time, in milliseconds. */
const CLOCK_TIMEOUT_MS = 5000;

/**
 * Credentials from IAM Roles Anywhere: what an AWS SDK v3 client takes as
 * `credentials`.
 *
 * One request is in flight however many clients ask; its result is kept and
 * renewed ahead of its end. Certificate and key are loaded anew for each
 * request. Nothing is done before the first call, and nothing keeps the
 * process alive.
 *
 * @throws RolesAnywhereError of class `usage`, at once, for options that cannot be right; calls reject with the
 * identity's, the network's and the service's
 */
export function fromRolesAnywhere(options: RolesAnywhereOptions): CredentialsFunction {
  requireOptions(options);
  refuseUnknown(options, OPTIONS, 'the options object');
  options = inPlace(taken(options, OPTIONS));
  const { trustAnchorArn, profileArn, roleArn, durationSeconds, roleSessionName } = options;
  for (const name of ['trustAnchorArn', 'profileArn', 'roleArn'] as const) requireGiven(name, options[name]);
  const trustAnchor = parseArn('trust-anchor', trustAnchorArn, 'trustAnchorArn');
  const profile = parseArn('profile', profileArn, 'profileArn');
  checkArnsAgree(trustAnchor, profile, parseArn('role', roleArn, 'roleArn'));
  const onWarning = (message: string): void => {
    tell(options.onWarning, message);
    tell((text: string) => options.log?.warn(text), message);
  };
  for (const doubt of [
    doubtAbout(trustAnchor, trustAnchorArn, 'trustAnchorArn'),
    doubtAbout(profile, profileArn, 'profileArn'),
  ])
    if (doubt !== undefined) onWarning(doubt);
  checkDuration(durationSeconds, 'durationSeconds');
  checkSessionName(roleSessionName, 'roleSessionName');
  const { region = trustAnchor.region } = options;
  if (!isRegion(region))
    throw new RolesAnywhereError('ERR_REGION', `region is not a region: ${JSON.stringify(region)}`);
  const connection = connectionOf(options, 'rolesanywhere');
  const { serviceClock } = connection;
  const load = identityLoader(
    { ...options, onWarning },
    {
      now: () => presumedNow(serviceClock),
      async correctClock() {
        const { correctByService } = await import('../aws/clock-offset.ts');
        const asked = connection(AbortSignal.timeout(CLOCK_TIMEOUT_MS));
        return await correctByService(asked, endpointOf(asked, 'rolesanywhere', trustAnchor.partition, region));
      },
    },
  );

  const vend = async ({ signal }: { signal: AbortSignal }): ReturnType<typeof createSession> => {
    const identity = await load();
    try {
      return await createSession(
        { identity, trustAnchorArn, profileArn, roleArn, region, durationSeconds, roleSessionName },
        connection(signal),
      );
    } finally {
      await identity.close();
    }
  };
  const { endpoint, useFips, useDualStack, tls, skipChecks, expiryWindow, timeout } = options;
  const { source, renew } = sharedSource(options, vend, {
    options: () => [
      [trustAnchorArn, profileArn, roleArn, region, durationSeconds, roleSessionName],
      [endpoint?.toString(), useFips, useDualStack, tls?.verify, tls?.ca, skipChecks],
      [libraryPlace(options.pkcs11?.library), options.tpm?.device],
      isFoundFromHere([options.tpm?.device]) ? process.cwd() : '',
    ],
    certificate: options.certificate,
    role: roleArn,
    expiryWindow,
    timeout,
    clockOffset: serviceClock.offset,
    now: () => connection.clock.now() - serviceClock.offset(),
    onWarning,
  });
  const kept = keep(source, { ...options, clock: connection.clock });
  const refresh = (): Promise<SessionCredentials> => {
    renew();
    return kept.refresh();
  };
  const call = (request?: CredentialsRequest): Promise<SessionCredentials> =>
    request?.forceRefresh === true ? refresh() : kept(request);
  const close = (): void => kept.close();
  return Object.assign(call, { refresh, close, [Symbol.dispose]: close });
}
