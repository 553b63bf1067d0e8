/** Codes of MFA devices: RFC 6238 (TOTP) over RFC 4226 (HOTP), as IAM's virtual devices make them. */
// Tests: test/emulator/services/sts/assume-role.test.ts
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Refusal } from '../wire/refusal.ts';
import type { Caller } from './caller.ts';
import type { MfaDeviceRecord } from '../state/records.ts';
import type { State } from '../state/state.ts';

const STEP_SECONDS = 30;
const DIGITS = 6;

/** The steps that a device's clock may be off: RFC 6238, section 5.2, recommends one. */
const DRIFT_STEPS = 1;

/** The code of a device at a moment, for those who have no device. */
export function totp(secret: string, at: Date): string {
  return hotp(decodeBase32(secret) ?? Buffer.alloc(0), stepOf(at));
}

function stepOf(at: Date): number {
  return Math.floor(at.getTime() / 1000 / STEP_SECONDS);
}

/** RFC 4226, section 5.3. */
function hotp(key: Buffer, counter: number): string {
  const message = Buffer.alloc(8);
  message.writeBigUInt64BE(BigInt(counter));
  const digest = createHmac('sha1', key).update(message).digest();
  const offset = (digest.at(-1) ?? 0) & 0x0f;
  const number = digest.readUInt32BE(offset) & 0x7f_ff_ff_ff;
  return String(number % 10 ** DIGITS).padStart(DIGITS, '0');
}

/** RFC 4648, section 6, without regard to case, spaces and padding; undefined when it is anything else. */
export function decodeBase32(text: string): Buffer | undefined {
  const letters = text.toUpperCase().replaceAll(/[\s=]/g, '');
  if (!/^[A-Z2-7]+$/.test(letters)) return undefined;
  const bits = Array.from(letters, (letter) =>
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'),
  ).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((octet) => Number.parseInt(octet, 2)));
}

/**
 * Takes a code, which is good once.
 *
 * @returns whether one was presented
 * @throws Refusal
 */
export function takeCode(
  { serialNumber, tokenCode }: { serialNumber: string | undefined; tokenCode: string | undefined },
  caller: Caller,
  { state, now }: { state: State; now: Date },
): boolean {
  if (serialNumber === undefined && tokenCode === undefined) return false;
  if (serialNumber === undefined || tokenCode === undefined)
    throw denied(
      'MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.',
      `${serialNumber === undefined ? 'SerialNumber' : 'TokenCode'} was not sent`,
    );
  const device = state.get('mfaDevices', serialNumber);
  const problem = deviceProblem(device, serialNumber, caller);
  if (device === undefined || problem !== undefined)
    throw denied(
      'MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.',
      problem ?? `there is no device ${serialNumber}`,
    );
  const step = findStep(device, tokenCode, now);
  if (step === undefined || step <= (device.lastStep ?? -1))
    throw denied(
      'MultiFactorAuthentication failed with invalid MFA one time pass code. ',
      step === undefined
        ? `the code is not one of device ${serialNumber} at this time`
        : `the code of device ${serialNumber} was used before; each is good once`,
    );
  state.apply({ op: 'put', kind: 'mfaDevices', record: { ...device, lastStep: step } });
  return true;
}

/** A device is a user's: IAM User Guide, "Secure API access with MFA". A session of a role has none. */
function deviceProblem(
  device: MfaDeviceRecord | undefined,
  serialNumber: string,
  { principal, arn, account }: Caller,
): string | undefined {
  if (device === undefined) return `there is no device ${serialNumber}`;
  if ('role' in principal) return `device ${serialNumber} is a user's, and ${arn} is the session of a role`;
  const [, own] = /^arn:[^:]*:iam::(\d{12}):/.exec(serialNumber) ?? [];
  const isOwn = (own ?? account) === account && (device.owner ?? arn) === arn;
  return isOwn ? undefined : `device ${serialNumber} is not ${arn}'s`;
}

function findStep({ secret }: MfaDeviceRecord, code: string, now: Date): number | undefined {
  const key = decodeBase32(secret);
  if (key === undefined || !/^\d{6}$/.test(code)) return undefined;
  const current = stepOf(now);
  for (let step = current - DRIFT_STEPS; step <= current + DRIFT_STEPS; step += 1)
    if (timingSafeEqual(Buffer.from(hotp(key, step)), Buffer.from(code))) return step;
  return undefined;
}

function denied(message: string, reason: string): Refusal {
  return new Refusal(403, 'AccessDenied', message, reason);
}
