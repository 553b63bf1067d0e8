import { expect, it } from 'vitest';
import {
  ATTRIBUTE,
  INFO,
  SLOT_INFO,
  TOKEN_INFO,
  abiOf,
  functionOffset,
  layout,
} from '../../../src/identity/pkcs11/layout.ts';

// Sizes and offsets that C compilers give the structures of pkcs11t.h; on Windows under #pragma pack(1).
const ABIS = {
  'Linux and macOS, 64 bits': [
    abiOf('linux', 8, 8),
    { attribute: 24, info: 88, slot: 112, token: 208, flags: 96, sign: 352 },
  ],
  'Linux, 32 bits': [abiOf('linux', 4, 4), { attribute: 12, info: 76, slot: 104, token: 160, flags: 96, sign: 176 }],
  'Windows, 64 bits': [abiOf('win32', 4, 8), { attribute: 16, info: 72, slot: 104, token: 160, flags: 96, sign: 346 }],
} as const;

it.each(Object.entries(ABIS))('structures lie as on %s', (_name, [abi, expected]) => {
  expect({
    attribute: layout(ATTRIBUTE, abi).size,
    info: layout(INFO, abi).size,
    slot: layout(SLOT_INFO, abi).size,
    token: layout(TOKEN_INFO, abi).size,
    flags: layout(TOKEN_INFO, abi).offsets.flags,
    sign: functionOffset(43, abi),
  }).toEqual(expected);
});
