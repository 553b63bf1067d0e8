/** What in the environment comes before the credentials of a profile, or changes how this program runs. */
// Tests: test/doctor/broken.heavy.test.ts
import type { Notebook } from './notebook.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The providers that an SDK asks in turn, as far as they are told apart here. */
type Provider = 'environment' | 'web identity' | 'profile' | 'container' | 'instance metadata';

/**
 * The order of each SDK's default chain. Sources: botocore, `create_credential_resolver`; AWS SDK for JavaScript v3,
 * `credential-provider-node`; AWS SDK for Go v2, `resolveCredentialChain`; AWS SDK for Java 2.x, "Default credentials
 * provider chain".
 */
const CHAINS: readonly (readonly [sdk: string, order: readonly Provider[]])[] = [
  ['AWS CLI, boto3', ['environment', 'web identity', 'profile', 'container', 'instance metadata']],
  ['AWS SDK for JavaScript', ['environment', 'profile', 'web identity', 'container', 'instance metadata']],
  ['AWS SDK for Go', ['environment', 'web identity', 'profile', 'container', 'instance metadata']],
  ['AWS SDK for Java', ['environment', 'web identity', 'profile', 'container', 'instance metadata']],
];

/**
 * Looks at the environment.
 *
 * @param profile the profile that was looked at, if the set-up is one of the AWS config file
 */
export function checkEnvironment(env: Environment, profile: string | undefined, notes: Notebook): void {
  const isSet = (name: string): boolean => (env[name] ?? '') !== '';
  if (profile !== undefined) {
    const available = new Set<Provider>(['profile', 'instance metadata']);
    if (isSet('AWS_ACCESS_KEY_ID') && isSet('AWS_SECRET_ACCESS_KEY')) available.add('environment');
    if (isSet('AWS_WEB_IDENTITY_TOKEN_FILE') && isSet('AWS_ROLE_ARN')) available.add('web identity');
    if (isSet('AWS_CONTAINER_CREDENTIALS_FULL_URI') || isSet('AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'))
      available.add('container');
    const picked = CHAINS.map(([sdk, order]) => {
      // That SDK passes the keys of the environment over where a profile is chosen.
      const passed = sdk === 'AWS SDK for JavaScript' && isSet('AWS_PROFILE') ? 'environment' : undefined;
      return [sdk, order.find((one) => available.has(one) && one !== passed) ?? 'profile'] as const;
    });
    for (const [sdk, provider] of picked) notes.fact('environment', sdk, `takes its credentials from: ${provider}`);
    const others = picked.filter(([, provider]) => provider === 'environment').map(([sdk]) => sdk);
    if (others.length > 0)
      notes.find(
        'WARN_ENVIRONMENT_KEYS',
        `AWS_ACCESS_KEY_ID is set, and its credentials come before those of profile ${profile} in: ${others.join('; ')}`,
      );
    if (picked.some(([, provider]) => provider === 'web identity'))
      notes.find(
        'WARN_ENVIRONMENT_WEB_IDENTITY',
        `AWS_WEB_IDENTITY_TOKEN_FILE is set, and its role comes before profile ${profile} in the AWS CLI, boto3, and the SDKs for Go and Java`,
      );
    const chosen = env['AWS_PROFILE'] || env['AWS_DEFAULT_PROFILE'];
    if (chosen && chosen !== profile)
      notes.find('WARN_ENVIRONMENT_PROFILE', `AWS_PROFILE chooses profile ${chosen}, not ${profile}`);
  }
  const [loading] =
    /(?:--require|-r|--import|--loader|--experimental-loader|--inspect\S*)(?=[\s=]|$)/.exec(
      env['NODE_OPTIONS'] ?? '',
    ) ?? [];
  if (loading !== undefined)
    notes.find('WARN_ENVIRONMENT_NODE', `NODE_OPTIONS holds ${loading}, which concerns this program too`);
  const preload = ['LD_PRELOAD', 'DYLD_INSERT_LIBRARIES'].find(isSet);
  if (preload !== undefined)
    notes.find('WARN_ENVIRONMENT_PRELOAD', `${preload} is set: what it names sees the private key`);
}
