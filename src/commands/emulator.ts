/** `emulator`: a local Roles Anywhere and STS, until it is told to stop. */
import { type EmulatorOptions, type Verdict, startEmulator } from '../emulator/emulator.ts';
import { RolesAnywhereError } from '../errors.ts';
import { type MaterialFlag, readMaterialFile } from '../identity/file.ts';
import { type Log, createLog } from '../log.ts';
import type { FlagValues, RunCommand } from './command.ts';

/** An endpoint that stays the same can be written into a configuration file. */
const DEFAULT_PORT = 9912;

export const run: RunCommand = async (flags, io) => {
  const log = createLog({ write: (line) => io.stderr(line) });
  const emulator = await startEmulator({ ...readOptions(flags), onVerdict: (verdict) => logVerdict(log, verdict) });
  try {
    const { url, tlsUrl, region, trustAnchorArns, profileArns, roleArns } = emulator;
    log.info(`listening on ${tlsUrl === undefined ? url : `${url} and ${tlsUrl}`}`);
    const ready = {
      url,
      tlsUrl,
      region,
      trustAnchorArn: trustAnchorArns[0],
      trustAnchorArns,
      profileArn: profileArns[0],
      roleArn: roleArns[0],
    };
    io.stdout(`${JSON.stringify(ready)}\n`);
    await io.stop();
  } finally {
    await emulator.close();
  }
};

function readOptions(flags: FlagValues): EmulatorOptions {
  const cert = textOf(flags, 'tls-cert');
  const key = textOf(flags, 'tls-key');
  if ((cert === undefined) !== (key === undefined))
    throw new RolesAnywhereError('ERR_FLAG_REQUIRED', `--tls-${cert === undefined ? 'cert' : 'key'} is not given`, {
      hint: 'give --tls-cert and --tls-key together, or neither for HTTP alone',
    });
  const host = textOf(flags, 'host');
  return {
    port: readPort(flags['port']),
    ...(host === undefined ? {} : { host }),
    trustAnchors: listOf(flags, 'trust-anchor').map((path) => ({
      name: path,
      certificates: readText('--trust-anchor', path),
    })),
    ...(cert === undefined || key === undefined
      ? {}
      : { tls: { cert: readText('--tls-cert', cert), key: readText('--tls-key', key) } }),
  };
}

function readPort(value: FlagValues[string]): number {
  if (value === undefined) return DEFAULT_PORT;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
  throw new RolesAnywhereError('ERR_FLAG_VALUE', '--port is not a port number', {
    hint: 'give a number up to 65535, or 0 for any free port',
  });
}

function readText(flag: MaterialFlag, path: string): string {
  return Buffer.from(readMaterialFile(flag, path).bytes).toString('latin1');
}

function textOf(flags: FlagValues, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function listOf(flags: FlagValues, name: string): readonly string[] {
  const value = flags[name];
  if (typeof value === 'object') return value;
  return typeof value === 'string' ? [value] : [];
}

/** One line a request: what was asked, the verdict and its reason. */
function logVerdict(log: Log, { method, path, status, accepted, code, reason, requestId }: Verdict): void {
  const line = `${method} ${path} ${status} ${accepted ? 'accepted' : `refused ${code}`}: ${reason}`;
  if (accepted) log.info(line, { requestId });
  else log.warn(line, { requestId });
}
