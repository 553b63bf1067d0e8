/** What the operations of STS have in common, in what they send and in what they give back. */
import type { QueryParameter } from '../signing/canonical.ts';
import type { AssumedRole } from './assume-role.ts';
import type { RoleSessionInput } from './sts-input.ts';
import { textAt } from './xml.ts';
import type { XmlElement } from './xml.ts';

/** What both operations send. A session without a name gets one that says where it came from, and when. */
export function roleSessionParameters(input: RoleSessionInput, now: number): QueryParameter[] {
  const { roleArn, roleSessionName = `roles-anywhere-${now}`, durationSeconds, policy, policyArns = [] } = input;
  return [
    ['RoleArn', roleArn],
    ['RoleSessionName', roleSessionName],
    ...single('DurationSeconds', durationSeconds?.toString()),
    ...single('Policy', policy),
    ...policyArns.map((arn, index): QueryParameter => [`PolicyArns.member.${index + 1}.arn`, arn]),
  ];
}

/** A parameter, or none. */
export function single(name: string, value: string | undefined): QueryParameter[] {
  return value === undefined ? [] : [[name, value]];
}

/** What STS says besides the credentials; what has not the form that it should have is left out. */
export function aboutSession(result: XmlElement): Pick<AssumedRole, 'sourceIdentity' | 'packedPolicySize'> {
  const sourceIdentity = textAt(result, 'SourceIdentity');
  const percent = textAt(result, 'PackedPolicySize');
  return {
    ...(sourceIdentity !== undefined && /^[\x20-\x7e]{2,64}$/.test(sourceIdentity) ? { sourceIdentity } : {}),
    ...(percent !== undefined && /^\d{1,3}$/.test(percent) ? { packedPolicySize: Number(percent) } : {}),
  };
}
