/** Opens the connection to a TPM, whatever kind of place it is at. */
// Tests: test/identity/tpm/transport.test.ts
import { setTimeout as sleep } from 'node:timers/promises';
import { processAge } from '../../platform/clock.ts';
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { ErrorCode } from '../../platform/errors.ts';
import { type TpmLocation, describeLocation } from './location.ts';
import type { Transport } from './transport.ts';

/**
 * Opens a connection, and waits while the place is taken: /dev/tpm0 and simulators serve one program at a time.
 *
 * @throws RolesAnywhereError `ERR_TPM_NOT_FOUND`, `ERR_TPM_ACCESS`, `ERR_TPM_NOT_PERMITTED`, `ERR_TPM_BUSY`,
 * `ERR_TPM_CONNECT`, `ERR_TPM_TIMEOUT`
 */
export async function openTransport(location: TpmLocation, deadline: number): Promise<Transport> {
  const where = describeLocation(location);
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, 100)) {
    try {
      return await openOnce(location, deadline);
    } catch (error) {
      const isTaken = error instanceof Error && 'code' in error && (error.code === 'EBUSY' || error.code === 'EAGAIN');
      if (!isTaken || processAge() + pauseMs > deadline) throw openError(error, where);
    }
    // Others poll too: whoever waits for a different time each does not always lose.
    await sleep(pauseMs * (0.5 + Math.random()));
  }
}

async function openOnce(location: TpmLocation, deadline: number): Promise<Transport> {
  switch (location.kind) {
    case 'device': {
      const { openDevice } = await import('./device-file.ts');
      return await openDevice(location.path);
    }
    case 'tabrmd': {
      const { openSender } = await import('./sender.ts');
      return openSender(location.configuration);
    }
    case 'unix':
    case 'tcp':
    case 'mssim':
    default: {
      const { openSocket } = await import('./socket.ts');
      return await openSocket(location, deadline);
    }
  }
}

/** What each refusal of the system means here. */
const OPEN_ERRORS: Readonly<Record<string, readonly [code: ErrorCode, what: string, hint: string]>> = {
  ENOENT: [
    'ERR_TPM_NOT_FOUND',
    'is not there',
    'check the path; a container sees only the devices that it was given (--device /dev/tpmrm0), and a simulator makes its socket when it starts',
  ],
  ENXIO: ['ERR_TPM_NOT_FOUND', 'has no device behind it', 'see whether the TPM is switched on in the firmware'],
  ENODEV: ['ERR_TPM_NOT_FOUND', 'has no device behind it', 'see whether the TPM is switched on in the firmware'],
  EACCES: [
    'ERR_TPM_ACCESS',
    'may not be opened by this user',
    'add the user to the group of the file (tss, most often): usermod -aG tss USER, then log in anew; for a service, SupplementaryGroups=tss',
  ],
  EPERM: [
    'ERR_TPM_NOT_PERMITTED',
    'may not be opened in here',
    'a container or a sandbox forbids the device: start it with --device /dev/tpmrm0, or allow it in the device policy (DeviceAllow= of systemd)',
  ],
  EBUSY: [
    'ERR_TPM_BUSY',
    'is held by another program',
    'use the resource manager, /dev/tpmrm0, which many programs can open; or see who holds it: fuser -v /dev/tpm0',
  ],
  EAGAIN: [
    'ERR_TPM_BUSY',
    'has more programs waiting than it takes',
    'a simulator serves one program at a time: see which one holds its connection',
  ],
  ECONNREFUSED: [
    'ERR_TPM_CONNECT',
    'has nobody who listens',
    'start the simulator again; what it left there is an empty socket',
  ],
};

/** What the system said when a TPM was opened, in words. */
export function openError(error: unknown, where: string): RolesAnywhereError {
  if (error instanceof RolesAnywhereError) return error;
  const system = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
  const [code, what, hint] = OPEN_ERRORS[system] ?? [
    'ERR_TPM_CONNECT',
    `cannot be opened (${system})`,
    'check --tpm-device, TPM_DEVICE and TPM2TOOLS_TCTI, and what the system says of the device',
  ];
  return new RolesAnywhereError(code, `the TPM at ${where} ${what}`, { hint, cause: error });
}
