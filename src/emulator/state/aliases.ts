/** Aliases of trust anchors, profiles and CRLs: API Reference, `aliasName` and `aliasArn` (2026-11-13). */
// Tests: test/emulator/services/control/aliases.test.ts

/** The types of resource that can have an alias, as in ARNs. */
export type AliasedType = 'trust-anchor' | 'profile' | 'crl';

/** What every record of these types has. */
interface Aliased {
  /** The ARN with the id. */
  readonly arn: string;
  readonly aliasName?: string | undefined;
}

/** Up to the type, what an ARN and an alias ARN have in common. */
const PREFIX = /^arn:[^:]*:rolesanywhere:[^:]*:[^:]*:/;

const MAX_LENGTH = 256;
const NAME = /^[A-Za-z][\w-]*(?:\/[\w-]+)*$/;

/** The ARN with the alias of a resource, if it has one. */
export function aliasArn({ arn, aliasName }: Aliased, type: AliasedType): string | undefined {
  const [prefix] = PREFIX.exec(arn) ?? [];
  return aliasName === undefined || prefix === undefined ? undefined : `${prefix}alias/${type}/${aliasName}`;
}

/** The resource that an ARN with its id, or one with its alias, names. */
export function findByArn<R extends Aliased>(records: readonly R[], type: AliasedType, arn: string): R | undefined {
  return records.find((record) => record.arn === arn || aliasArn(record, type) === arn);
}

/** The rule that a name breaks, or undefined. Whether another resource has it already is not looked at. */
export function aliasProblem(name: string): string | undefined {
  if (name.length > MAX_LENGTH || !NAME.test(name)) return `Invalid alias name: ${name}`;
  return /^aws\//i.test(name) ? `Alias names that begin with aws/ are reserved: ${name}` : undefined;
}
