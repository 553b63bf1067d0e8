/** ARNs, as far as a Roles Anywhere session needs them: read strictly, compared with each other. */
import { RolesAnywhereError } from '../platform/errors.ts';
import { about, shown } from './session-limits.ts';

/** Names a trust anchor, a profile or a role. */
export interface Arn {
  readonly partition: string;
  /** Empty for a role. */
  readonly region: string;
  /** Twelve digits. */
  readonly account: string;
  /** What follows `trust-anchor/`, `profile/` or `role/`; of an alias, all of `alias/trust-anchor/NAME`. */
  readonly id: string;
  /** Whether the resource has a form that this version knows. What has another is for the service to judge. */
  readonly known: boolean;
}

export type ArnKind = 'trust-anchor' | 'profile' | 'role';

/** Ids as the Roles Anywhere service model has them (shape Uuid). */
const ID = '[0-9a-f]{8}-(?:[0-9a-z]{4}-){3}[0-9a-z]{12}';
const PARTITION = 'aws(?:-[a-z]+)*';
const REGION = '[a-z]{2,}(?:-[a-z]+)+-\\d{1,2}';

/** Names of aliases (Roles Anywhere API Reference, "CreateTrustAnchor", `aliasName`). */
const ALIAS = '(?!aws/)[A-Za-z](?:[\\w-]|/(?=[\\w-])){0,255}';

/** A resource of Roles Anywhere, whatever its form: a slash, and no second ARN behind it. */
function resourceOf(kind: string): RegExp {
  // Forms that other kinds have are a mistake, whichever version knows which.
  return new RegExp(
    `^arn:(${PARTITION}):rolesanywhere:(${REGION}):(\\d{12}):(?!(?:alias/)?(?!${kind}/)(?:${KINDS.join('|')})/)([!-9;-~]+/[!-9;-~]+)$`,
  );
}

const KINDS = ['trust-anchor', 'profile', 'crl', 'subject'];

/** Each shape, and an example of it for the hint. Roles: IAM API Reference, "Role" (path and name). */
const SHAPES: Readonly<Record<ArnKind, { readonly form: RegExp; readonly known?: RegExp; readonly example: string }>> =
  {
    'trust-anchor': {
      form: resourceOf('trust-anchor'),
      known: new RegExp(`^(?:trust-anchor/${ID}|alias/trust-anchor/${ALIAS})$`),
      example: 'arn:aws:rolesanywhere:REGION:ACCOUNT:trust-anchor/UUID, or :alias/trust-anchor/NAME',
    },
    profile: {
      form: resourceOf('profile'),
      known: new RegExp(`^(?:profile/${ID}|alias/profile/${ALIAS})$`),
      example: 'arn:aws:rolesanywhere:REGION:ACCOUNT:profile/UUID, or :alias/profile/NAME',
    },
    role: {
      form: new RegExp(`^arn:(${PARTITION}):iam:():(\\d{12}):role/((?:[!-.0-~]+/)*[\\w+=,.@-]{1,64})$`),
      example: 'arn:aws:iam::ACCOUNT:role/NAME',
    },
  };

/** The longest ARN that the service takes. */
const MAX_LENGTH = 1011;

/**
 * Reads the ARN of a trust anchor, a profile or a role.
 *
 * @param flag where `text` came from, for the message
 * @throws RolesAnywhereError `ERR_ARN`
 */
export function parseArn(kind: ArnKind, text: string, flag: string): Arn {
  const { form, known, example } = SHAPES[kind];
  const [, partition, region, account, resource] =
    (typeof text === 'string' && text.length <= MAX_LENGTH && form.exec(text)) || [];
  if (partition === undefined || region === undefined || account === undefined || resource === undefined) {
    const name = kind.replace('-', ' ');
    throw new RolesAnywhereError(
      'ERR_ARN',
      `${flag} is not the ARN of a ${name}: ${shown(text)}`,
      about(flag, `it looks like ${example}`),
    );
  }
  const isKnown = known?.test(resource) ?? true;
  return { partition, region, account, id: resource.replace(`${kind}/`, ''), known: isKnown };
}

/** What to say of an ARN whose form is not known; undefined for any other. */
export function doubtAbout({ known }: Arn, text: string, flag: string): string | undefined {
  return known ? undefined : `${flag}: this version knows no ARN of the form of ${shown(text)}: it is sent as it is`;
}

/**
 * Checks that the three can be of one session: trust anchor and profile in
 * one partition, region and account, the role in their partition.
 *
 * @throws RolesAnywhereError `ERR_ARN_MISMATCH`
 */
export function checkArnsAgree(trustAnchor: Arn, profile: Arn, role: Arn): void {
  for (const part of ['partition', 'region', 'account'] as const) {
    if (trustAnchor[part] !== profile[part]) {
      throw mismatch('trust anchor and profile', part, trustAnchor[part], profile[part]);
    }
  }
  if (role.partition !== profile.partition) {
    throw mismatch('profile and role', 'partition', profile.partition, role.partition);
  }
}

/** How the regions of the partitions besides `aws` begin. Source: AWS's partition data. */
const REGION_PREFIX: readonly (readonly [string, string])[] = [
  ['cn-', 'aws-cn'],
  ['us-gov-', 'aws-us-gov'],
  ['us-iso-', 'aws-iso'],
  ['us-isob-', 'aws-iso-b'],
  ['eu-isoe-', 'aws-iso-e'],
  ['us-isof-', 'aws-iso-f'],
  ['eusc-', 'aws-eusc'],
];

/** The partition that a region is in, by its name. */
export function partitionOf(region: string): string {
  return REGION_PREFIX.find(([prefix]) => region.startsWith(prefix))?.[1] ?? 'aws';
}

/**
 * Checks that a region is one of the partition of the trust anchor, or of what `whose` names. Of a partition
 * that is not known here nothing can be said.
 *
 * @throws RolesAnywhereError `ERR_ARN_MISMATCH`
 */
export function checkRegionOf(
  { partition }: Pick<Arn, 'partition'>,
  region: string,
  whose = "the trust anchor's ARN",
): void {
  const home = partitionOf(region);
  if (home === partition || (partition !== 'aws' && !REGION_PREFIX.some(([, known]) => known === partition))) return;
  throw new RolesAnywhereError(
    'ERR_ARN_MISMATCH',
    `region ${region} is of partition ${home}, and ${whose} of ${partition}`,
    { hint: `an ARN of that region begins with arn:${home}:` },
  );
}

/** Whether `text` has the form of a region's name; it becomes part of a host's name. */
export function isRegion(text: string): boolean {
  return new RegExp(`^${REGION}$`).test(text);
}

function mismatch(who: string, part: string, one: string, other: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_ARN_MISMATCH', `${who} are of different ${part}s: ${one} and ${other}`, {
    hint: 'compare --trust-anchor-arn, --profile-arn and --role-arn',
  });
}
