/** Parameters of STS's operations, by the rules of its service model (2011-06-15). */
// Tests: test/emulator/services/sts/assume-role.test.ts
import { Refusal } from '../../wire/refusal.ts';
import { type SessionPolicies, sessionPolicyProblem } from '../../policy/session-policies.ts';
import { isTagKey, isTagValue } from '../../policy/tags.ts';

/** Parameters by name, each once: of repeated ones the last counts. */
export type StsParameters = ReadonlyMap<string, string>;

export function createParameters(entries: readonly (readonly [string, string])[]): StsParameters {
  return new Map(entries);
}

interface Rule {
  readonly least: number;
  readonly most: number;
  readonly pattern?: RegExp | undefined;
}

const POLICY_CHARACTERS = /^[\t\n\r\u0020-\u00ff]+$/;

/** Lengths in characters, and patterns. */
const RULES = {
  RoleArn: { least: 20, most: 2048 },
  RoleSessionName: { least: 2, most: 64, pattern: /^[\w+=,.@-]*$/ },
  Policy: { least: 1, most: 2048, pattern: POLICY_CHARACTERS },
  ExternalId: { least: 2, most: 1224, pattern: /^[\w+=,.@:/-]*$/ },
  SerialNumber: { least: 9, most: 256, pattern: /^[\w+=/:,.@-]*$/ },
  TokenCode: { least: 6, most: 6, pattern: /^\d*$/ },
  SourceIdentity: { least: 2, most: 64, pattern: /^[\w+=,.@-]*$/ },
  WebIdentityToken: { least: 4, most: 20_000 },
  ProviderId: { least: 4, most: 2048 },
} as const satisfies Record<string, Rule>;

const MAX_TAGS = 50;
const MAX_CONTEXTS = 5;

/** Parameters of every request, those that are structures or lists, and those of a presigned request. */
const OTHERS =
  /^(?:Action|Version|DurationSeconds|TransitiveTagKeys\.member\.\d+|PolicyArns\.member\.\d+\.arn|Tags\.member\.\d+\.(?:Key|Value)|ProvidedContexts\.member\.\d+\.(?:ProviderArn|ContextAssertion)|X-Amz-[\w-]+)$/;

/** The names of parameters that are of no operation here. */
export function unknownParameters(parameters: StsParameters): string[] {
  return [...parameters.keys()].filter((name) => !Object.hasOwn(RULES, name) && !OTHERS.test(name));
}

/** A parameter that may be left out. */
export function optional(parameters: StsParameters, name: keyof typeof RULES): string | undefined {
  const value = parameters.get(name);
  if (value === undefined) return undefined;
  const { least, most, pattern }: Rule = RULES[name];
  const at = lowerFirst(name);
  if (value.length < least) throw invalid(at, value, `Member must have length greater than or equal to ${least}`);
  if (value.length > most) throw invalid(at, value, `Member must have length less than or equal to ${most}`);
  if (pattern !== undefined && !pattern.test(value))
    throw invalid(at, value, `Member must satisfy regular expression pattern: ${pattern.source}`);
  return value;
}

export function required(parameters: StsParameters, name: keyof typeof RULES): string {
  const value = optional(parameters, name);
  if (value === undefined) throw missing(lowerFirst(name));
  return value;
}

/** DurationSeconds, or the default. */
export function duration(parameters: StsParameters, fallback: number, most: number): number {
  const text = parameters.get('DurationSeconds');
  if (text === undefined) return fallback;
  if (!/^-?\d{1,10}$/.test(text))
    throw new Refusal(400, 'MalformedInput', 'MalformedInput', `DurationSeconds is no integer`);
  const value = Number(text);
  if (value < 900) throw invalid('durationSeconds', text, 'Member must have value greater than or equal to 900');
  if (value > most) throw invalid('durationSeconds', text, `Member must have value less than or equal to ${most}`);
  return value;
}

/** The members of a list: `NAME.member.1`, and so on, with what follows for members that are structures. */
function members(parameters: StsParameters, name: string, suffix = ''): string[] {
  const found: string[] = [];
  for (let index = 1; ; index += 1) {
    const value = parameters.get(`${name}.member.${index}${suffix}`);
    if (value === undefined) return found;
    found.push(value);
  }
}

/** Policy and PolicyArns. */
export function sessionPolicies(parameters: StsParameters, account: string): SessionPolicies {
  const policy = optional(parameters, 'Policy');
  const policies = {
    policies: policy === undefined ? [] : [policy],
    policyArns: members(parameters, 'PolicyArns', '.arn'),
  };
  const problem = sessionPolicyProblem(policies, account);
  if (problem === undefined) return policies;
  const { member, value, constraint } = problem;
  if (constraint !== undefined) throw invalid(member, value, constraint);
  throw refused('ValidationError', `Invalid ARN: ${value}`, `${value} is not a policy of account ${account} or of AWS`);
}

export interface RequestedTags {
  readonly tags: Readonly<Record<string, string>>;
  readonly transitiveTagKeys: readonly string[];
}

/** Tags and TransitiveTagKeys: IAM User Guide, "Pass session tags in AWS STS". */
export function requestedTags(parameters: StsParameters): RequestedTags {
  const transitiveTagKeys = members(parameters, 'TransitiveTagKeys');
  const tags: [string, string][] = [];
  for (let index = 1; ; index += 1) {
    const at = `Tags.member.${index}`;
    const [key, value] = [parameters.get(`${at}.Key`), parameters.get(`${at}.Value`)];
    if (key === undefined && value === undefined) return checkTags(tags, transitiveTagKeys);
    if (key === undefined) throw missing(`tags.${index}.member.key`);
    if (value === undefined) throw missing(`tags.${index}.member.value`);
    tags.push([key, value]);
  }
}

/** The rules that tags of a request and of a web identity token have in common. */
export function checkTags(tags: readonly [string, string][], transitiveTagKeys: readonly string[]): RequestedTags {
  if (tags.length > MAX_TAGS)
    throw invalid('tags', undefined, `Member must have length less than or equal to ${MAX_TAGS}`);
  if (transitiveTagKeys.length > MAX_TAGS)
    throw invalid('transitiveTagKeys', undefined, `Member must have length less than or equal to ${MAX_TAGS}`);
  for (const [index, [key, value]] of tags.entries()) {
    if (!isTagKey(key)) throw invalidTag(`tags.${index + 1}.member.key`, key, 128);
    if (!isTagValue(value)) throw invalidTag(`tags.${index + 1}.member.value`, value, 256);
    if (/^aws:/i.test(key))
      throw refused('InvalidParameterValue', 'Tag keys cannot begin with aws:', `tag key ${key} begins with aws:`);
  }
  const lower = tags.map(([key]) => key.toLowerCase());
  if (new Set(lower).size !== lower.length)
    throw refused(
      'InvalidParameterValue',
      'Duplicate tag keys found. Please note that Tag keys are case insensitive.',
      'a tag key occurs twice',
    );
  const foreign = transitiveTagKeys.find((key) => !lower.includes(key.toLowerCase()));
  if (foreign !== undefined)
    throw refused(
      'InvalidParameterValue',
      'The specified transitive tag key must be included in the requested tags.',
      `transitive tag key ${foreign} is not among the tags`,
    );
  return { tags: Object.fromEntries(tags), transitiveTagKeys };
}

function invalidTag(at: string, value: string, most: number): Refusal {
  return invalid(
    at,
    value,
    `Member must satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+ and have ${most} characters at most`,
  );
}

/** ProvidedContexts: checked, and of no effect, since there is no Identity Center here. */
export function checkContexts(parameters: StsParameters): void {
  const arns = members(parameters, 'ProvidedContexts', '.ProviderArn');
  const assertions = members(parameters, 'ProvidedContexts', '.ContextAssertion');
  if (arns.length > MAX_CONTEXTS)
    throw invalid('providedContexts', undefined, `Member must have length less than or equal to ${MAX_CONTEXTS}`);
  for (const arn of arns)
    if (arn.length < 20 || arn.length > 2048)
      throw invalid('providedContexts', arn, 'Member must have length between 20 and 2048');
  for (const assertion of assertions)
    if (assertion.length < 4 || assertion.length > 2048)
      throw invalid('providedContexts', undefined, 'Member must have length between 4 and 2048');
}

function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}

/** A value that breaks a rule of the model. Values of codes and tokens are not shown. */
export function invalid(name: string, value: string | undefined, constraint: string): Refusal {
  const isSecret = name === 'tokenCode' || name === 'webIdentityToken';
  const shown = value === undefined || isSecret ? 'Value' : `Value '${value}'`;
  const message = `1 validation error detected: ${shown} at '${name}' failed to satisfy constraint: ${constraint}`;
  return new Refusal(400, 'ValidationError', message, `${name}: ${constraint}`);
}

/** A member without which there is no request. */
function missing(name: string): Refusal {
  const constraint = 'Member must not be null';
  const message = `1 validation error detected: Value null at '${name}' failed to satisfy constraint: ${constraint}`;
  return new Refusal(400, 'ValidationError', message, `${name}: ${constraint}`);
}

export function refused(code: string, message: string, reason: string, status = 400): Refusal {
  return new Refusal(status, code, message, reason);
}
