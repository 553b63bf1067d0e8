/** `emulator`: a local Roles Anywhere and STS, until it is told to stop. */
import { writeFileSync } from 'node:fs';
import { type EmulatorOptions, type Verdict, startEmulator } from '../emulator/emulator.ts';
import { explain } from '../emulator/explain.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { type MaterialFlag, readMaterialFile } from '../identity/material.ts';
import { type Log, createLog } from '../platform/log.ts';
import type { FlagValues, RunCommand } from './command.ts';

/** An endpoint that stays the same can be written into a configuration file. */
const DEFAULT_PORT = 9912;

export const run: RunCommand = async (flags, io) => {
  const log = createLog({ write: (line) => io.stderr(line) });
  const record = openRecord(textOf(flags, 'log'), log);
  const emulator = await startEmulator({
    ...readOptions(flags),
    onVerdict: (verdict) => {
      logVerdict(log, verdict);
      record?.(verdict);
      const explained = flags['explain'] === true ? explain(verdict) : undefined;
      if (explained !== undefined) io.stderr(`${explained.replaceAll(/^/gm, '  ')}\n`);
    },
    onReload: (problem) => logReload(log, problem),
  });
  try {
    const { url, tlsUrl, tlsCa, region, trustAnchorArns, profileArns, roleArns } = emulator;
    if (tlsCa !== undefined) writeOutput('--tls-dev', textOf(flags, 'tls-dev') ?? '', tlsCa);
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
  const tls =
    cert === undefined || key === undefined
      ? undefined
      : { cert: readText('--tls-cert', cert), key: readText('--tls-key', key) };
  const host = textOf(flags, 'host');
  return {
    port: readPort(flags['port']),
    ...(host === undefined ? {} : { host }),
    ...readWorld(flags),
    ...(tls === undefined ? {} : { tls }),
    ...(textOf(flags, 'tls-dev') === undefined ? {} : { tls: 'development' }),
  };
}

function readWorld(flags: FlagValues): EmulatorOptions {
  const paths = listOf(flags, 'trust-anchor');
  const worldFile = textOf(flags, 'world');
  const stateDir = textOf(flags, 'state-dir');
  return {
    ...(paths.length === 0
      ? {}
      : { trustAnchors: paths.map((path) => ({ name: path, certificates: readText('--trust-anchor', path) })) }),
    ...(worldFile === undefined ? {} : { worldFile }),
    ...(stateDir === undefined ? {} : { stateDir }),
    throttle: flags['throttle'] === true,
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

/** Appends each verdict to a file as a line of JSON, which is there before the answer is. */
function openRecord(path: string | undefined, log: Log): ((verdict: Verdict) => void) | undefined {
  if (path === undefined) return undefined;
  writeOutput('--log', path, '', { flag: 'a' });
  return (verdict) => {
    try {
      writeOutput('--log', path, `${JSON.stringify(verdict)}\n`, { flag: 'a' });
    } catch (error) {
      // The emulator goes on: a full disk is not its clients' fault.
      log.error(error instanceof Error ? error.message : String(error));
    }
  };
}

function writeOutput(flag: string, path: string, text: string, options: { flag?: 'a' } = {}): void {
  try {
    writeFileSync(path, text, { mode: 0o600, ...options });
  } catch (cause) {
    throw new RolesAnywhereError('ERR_OUTPUT', `${flag}: ${path} cannot be written`, {
      hint: 'give a file in a directory that this user may write to',
      cause,
    });
  }
}

/** One line a request: what was asked, the verdict and its reason. */
function logVerdict(log: Log, { method, path, status, accepted, code, reason, requestId }: Verdict): void {
  const line = `${method} ${path} ${status} ${accepted ? 'accepted' : `refused ${code}`}: ${reason}`;
  if (accepted) log.info(line, { requestId });
  else log.warn(line, { requestId });
}

function logReload(log: Log, problem: RolesAnywhereError | undefined): void {
  if (problem === undefined) log.info('read the world again, since it changed');
  else log.error(`the world stays as it was: ${problem.message}`);
}
