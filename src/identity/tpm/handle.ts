/** `handle:0x81000001`, an object in the TPM, and `nv:0x1c00002`, an index of its memory, as values of flags. */
// Tests: test/identity/tpm/keys.test.ts
import { RolesAnywhereError } from '../../platform/errors.ts';
import { HANDLE_TYPE } from './constants.ts';

/** What a handle is of, that is no key. */
const OTHERS: Readonly<Record<number, string>> = {
  [HANDLE_TYPE.pcr]: 'a PCR',
  [HANDLE_TYPE.nvIndex]: 'an NV index',
  [HANDLE_TYPE.hmacSession]: 'a session',
  [HANDLE_TYPE.policySession]: 'a session',
  [HANDLE_TYPE.permanent]: 'a hierarchy',
};

/** @throws RolesAnywhereError `ERR_TPM_HANDLE` for what is no number, `ERR_TPM_HANDLE_KIND` for a number that means no key */
export function parseKeyHandle(value: string, flag: string): number {
  const handle = parse(value, 'handle:', flag);
  const type = handle >>> 24;
  if (type === HANDLE_TYPE.persistent || type === HANDLE_TYPE.transient) return handle;
  throw new RolesAnywhereError(
    'ERR_TPM_HANDLE_KIND',
    `${flag} ${value} is the handle of ${OTHERS[type] ?? 'something that no TPM has'}, not of a key`,
    {
      hint:
        type === HANDLE_TYPE.nvIndex
          ? 'a certificate in an NV index is named with --certificate nv:0x...; keys have handles like 0x81000001'
          : 'keys have handles like 0x81000001: `tpm2_getcap handles-persistent` lists them',
    },
  );
}

/** @throws RolesAnywhereError `ERR_TPM_HANDLE`, `ERR_TPM_HANDLE_KIND` */
export function parseNvIndex(value: string, flag: string): number {
  const index = parse(value, 'nv:', flag);
  if (index >>> 24 === HANDLE_TYPE.nvIndex) return index;
  throw new RolesAnywhereError('ERR_TPM_HANDLE_KIND', `${flag} ${value} is not the number of an NV index`, {
    hint: 'NV indices have numbers like 0x1c00002: `tpm2_getcap handles-nv-index` lists them',
  });
}

function parse(value: string, prefix: string, flag: string): number {
  const digits = value.slice(prefix.length).replace(/^0x/i, '');
  if (/^[\da-f]{1,8}$/i.test(digits)) return Number.parseInt(digits, 16);
  throw new RolesAnywhereError('ERR_TPM_HANDLE', `${flag} ${value.slice(0, 64)} is not a handle`, {
    hint: `write ${prefix}${prefix === 'nv:' ? '0x1c00002' : '0x81000001'}: eight hexadecimal digits at most`,
  });
}
