/** Where the TPM is: a device file, a socket of a simulator, or a resource manager. Values of users become one of these. */
// Tests: test/identity/tpm/transport.test.ts
import { statSync } from 'node:fs';
import { RolesAnywhereError } from '../../platform/errors.ts';

/** A place where a TPM answers. */
export type TpmLocation =
  | { readonly kind: 'device'; readonly path: string }
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  /** Microsoft's simulator: its own framing, with a second port for the power switch. */
  | { readonly kind: 'mssim'; readonly host: string; readonly port: number }
  /** tpm2-abrmd, which is reached over D-Bus by the program tpm2_send; `configuration` is what follows `tabrmd:`. */
  | { readonly kind: 'tabrmd'; readonly configuration: string };

/** The kernel's resource manager, which gives each program slots of its own, and the device without one. */
const DEVICES = ['/dev/tpmrm0', '/dev/tpm0'] as const;

/** Where simulators listen unless told otherwise. */
const DEFAULT_PORT = 2321;

export interface LocationSettings {
  /** `--tpm-device`: a path, or a value of the form of TPM2TOOLS_TCTI. */
  device?: string | undefined;
  /** Default `process.env`: TPM_DEVICE, a path, and TPM2TOOLS_TCTI are read. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Default `process.platform`. */
  platform?: NodeJS.Platform | undefined;
  /** Whether there is something at a path, and whether it is a socket. Default: the file system is asked. */
  look?: ((path: string) => 'socket' | 'other' | undefined) | undefined;
}

/** Words for messages. */
export function describeLocation(location: TpmLocation): string {
  switch (location.kind) {
    case 'device':
    case 'unix':
      return location.path;
    case 'tabrmd':
      return 'tpm2-abrmd';
    case 'tcp':
    case 'mssim':
    default:
      return `${location.kind === 'mssim' ? 'mssim ' : ''}${location.host}:${location.port}`;
  }
}

/** Whether a resource manager stands between, which takes back what a program leaves when its connection ends. */
export function isManaged(location: TpmLocation): boolean {
  return location.kind === 'tabrmd' || (location.kind === 'device' && /tpmrm\d*$/.test(location.path));
}

/**
 * The TPM that was asked for: `--tpm-device`, else TPM_DEVICE, else TPM2TOOLS_TCTI, else /dev/tpmrm0, else /dev/tpm0.
 *
 * @throws RolesAnywhereError `ERR_TPM_DEVICE` for a value that is not understood, `ERR_TPM_NOT_FOUND` when none was
 * named and there is none, `ERR_TPM_PLATFORM` where TPMs are not reached by a file
 */
export function chooseLocation({ device, env = process.env, ...rest }: LocationSettings = {}): TpmLocation {
  const { platform = process.platform, look = lookAt } = rest;
  const named = (
    [
      ['--tpm-device', device],
      ['TPM_DEVICE', env['TPM_DEVICE']],
      ['TPM2TOOLS_TCTI', env['TPM2TOOLS_TCTI']],
    ] as const
  ).find(([, value]) => value !== undefined && value !== '');
  if (named !== undefined) {
    const [source, value = ''] = named;
    const location = /^[a-z]+(?::|$)/.test(value) ? parseTcti(source, value, look) : atPath(value, look);
    if (location.kind === 'device' && platform === 'win32') throw notOnWindows(source);
    return location;
  }
  if (platform === 'win32') throw notOnWindows('no --tpm-device');
  const found = DEVICES.find((path) => look(path) !== undefined);
  if (found !== undefined) return { kind: 'device', path: found };
  throw new RolesAnywhereError(
    'ERR_TPM_NOT_FOUND',
    `this machine shows no TPM: neither ${DEVICES.join(' nor ')} is there`,
    {
      hint:
        platform === 'linux'
          ? 'switch the TPM on in the firmware, load the kernel module (tpm_tis, tpm_crb), or give a container the device (--device /dev/tpmrm0); another place is named with --tpm-device'
          : 'name a TPM with --tpm-device, such as swtpm:host=127.0.0.1,port=2321',
    },
  );
}

function notOnWindows(what: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_TPM_PLATFORM', `${what}: Windows gives programs no file of its TPM`, {
    hint: "keys in the TPM of Windows are not reached yet (that needs TPM Base Services); a simulator is, with --tpm-device swtpm:host=HOST,port=PORT; a key in the machine's certificate store needs none of this",
  });
}

function atPath(path: string, look: (path: string) => 'socket' | 'other' | undefined): TpmLocation {
  return { kind: look(path) === 'socket' ? 'unix' : 'device', path };
}

function lookAt(path: string): 'socket' | 'other' | undefined {
  try {
    return statSync(path).isSocket() ? 'socket' : 'other';
  } catch (error) {
    const isAbsent = error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
    return isAbsent ? undefined : 'other'; // opening it will say more
  }
}

/** `device:PATH`, `swtpm:host=HOST,port=PORT`, `swtpm:path=SOCKET`, `mssim:host=HOST,port=PORT`, `tabrmd:`, as tpm2-tss takes them. */
function parseTcti(source: string, value: string, look: (path: string) => 'socket' | 'other' | undefined): TpmLocation {
  const colon = value.indexOf(':');
  const kind = colon < 0 ? value : value.slice(0, colon);
  const configuration = colon < 0 ? '' : value.slice(colon + 1);
  if (kind === 'device') return atPath(configuration === '' ? '/dev/tpmrm0' : configuration, look);
  if (kind === 'tabrmd') return { kind, configuration };
  if (kind !== 'swtpm' && kind !== 'mssim') throw notUnderstood(source, value);
  const settings = new Map(
    configuration
      .split(',')
      .filter((part) => part !== '')
      .map((part) => {
        const [name = '', ...text] = part.split('=');
        return [name, text.join('=')] as const;
      }),
  );
  const { path, host = '127.0.0.1', port = String(DEFAULT_PORT), ...unknown } = Object.fromEntries(settings);
  if (Object.keys(unknown).length > 0 || host === '' || path === '') throw notUnderstood(source, value);
  if (path !== undefined) {
    if (kind === 'swtpm' && settings.size === 1) return { kind: 'unix', path };
    throw notUnderstood(source, value);
  }
  const number = Number(port);
  // The simulator's second port follows the first.
  if (!/^\d+$/.test(port) || number < 1 || number > 65_534) throw notUnderstood(source, value);
  return { kind: kind === 'swtpm' ? 'tcp' : 'mssim', host, port: number };
}

function notUnderstood(source: string, value: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_TPM_DEVICE', `${source} ${JSON.stringify(value.slice(0, 128))} names no TPM`, {
    hint: 'write a path such as /dev/tpmrm0 or that of a socket, or device:PATH, swtpm:host=HOST,port=PORT, swtpm:path=SOCKET, mssim:host=HOST,port=PORT or tabrmd:',
  });
}
