/**
 * The limits of STS's parameters, checked before anything is sent.
 *
 * Source: STS API Reference, "AssumeRole", "AssumeRoleWithWebIdentity", and
 * IAM User Guide, "Pass session tags in AWS STS" and "IAM and AWS STS quotas".
 */
// Tests: test/aws/assume-role.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import type { ErrorCode } from '../platform/errors.ts';
import { parseArn } from './arn.ts';
import { about, checkDuration, checkSessionName, shown } from './session-limits.ts';
import type { NameOf } from './session-limits.ts';
import { checkPolicy } from './session-policy.ts';

/** What an identity provider or a service asserts about the session (ProvidedContexts). */
export interface ProvidedContext {
  /** 20 to 2048 characters. */
  readonly providerArn: string;
  /** 4 to 2048 characters. */
  readonly contextAssertion: string;
}

/** What both operations take. */
export interface RoleSessionInput {
  /** At most 1011 characters. */
  readonly roleArn: string;
  /** 2 to 64 letters, digits and characters of `_+=,.@-`. */
  readonly roleSessionName?: string | undefined;
  /** 900 to 43200 seconds, and no more than the role allows. */
  readonly durationSeconds?: number | undefined;
  /** A session policy, as JSON text; with the ARNs of `policyArns` at most 2048 characters. */
  readonly policy?: string | undefined;
  /** Managed policies as session policies: at most 10. */
  readonly policyArns?: readonly string[] | undefined;
}

/** What AssumeRole takes, spelt as its service model spells it, in camel case. */
export interface AssumeRoleInput extends RoleSessionInput {
  /** 2 to 1224 letters, digits and characters of `_+=,.@:/-`. Not a secret. */
  readonly externalId?: string | undefined;
  /** Serial number or ARN of the caller's MFA device: 9 to 256 characters. */
  readonly serialNumber?: string | undefined;
  /** 2 to 64 letters, digits and characters of `_+=,.@-`, not beginning with `aws:`. It stays for the whole chain. */
  readonly sourceIdentity?: string | undefined;
  /** Session tags: at most 50, with keys of 1 to 128 and values of up to 256 characters. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** Keys of `tags` that later sessions of the chain keep. */
  readonly transitiveTagKeys?: readonly string[] | undefined;
  /** At most 5. */
  readonly providedContexts?: readonly ProvidedContext[] | undefined;
}

/** What AssumeRoleWithWebIdentity takes besides its token. */
export interface WebIdentityInput extends RoleSessionInput {
  /** Host name of an OAuth 2.0 provider, for its access tokens alone: 4 to 2048 characters. */
  readonly providerId?: string | undefined;
}

const BARE_NAME: NameOf = (parameter) => parameter;

/** A session that starts from a role session ends after an hour (IAM User Guide, "Role chaining"). */
const MAX_CHAINED_SECONDS = 3600;
const MAX_POLICY_ARNS = 10;
const MAX_TAGS = 50;
const MAX_CONTEXTS = 5;

const WORD = /^[\w+=,.@-]*$/;
const TAG_TEXT = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
const POLICY_ARN = /^arn:aws(?:-[a-z]+)*:iam::(?:aws|\d{12}):policy\/[\x21-\x7e]+$/;

/**
 * Checks what AssumeRole is asked.
 *
 * @throws RolesAnywhereError `ERR_ARN`, `ERR_SESSION_NAME`, `ERR_DURATION`, `ERR_POLICY`, `ERR_EXTERNAL_ID`,
 * `ERR_MFA_SERIAL`, `ERR_SOURCE_IDENTITY`, `ERR_TAG`, `ERR_CONTEXT`
 */
export function checkAssumeRole(input: AssumeRoleInput, nameOf: NameOf = BARE_NAME): void {
  const { externalId, serialNumber, sourceIdentity, providedContexts = [] } = input;
  checkRoleSession(input, nameOf);
  if (externalId !== undefined && !fits(externalId, 2, 1224, /^[\w+=,.@:/-]*$/))
    throw bad(
      'ERR_EXTERNAL_ID',
      `${nameOf('externalId')} is not an external id`,
      '2 to 1224 letters, digits and characters of _+=,.@:/-',
    );
  if (serialNumber !== undefined && !fits(serialNumber, 9, 256, /^[\w+=/:,.@-]*$/))
    throw bad(
      'ERR_MFA_SERIAL',
      `${nameOf('serialNumber')} is not the serial number of an MFA device`,
      'it looks like arn:aws:iam::ACCOUNT:mfa/USER',
    );
  if (sourceIdentity !== undefined && (!fits(sourceIdentity, 2, 64, WORD) || /^aws:/i.test(sourceIdentity)))
    throw bad(
      'ERR_SOURCE_IDENTITY',
      `${nameOf('sourceIdentity')} is not a source identity`,
      '2 to 64 letters, digits and characters of _+=,.@-',
    );
  checkTags(input, nameOf);
  if (providedContexts.length > MAX_CONTEXTS)
    throw bad('ERR_CONTEXT', `${nameOf('providedContexts')} has ${providedContexts.length} contexts`, 'give 5 at most');
  for (const { providerArn, contextAssertion } of providedContexts) {
    if (!fits(providerArn, 20, 2048, /^arn:[\x21-\x7e]+$/))
      throw bad(
        'ERR_CONTEXT',
        `${nameOf('providedContexts')} has a provider that is not an ARN`,
        'an ARN has 20 to 2048 characters',
      );
    if (!fits(contextAssertion, 4, 2048))
      throw bad(
        'ERR_CONTEXT',
        `${nameOf('providedContexts')} has an assertion of the wrong length`,
        'give 4 to 2048 characters',
      );
  }
}

/**
 * Checks what AssumeRoleWithWebIdentity is asked.
 *
 * @throws RolesAnywhereError `ERR_ARN`, `ERR_SESSION_NAME`, `ERR_DURATION`, `ERR_POLICY`, `ERR_USAGE`
 */
export function checkWebIdentity(input: WebIdentityInput, nameOf: NameOf = BARE_NAME): void {
  checkRoleSession(input, nameOf);
  if (input.providerId !== undefined && !fits(input.providerId, 4, 2048))
    throw bad(
      'ERR_USAGE',
      `${nameOf('providerId')} is not the name of a provider`,
      'give 4 to 2048 characters, or leave it out for OpenID Connect',
    );
}

/**
 * Checks what every role session has.
 *
 * @throws RolesAnywhereError `ERR_ARN`, `ERR_SESSION_NAME`, `ERR_DURATION`, `ERR_POLICY`
 */
function checkRoleSession(input: RoleSessionInput, nameOf: NameOf = BARE_NAME): void {
  const { roleArn, roleSessionName, durationSeconds, policyArns = [] } = input;
  parseArn('role', roleArn, nameOf('roleArn'));
  checkSessionName(roleSessionName, nameOf('roleSessionName'));
  checkDuration(durationSeconds, nameOf('durationSeconds'));
  if (policyArns.length > MAX_POLICY_ARNS)
    throw bad(
      'ERR_POLICY',
      `${nameOf('policyArns')} has ${policyArns.length} policies`,
      `give ${MAX_POLICY_ARNS} at most`,
    );
  const wrong = policyArns.find((arn) => !fits(arn, 20, 2048, POLICY_ARN));
  if (wrong !== undefined)
    throw bad(
      'ERR_POLICY',
      `${nameOf('policyArns')}: not the ARN of a managed policy: ${shown(wrong)}`,
      'it looks like arn:aws:iam::ACCOUNT:policy/NAME',
    );
  checkPolicy(input.policy, policyArns, nameOf);
}

/**
 * Checks that the serial number of an MFA device and what gives its codes come together.
 *
 * @param code whether something gives codes
 * @throws RolesAnywhereError `ERR_MFA_SERIAL`
 */
export function checkMfa(serialNumber: string | undefined, code: boolean, nameOf: NameOf = BARE_NAME): void {
  if ((serialNumber !== undefined) === code) return;
  const name = nameOf('serialNumber');
  throw new RolesAnywhereError(
    'ERR_MFA_SERIAL',
    code ? `an MFA code is given, and no ${name}` : `${name} is given, and nothing that gives its codes`,
    about(name, code ? `name the device with ${name}` : 'give both for MFA, or neither'),
  );
}

/**
 * Says before the call what STS would say after it.
 *
 * @param fromRole whether a role session asks
 * @throws RolesAnywhereError `ERR_DURATION`
 */
export function checkChainedDuration(
  durationSeconds: number | undefined,
  fromRole: boolean,
  name = 'durationSeconds',
): void {
  if (!fromRole || durationSeconds === undefined || durationSeconds <= MAX_CHAINED_SECONDS) return;
  throw new RolesAnywhereError(
    'ERR_DURATION',
    `${name} is ${durationSeconds}, and a chained session ends after an hour`,
    about(name, `give ${MAX_CHAINED_SECONDS} at most: AWS limits sessions that start from a role session`),
  );
}

function checkTags({ tags = {}, transitiveTagKeys = [] }: AssumeRoleInput, nameOf: NameOf): void {
  const keys = Object.keys(tags);
  const name = nameOf('tags');
  if (keys.length > MAX_TAGS) throw bad('ERR_TAG', `${name} has ${keys.length} tags`, `give ${MAX_TAGS} at most`);
  const seen = new Set<string>();
  for (const [key, value] of Object.entries(tags)) {
    if (!fits(key, 1, 128, TAG_TEXT) || /^aws:/i.test(key))
      throw bad(
        'ERR_TAG',
        `${name} has a key that is not allowed: ${shown(key)}`,
        '1 to 128 letters, digits, spaces and characters of _.:/=+-@, not beginning with aws:',
      );
    if (!fits(value, 0, 256, TAG_TEXT))
      throw bad(
        'ERR_TAG',
        `${name} has a value for ${key} that is not allowed`,
        'up to 256 letters, digits, spaces and characters of _.:/=+-@',
      );
    if (seen.has(key.toLowerCase()))
      throw bad('ERR_TAG', `${name} has ${key} twice`, 'the keys of tags differ in more than case');
    seen.add(key.toLowerCase());
  }
  if (transitiveTagKeys.length > MAX_TAGS)
    throw bad(
      'ERR_TAG',
      `${nameOf('transitiveTagKeys')} has ${transitiveTagKeys.length} keys`,
      `give ${MAX_TAGS} at most`,
    );
  const unknown = transitiveTagKeys.find((key) => !seen.has(key.toLowerCase()));
  if (unknown !== undefined)
    throw bad(
      'ERR_TAG',
      `${nameOf('transitiveTagKeys')} names a tag that is not sent: ${shown(unknown)}`,
      `give its value with ${name}; tags that were transitive before stay so by themselves`,
    );
}

/** Whether a text has so many characters, all of them allowed. */
function fits(text: unknown, least: number, most: number, form?: RegExp): boolean {
  if (typeof text !== 'string' || text.length > 2 * most) return false;
  const length = Array.from(text).length; // code points, as Unicode tags are counted
  return length >= least && length <= most && form?.test(text) !== false;
}

function bad(code: ErrorCode, message: string, hint: string): RolesAnywhereError {
  const [name = ''] = message.split(/[ :]/, 1);
  return new RolesAnywhereError(
    code,
    message,
    about(name, /^(?:give|it |an |the )/.test(hint) ? hint : `give ${hint}`),
  );
}
