/** Keys that are used by a policy: the TPM itself compares what is with what the key was made for (part 1, section 19.7). */
// Tests: test/identity/tpm/key-file.test.ts, test/identity/tpm/keys.test.ts
import { RolesAnywhereError } from '../../platform/errors.ts';
import { TPM_ALG, TPM_CC, commandName } from './constants.ts';
import type { Session } from './authorization.ts';
import { type PolicyCommand, extendPolicy, policyDigest } from './commands.ts';
import { policyFailed } from './failures.ts';
import type { KeyFile, PolicyStep } from './key-file.ts';
import { isAnswer, RC } from './return-codes.ts';
import type { Tpm } from './tpm.ts';
import { Reader, TpmFormatError, concat, sized, u16, u32, u8 } from './wire.ts';

/** Banks of PCRs, as tpm2-tools call them. */
const BANKS: Readonly<Record<string, number>> = {
  sha1: TPM_ALG.sha1,
  sha256: TPM_ALG.sha256,
  sha384: TPM_ALG.sha384,
  sha512: TPM_ALG.sha512,
};

const PCRS = 24;

/**
 * TPML_PCR_SELECTION of `sha256:0,7`, or of several banks with `+` between.
 *
 * @throws RolesAnywhereError `ERR_TPM_POLICY`
 */
export function parsePcrSelection(value: string, flag = '--tpm-policy-pcr'): Uint8Array {
  const banks = value.split('+').map((part) => {
    const [bank = '', list = ''] = part.split(':');
    const algorithm = Object.hasOwn(BANKS, bank) ? BANKS[bank] : undefined;
    const numbers = list.split(',').map((text) => (/^\d{1,2}$/.test(text) ? Number(text) : PCRS));
    if (part.split(':').length !== 2 || algorithm === undefined || numbers.some((number) => number >= PCRS)) {
      throw new RolesAnywhereError('ERR_TPM_POLICY', `${flag} ${JSON.stringify(value.slice(0, 128))} names no PCRs`, {
        hint: `write the bank and the numbers as tpm2_createpolicy -l takes them, for example sha256:0,7; banks are ${Object.keys(BANKS).join(', ')}, PCRs 0 to ${PCRS - 1}`,
      });
    }
    const bits = numbers.reduce((sum, number) => sum | (1 << number), 0);
    return concat(u16(algorithm), u8(PCRS / 8), Uint8Array.of(bits, bits >>> 8, bits >>> 16));
  });
  return concat(u32(banks.length), ...banks);
}

/** Policy commands whose parameters are sent as the file has them. */
const PLAIN: ReadonlyMap<number, PolicyCommand> = new Map([
  [TPM_CC.policyCommandCode, 'policyCommandCode'],
  [TPM_CC.policyLocality, 'policyLocality'],
  [TPM_CC.policyOr, 'policyOr'],
  [TPM_CC.policyCounterTimer, 'policyCounterTimer'],
]);

/**
 * Policy commands after which the session also shows the password. Their effect on the policy's digest is the same, and
 * the one that shows it by an HMAC is always taken (part 3, sections 23.17 and 23.18).
 */
const WITH_PASSWORD: ReadonlySet<number> = new Set([TPM_CC.policyAuthValue, TPM_CC.policyPassword]);

/**
 * Fulfils the policy of a key, as its file tells it or as the PCRs say that were named.
 *
 * @param selection of {@link parsePcrSelection}; takes precedence
 * @returns whether the key's password is wanted as well
 * @throws RolesAnywhereError `ERR_TPM_POLICY_FAILED`, `ERR_TPM_POLICY_UNSUPPORTED`
 */
export async function fulfilPolicy(
  tpm: Tpm,
  session: Session,
  {
    selection,
    file,
    authPolicy,
    source,
  }: {
    selection: Uint8Array | undefined;
    file: KeyFile | undefined;
    authPolicy: Uint8Array;
    source: string;
  },
): Promise<{ wantsPassword: boolean }> {
  const isFulfilled = async (): Promise<boolean> => Buffer.compare(await policyDigest(tpm, session), authPolicy) === 0;
  if (selection !== undefined) {
    // An empty digest stands for the values that the PCRs have now.
    await extendPolicy(tpm, session, TPM_CC.policyPcr, concat(sized(), selection));
    if (await isFulfilled()) return { wantsPassword: false };
    await extendPolicy(tpm, session, TPM_CC.policyAuthValue);
    if (await isFulfilled()) return { wantsPassword: true };
    throw failed(source);
  }
  const steps = file?.policy ?? [];
  for (const step of steps) await takeStep(tpm, session, step, source);
  if (!(await isFulfilled())) throw failed(source);
  return { wantsPassword: steps.some(({ command }) => WITH_PASSWORD.has(command)) };
}

async function takeStep(
  tpm: Tpm,
  session: Session,
  { command, parameters }: PolicyStep,
  source: string,
): Promise<void> {
  try {
    if (WITH_PASSWORD.has(command)) return await extendPolicy(tpm, session, TPM_CC.policyAuthValue);
    if (command === TPM_CC.policyPcr)
      return await extendPolicy(tpm, session, command, pcrParameters(parameters, source));
    const plain = PLAIN.get(command);
    if (plain !== undefined) return await extendPolicy(tpm, session, TPM_CC[plain], parameters);
  } catch (error) {
    // What the TPM answers when a PCR, the locality or the clock is not as the step says.
    if (isAnswer(error, RC.value, RC.policyFail, RC.pcrChanged, RC.locality)) throw failed(source, error);
    throw error;
  }
  throw new RolesAnywhereError(
    'ERR_TPM_POLICY_UNSUPPORTED',
    `${source}: the policy of the key has ${commandName(command)}, which is not done here`,
    {
      hint: 'policies of PCRs, passwords, localities, commands and alternatives (PolicyOR) are: make the key with one of those',
    },
  );
}

/** PCRs and the digest of their values come in two forms: as the command takes them, and as the policy's digest does. */
function pcrParameters(bytes: Uint8Array, source: string): Uint8Array {
  const asCommand = attempt(() => {
    const reader = new Reader(bytes, 'the PCRs of the policy');
    reader.sized(64);
    skipSelection(reader);
    reader.end();
    return bytes;
  });
  if (asCommand !== undefined) return asCommand;
  const asDigested = attempt(() => {
    const reader = new Reader(bytes, 'the PCRs of the policy');
    const length = skipSelection(reader);
    const digest = reader.rest();
    if (![0, 20, 32, 48, 64].includes(digest.length)) throw new TpmFormatError('a digest of another length');
    return concat(sized(digest), bytes.subarray(0, length));
  });
  if (asDigested !== undefined) return asDigested;
  throw new RolesAnywhereError('ERR_KEY_MALFORMED', `${source} holds a TPM key whose policy cannot be read`, {
    hint: 'the file was cut or changed on its way: copy it again, or make the key anew',
  });
}

/** Reads over TPML_PCR_SELECTION, and gives its length. */
function skipSelection(reader: Reader): number {
  const before = reader.left;
  for (let count = reader.count(8); count > 0; count--) {
    reader.u16();
    reader.bytes(reader.u8());
  }
  return before - reader.left;
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof TpmFormatError) return undefined;
    throw error;
  }
}

function failed(source: string, cause?: unknown): RolesAnywhereError {
  const [code, message, hint] = policyFailed(source);
  return new RolesAnywhereError(code, message, { hint, cause });
}
