/** The packed size: the share of their limit that the policies and tags of a session take. */
// Tests: test/emulator/services/sts/assume-role.test.ts
import { deflateRawSync } from 'node:zlib';

/** Bytes that stand for 100 % here. */
const PACKED_LIMIT = 2048;

/**
 * Policies and tags in percent of what may go with a session. STS packs them
 * into a binary format that is not documented, and so is the limit: this is a
 * likeness, in which what compresses well takes less room.
 */
export function packedPolicySize(
  policies: readonly string[],
  policyArns: readonly string[],
  tags: Readonly<Record<string, string>>,
): number {
  const texts = [...policies, ...policyArns, ...Object.entries(tags).flat()];
  return texts.length === 0 ? 0 : Math.ceil((deflateRawSync(texts.join('\0')).length / PACKED_LIMIT) * 100);
}
