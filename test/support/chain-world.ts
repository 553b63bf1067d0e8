/**
 * A world of roles in a row: the certificate's, one that asks for an external id, and one that asks for a tag. Beside
 * the first of them is one that asks a user for MFA, which sessions of roles cannot have.
 */
import { totp } from '../../src/emulator/callers/mfa.ts';
import type { Emulator, EmulatorOptions } from '../../src/emulator/emulator.ts';
import { startTestEmulator } from './vending.ts';

const ACCOUNT = '123456789012';

export const FIRST = `arn:aws:iam::${ACCOUNT}:role/First`;
export const SECOND = `arn:aws:iam::${ACCOUNT}:role/Second`;
export const GUARDED = `arn:aws:iam::${ACCOUNT}:role/Guarded`;
export const EXTERNAL_ID = 'ext:7/a';
/** A device takes each code once, so every test that gets in has one of its own. */
export const MFA = {
  source: { serialNumber: `arn:aws:iam::${ACCOUNT}:mfa/source`, secret: 'KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU' },
  library: { serialNumber: `arn:aws:iam::${ACCOUNT}:mfa/library`, secret: 'MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK' },
} as const;
/** The user of the emulator's own world. */
export const USER = {
  AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
} as const;

const ACTIONS = ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'];
const allow = (Action: readonly string[] | string, extra: object): object => ({ Effect: 'Allow', Action, ...extra });
const policy = (...Statement: object[]): object => ({ Version: '2012-10-17', Statement });

/** What a device shows now. */
export function mfaCode(device: keyof typeof MFA): string {
  return totp(MFA[device].secret, new Date());
}

export function startChainEmulator(options: Partial<EmulatorOptions> = {}): Promise<Emulator> {
  return startTestEmulator({
    roles: [
      { arn: `arn:aws:iam::${ACCOUNT}:role/Workload`, maxSessionDuration: 43_200 },
      {
        arn: FIRST,
        trustPolicy: policy(
          allow(ACTIONS, {
            Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` },
            Condition: { StringEquals: { 'sts:ExternalId': EXTERNAL_ID } },
          }),
        ),
      },
      {
        arn: GUARDED,
        trustPolicy: policy(
          allow(ACTIONS, {
            Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` },
            Condition: { Bool: { 'aws:MultiFactorAuthPresent': 'true' } },
          }),
        ),
      },
      {
        arn: SECOND,
        trustPolicy: policy(
          allow(ACTIONS, {
            Principal: { AWS: [FIRST, GUARDED] },
            Condition: { StringEquals: { 'aws:PrincipalTag/Team': 'blue' } },
          }),
        ),
        // Only a tag that came along from the first hop opens the list.
        policies: [
          policy(
            allow('s3:ListAllMyBuckets', {
              Resource: '*',
              Condition: { StringEquals: { 'aws:PrincipalTag/Team': 'blue' }, Null: { 'aws:SourceIdentity': 'false' } },
            }),
          ),
        ],
      },
    ],
    mfaDevices: Object.values(MFA),
    ...options,
  } as Partial<EmulatorOptions>);
}
