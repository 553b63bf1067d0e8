/** What a TPM's refusals mean to a person: by the return code, and by what was being done. */
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { ErrorCode } from '../../platform/errors.ts';
import { RC, TPM_RC_BAD_TAG, TpmError, describeReturnCode } from './return-codes.ts';

/** What was being done. The same code means another thing in each. */
export type Step =
  | 'find the key'
  | 'find the parent'
  | 'make the parent'
  | 'load'
  | 'session'
  | 'policy'
  | 'sign'
  | 'nv';

/** Names for messages. */
export interface Names {
  /** The key or NV index and the flag it came from, for example `--private-key handle:0x81000001`. */
  readonly source: string;
  /** Such as `0x81000001` or `the owner hierarchy`. */
  readonly parent?: string | undefined;
}

const STEPS = new WeakMap<TpmError, Step>();

/** Runs a part of the work; what the TPM refuses in it is known to belong there. */
export async function during<T>(step: Step, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TpmError && !STEPS.has(error)) STEPS.set(error, step);
    throw error;
  }
}

type Explanation = readonly [code: ErrorCode, what: string, hint: string];

/** The error that users see. What is no refusal of the TPM stays as it is. */
export function explain(error: unknown, names: Names): unknown {
  if (!(error instanceof TpmError)) return error;
  const step = STEPS.get(error);
  const [code, what, hint] = explanationOf(error, step, names);
  return new RolesAnywhereError(code, `${what} (${describeReturnCode(error.returnCode)})`, { hint, cause: error });
}

function explanationOf(error: TpmError, step: Step | undefined, names: Names): Explanation {
  return (
    ANYWHERE[error.base] ??
    aboutHandles(error, step, names) ??
    aboutUse(error, step, names) ??
    (step === 'load' ? notLoadable(names) : undefined) ?? [
      'ERR_TPM_FAILED',
      `${names.source}: ${error.message.slice(0, error.message.indexOf(' with '))}`,
      'the code in parentheses is explained by `tpm2_rc_decode CODE` of tpm2-tools',
    ]
  );
}

/** Codes that say the same whatever was done. */
const ANYWHERE: Readonly<Record<number, Explanation>> = {
  [RC.initialize]: [
    'ERR_TPM_NOT_STARTED',
    'the TPM has not been started',
    'firmware does this at boot; a simulator wants `tpm2_startup -c`, or swtpm the flag startup-clear',
  ],
  [RC.failure]: [
    'ERR_TPM_FAILURE',
    'the TPM is in failure mode',
    'switch the machine off and on; a TPM that does not recover must be replaced',
  ],
  [RC.reboot]: ['ERR_TPM_FAILURE', 'the TPM wants the machine to be started again', 'start the machine again'],
  [TPM_RC_BAD_TAG]: [
    'ERR_TPM_VERSION',
    'the TPM is of version 1.2',
    'keys in a TPM need version 2.0: some machines can change that in the firmware',
  ],
  [RC.commandCode]: [
    'ERR_TPM_VERSION',
    'the TPM does not know a command that is needed here',
    'update the firmware of the TPM',
  ],
  [RC.objectMemory]: [
    'ERR_TPM_OBJECT_MEMORY',
    'the TPM has no slot left for a key',
    'programs that were killed left keys there: flush them with `tpm2_flushcontext -t`, or use the resource manager, /dev/tpmrm0',
  ],
  [RC.objectHandles]: [
    'ERR_TPM_OBJECT_MEMORY',
    'the TPM has no handle left for a key',
    'programs that were killed left keys there: flush them with `tpm2_flushcontext -t`',
  ],
  [RC.sessionMemory]: [
    'ERR_TPM_SESSION_MEMORY',
    'the TPM has no slot left for a session',
    'programs that were killed left sessions there: flush them with `tpm2_flushcontext -l`, or use the resource manager, /dev/tpmrm0',
  ],
  [RC.sessionHandles]: [
    'ERR_TPM_SESSION_MEMORY',
    'the TPM has no handle left for a session',
    'programs that were killed left sessions there: flush them with `tpm2_flushcontext -l` and `-s`',
  ],
  [RC.memory]: [
    'ERR_TPM_OBJECT_MEMORY',
    'the TPM has no memory left',
    'programs that were killed left keys and sessions there: flush them with `tpm2_flushcontext -t` and `-l`',
  ],
  [RC.retry]: [
    'ERR_TPM_RETRY',
    'the TPM was asked several times and was never ready',
    'try again in a moment; if it stays so, see whether other programs keep it busy',
  ],
  [RC.yielded]: [
    'ERR_TPM_YIELDED',
    'the TPM put the command off again and again',
    'try again in a moment; if it stays so, see whether other programs keep it busy',
  ],
  [RC.testing]: [
    'ERR_TPM_TESTING',
    'the TPM is testing itself, and does not come to an end',
    'try again in a minute; `tpm2_gettestresult` tells more',
  ],
  [RC.lockout]: [
    'ERR_TPM_LOCKOUT',
    'the TPM takes no passwords now: there were too many wrong ones',
    'wait until it takes them again, or reset it with `tpm2_dictionarylockout -c`',
  ],
  [RC.nvUnavailable]: [
    'ERR_TPM_RETRY',
    'the memory of the TPM is not available now',
    'try again in a moment; a simulator says this when its state folder cannot be written',
  ],
};

function aboutHandles(
  { base, decoded: { about } }: TpmError,
  step: Step | undefined,
  names: Names,
): Explanation | undefined {
  const { source, parent = 'the parent' } = names;
  if (base === RC.referenceH0)
    return [
      'ERR_TPM_HANDLE_NOT_LOADED',
      `${source} is not loaded in the TPM`,
      'handles like 0x80000000 end with the program that loaded the key, or at the next flush: make it persistent (tpm2_evictcontrol), or give its file',
    ];
  if (about?.kind !== 'handle' && about !== undefined) return undefined;
  if (base === RC.handle) {
    if (step === 'nv')
      return ['ERR_TPM_NV_NOT_FOUND', `the TPM has no ${source}`, '`tpm2_getcap handles-nv-index` lists what is there'];
    if (step === 'find the parent' || step === 'load')
      return [
        'ERR_TPM_PARENT_NOT_FOUND',
        `the TPM has no key ${parent}, the parent of ${source}`,
        'the key belongs to another TPM, or its parent was removed: `tpm2_getcap handles-persistent` lists what is there',
      ];
    return [
      'ERR_TPM_KEY_NOT_FOUND',
      `the TPM has no key at ${source}`,
      '`tpm2_getcap handles-persistent` lists what is there',
    ];
  }
  if (base === RC.value)
    return [
      'ERR_TPM_HANDLE_KIND',
      `${source} is the handle of something else than a key`,
      'keys have handles like 0x81000001: `tpm2_getcap handles-persistent` lists them',
    ];
  return undefined;
}

function aboutUse(
  { base, decoded: { about } }: TpmError,
  step: Step | undefined,
  names: Names,
): Explanation | undefined {
  const { source, parent = 'the parent' } = names;
  switch (base) {
    case RC.key:
      return [
        'ERR_TPM_KEY_NOT_SIGNING',
        `${source} is no signing key`,
        'make a key with the attribute sign (tpm2_create -a "sign|..."); storage and decryption keys do not sign',
      ];
    case RC.scheme:
      return [
        'ERR_TPM_SCHEME',
        `${source}: the key does not make this kind of signature`,
        'make a key without a scheme of its own, or for RSASSA or ECDSA with SHA256',
      ];
    case RC.ticket:
      return [
        'ERR_TPM_RESTRICTED',
        `${source}: a restricted key signs only what the TPM has hashed itself`,
        'use a key without the attribute restricted',
      ];
    case RC.authUnavailable:
      return [
        'ERR_TPM_POLICY_REQUIRED',
        `${source}: the key can be used by its policy only`,
        'name the PCRs that it is bound to with --tpm-policy-pcr, for example sha256:0,7',
      ];
    case RC.policyFail:
    case RC.pcrChanged:
    case RC.policyCc:
      return policyFailed(source);
    case RC.attributes:
      return about?.kind === 'session'
        ? [
            'ERR_TPM_SESSION',
            `${source}: the TPM does not take the session`,
            'update the firmware of the TPM; --tpm-password-in-clear does without sessions, where nobody can read the wire',
          ]
        : undefined;
    case RC.size:
      if (about?.kind === 'session')
        return [
          'ERR_TPM_PASSWORD_SIZE',
          `${source}: the password is longer than the TPM takes`,
          'passwords in a TPM have at most as many bytes as the hash of the key: 32 for SHA-256',
        ];
      return step === 'sign'
        ? ['ERR_TPM_DIGEST', `${source}: the TPM does not take a digest of this length`, 'use a key for SHA256']
        : undefined;
    case RC.hierarchy:
      return [
        'ERR_TPM_PARENT',
        `${source}: ${parent} is switched off`,
        'the firmware or the operating system has disabled it: make the key under the owner hierarchy',
      ];
    case RC.type:
    case RC.asymmetric:
      return step === 'load'
        ? [
            'ERR_TPM_PARENT',
            `${source}: ${parent} is no key that others can be loaded under`,
            'name a storage key as the parent',
          ]
        : undefined;
    case RC.nvLocked:
    case RC.nvAuthorization:
      return [
        'ERR_TPM_NV_ACCESS',
        `${source} may not be read`,
        'define the index with ownerread or authread; one whose reading is locked opens at the next start of the machine',
      ];
    case RC.nvUninitialized:
      return [
        'ERR_TPM_NV_EMPTY',
        `${source} was never written`,
        'write the certificate to it: tpm2_nvwrite INDEX -i CERTIFICATE.der',
      ];
    default:
      return undefined;
  }
}

/** The values that the policy asks for are not there. */
export function policyFailed(source: string): Explanation {
  return [
    'ERR_TPM_POLICY_FAILED',
    `${source}: the policy of the key is not fulfilled`,
    'the PCRs have other values than the key was made for (see `tpm2_pcrread`), as after an update of firmware or boot loader; or it is bound to other PCRs than were named',
  ];
}

function notLoadable({ source, parent = 'the parent' }: Names): Explanation {
  return [
    'ERR_TPM_KEY_NOT_LOADABLE',
    `${source}: the TPM does not load the key under ${parent}`,
    'the file is of another TPM or another parent, was changed, or is older than the last clearing of the TPM; keys of the null hierarchy end when the machine is started again',
  ];
}
