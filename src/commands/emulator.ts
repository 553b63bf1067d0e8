/** `emulator`: a local Roles Anywhere and STS, until it is told to stop. */
import { closeSync, writeFileSync, writeSync } from 'node:fs';
import { type EmulatorOptions, type Verdict, explain, startEmulator } from '../emulator/index.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { CERTIFICATE_LABELS } from '../identity/contents.ts';
import { pemOf, readPemFile } from '../identity/pem-file.ts';
import { wrongKind } from '../identity/unusual.ts';
import { openForAppending } from '../platform/file-system.ts';
import { systemCode } from '../platform/files.ts';
import type { FlagsOf } from '../options/flag-values.ts';
import type { Log } from '../platform/log.ts';
import type { RunCommand } from './command.ts';
import { readTls } from './tls-files.ts';

type Flags = FlagsOf<'emulator'>;

export const run: RunCommand<'emulator'> = async (flags, io) => {
  const { log } = io;
  const record = openRecord(flags.log, log);
  const emulator = await startEmulator({
    ...(await readOptions(flags)),
    onVerdict: (verdict) => {
      logVerdict(log, verdict, flags.explain === true ? explain(verdict) : undefined);
      record?.(verdict);
    },
    onReload: (problem) => logReload(log, problem),
    onUnknownMember: (operation, member) =>
      log.warn(`${operation} has a member ${member}, which is not known here and has no effect`),
  });
  try {
    const { url, tlsUrl, tlsCa, region, trustAnchorArns, profileArns, roleArns } = emulator;
    const caFile = flags['tls-dev'];
    if (tlsCa !== undefined && caFile !== undefined)
      writeOutput('--tls-dev', caFile, () => writeFileSync(caFile, tlsCa, { mode: 0o600 }));
    // Whoever reads that it listens may end it at once.
    const stopped = io.stop();
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
    if (!isLoopback(url))
      log.warn(
        '--host: other machines may reach this emulator, and its built-in keys are known to all: use it in a closed network',
      );
    io.stdout(`${JSON.stringify(ready)}\n`);
    await stopped;
  } finally {
    await emulator.close();
  }
};

async function readOptions(flags: Flags): Promise<EmulatorOptions> {
  return {
    host: flags.host,
    port: readPort(flags.port),
    tls: flags['tls-dev'] === undefined ? await tlsOf(flags) : 'development',
    trustAnchors: flags['trust-anchor'] && (await Promise.all(flags['trust-anchor'].map(readAnchor))),
    worldFile: flags.world,
    stateDir: flags['state-dir'],
    throttle: flags.throttle,
  };
}

/** Whether only this machine reaches the address that is listened on. */
function isLoopback(url: string): boolean {
  return /^http:\/\/(?:127\.|\[::1\])/.test(url);
}

async function tlsOf({ 'tls-cert': cert, 'tls-key': key }: Flags): Promise<EmulatorOptions['tls']> {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined)
    throw new RolesAnywhereError('ERR_FLAG_REQUIRED', `--tls-${cert === undefined ? 'cert' : 'key'} is not given`, {
      hint: 'give --tls-cert and --tls-key together, or neither for HTTP alone',
    });
  const pair = await readTls({ cert, key });
  return { cert: pair.cert.toString(), key: pair.key.toString() };
}

function readPort(value: number): number {
  if (value >= 0 && value <= 65_535) return value;
  throw new RolesAnywhereError('ERR_FLAG_VALUE', '--port is not a port number', {
    flag: '--port',
    hint: 'give a number up to 65535, or 0 for any free port',
  });
}

/** The certificates of a file, which the emulator reads with its own code. */
async function readAnchor(path: string): Promise<{ name: string; certificates: string }> {
  const { material, blocks } = await readPemFile('--trust-anchor', path);
  const found = blocks.filter(({ label }) => CERTIFICATE_LABELS.has(label));
  const certificates = found.map(({ der }) => pemOf({ label: 'CERTIFICATE', der })).join('');
  if (certificates === '') throw wrongKind(material, blocks, 'certificate');
  return { name: path, certificates };
}

/** Appends each verdict to a file as a line of JSON, which is there before the answer is. */
function openRecord(path: string | undefined, log: Log): ((verdict: Verdict) => void) | undefined {
  if (path === undefined) return undefined;
  const append = (text: string): void => writeOutput('--log', path, () => appendTo(path, text));
  append('');
  return (verdict) => {
    try {
      append(`${JSON.stringify(verdict)}\n`);
    } catch (error) {
      // The emulator goes on: a full disk is not its clients' fault.
      log.error(error instanceof Error ? error.message : String(error));
    }
  };
}

/** Opens the file for each line, so that it may be moved away. */
function appendTo(path: string, text: string): void {
  const descriptor = openForAppending(path);
  try {
    writeSync(descriptor, text);
  } finally {
    closeSync(descriptor);
  }
}

function writeOutput(flag: string, path: string, write: () => void): void {
  try {
    write();
  } catch (cause) {
    throw new RolesAnywhereError(
      'ERR_OUTPUT',
      `${flag}: ${path} cannot be written (${systemCode(cause) ?? 'unknown error'})`,
      {
        hint: 'give a file in a directory that this user may write to',
        flag,
        cause,
      },
    );
  }
}

/** One line a request: what was asked, the verdict and its reason; below it what explains a signature that does not fit. */
function logVerdict(log: Log, verdict: Verdict, explanation: string | undefined): void {
  const { method, path, status, accepted, code, reason, requestId } = verdict;
  const line = `${method} ${path} ${status} ${accepted ? 'accepted' : `refused ${code}`}: ${reason}`;
  const fields = { requestId, explanation: explanation?.split('\n') };
  if (accepted) log.info(line, fields);
  else log.warn(line, fields);
}

function logReload(log: Log, problem: RolesAnywhereError | undefined): void {
  if (problem === undefined) log.info('read the world again, since it changed');
  else log.error(`the world stays as it was: ${problem.message}`);
}
