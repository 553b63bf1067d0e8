/** The packed size: the share of their limit that the policies and tags of a session take. */
import { deflateRawSync } from 'node:zlib';

/** Bytes that stand for 100 %. */
export const PACKED_LIMIT_BYTES = 461;

/** Bytes that each tag takes beside its key and value. */
export const TAG_OVERHEAD_BYTES = 3;

/** The words that nearly every policy has. What follows the words of this one costs next to nothing. */
const DICTIONARY = Buffer.from(
  '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","Resource":"arn:aws:iam::*"}]}',
);

/** What goes with a session and has its size measured. */
export interface Packed {
  /** Session policies as JSON texts. */
  readonly policies: readonly string[];
  /** ARNs of managed session policies. */
  readonly policyArns: readonly string[];
  /** Session tags, inherited ones included. */
  readonly tags: Readonly<Record<string, string>>;
}

/**
 * The policies and tags of a session in percent of what may go with it. STS
 * packs them into a binary format that is not documented, and so is the
 * limit. The formula is that under which the measurements come out that were
 * made public:
 *
 * - nine tags of a key of 2 and a value of 250 equal letters take 498 %
 *   (https://github.com/aws-actions/configure-aws-credentials/issues/1898),
 *   and the six tags of a pod in EKS, of 240 letters together, 56 %: tags are
 *   not compressed;
 * - a policy of 736 characters with three tags takes about 82 %: policies are.
 *
 * Tags are known to a percent or two by that, policies roughly.
 */
export function packedPolicySize({ policies, policyArns, tags }: Packed): number {
  const entries = Object.entries(tags);
  const ofTags = entries.reduce((sum, pair) => sum + Buffer.byteLength(pair.join('')) + TAG_OVERHEAD_BYTES, 0);
  const texts = [...policies.map(compact), ...policyArns];
  const ofPolicies =
    texts.length === 0 ? 0 : deflateRawSync(texts.join('\0'), { level: 9, dictionary: DICTIONARY }).length;
  return Math.ceil(((ofTags + ofPolicies) / PACKED_LIMIT_BYTES) * 100);
}

/** The words for a packed size that is too large: AWS's knowledge centre, "PackedPolicyTooLarge". */
export function tooLarge(percent: number, { policies, policyArns }: Packed): string {
  return policies.length + policyArns.length === 0
    ? `Packed size of session tags consumes ${percent}% of allotted space.`
    : `Packed policy consumes ${percent}% of allotted space, please use smaller policy.`;
}

/** A policy without the spaces that mean nothing. */
function compact(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
}
