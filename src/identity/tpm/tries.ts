/** How many wrong passwords a TPM still takes: its dictionary-attack protection (TPM 2.0 Library, part 1, section 19.8). */
// Tests: test/identity/tpm/passwords.test.ts
import { TPM_PT } from './constants.ts';
import type { Tpm } from './tpm.ts';

/** How the TPM counts wrong passwords. */
export interface Tries {
  readonly left: number;
  readonly most: number;
  /** After how many seconds one is forgotten; 0 when none is, or none is counted. */
  readonly interval: number;
}

export async function triesLeft(tpm: Tpm): Promise<Tries | undefined> {
  const properties = await tpm.properties(TPM_PT.lockoutCounter, 3);
  const [counter, most, interval] = [TPM_PT.lockoutCounter, TPM_PT.maxAuthFail, TPM_PT.lockoutInterval].map((id) =>
    properties.get(id),
  );
  if (counter === undefined || most === undefined || interval === undefined) return undefined;
  return { left: Math.max(0, most - counter), most, interval };
}

/** The same behind an error, which says more than one that comes now. */
export async function triesAfter(tpm: Tpm): Promise<Tries | undefined> {
  return await triesLeft(tpm).catch(() => undefined);
}

export function describeTries({ left, most, interval }: Tries): string {
  const recovery = interval === 0 ? '' : `, and one comes back every ${describeSeconds(interval)}`;
  return `${left} of ${most} tries are left${recovery}`;
}

function describeSeconds(seconds: number): string {
  if (seconds >= 7200) return `${Math.round(seconds / 3600)} hours`;
  return seconds >= 120 ? `${Math.round(seconds / 60)} minutes` : `${seconds} seconds`;
}
