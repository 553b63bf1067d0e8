/**
 * A command of the user's that renews: it gets copies of certificate and key to work on, and a request, and what it leaves
 * there or prints is taken. The files in use it never needs to touch.
 */
// Tests: test/renewal/command.test.ts
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CERTIFICATE_LABELS, readContents } from '../../identity/contents.ts';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { systemCode } from '../../platform/files.ts';
import { REDACTED } from '../../platform/redact.ts';
import { awaited } from '../../platform/waits.ts';
import { certificatePem, csrPem } from '../csr.ts';
import type { Issued, Issuer } from '../issuer.ts';
import { writeError } from '../replace.ts';

export interface CommandOptions {
  /** The program and its arguments. `{certificate}`, `{private-key}` and `{csr}` stand for files. */
  readonly words: readonly [string, ...string[]];
  /** The file beside which the copies lie: a folder that this user can write to, and nobody else can read. */
  readonly beside: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Longest time until it has ended, in milliseconds. Default 5 minutes. */
  readonly timeoutMs?: number | undefined;
  /** Takes what the command says on standard error. */
  readonly tell: (text: string) => void;
}

const TIMEOUT_MS = 300_000;
const MAX_OUTPUT_BYTES = 256 * 1024;
/** From the end of a command's time to when nobody uses its folder any more. */
const SLACK_MS = 60_000;
/** Behind it, the number of the process. */
const FOLDER = '.renewing-';

/** A certificate for what was asked for, from a command. */
export function command(options: CommandOptions): Issuer {
  const { words, beside, timeoutMs = TIMEOUT_MS } = options;
  const name = `the command ${words[0]}`;
  return {
    name,
    async issue({ csr, current }, signal) {
      const folder = orWriteError(beside, () => {
        removeLeftovers(dirname(beside), timeoutMs);
        return mkdtempSync(join(dirname(beside), `${FOLDER}${process.pid}-`)); // mode 0700
      });
      const files = {
        certificate: join(folder, 'certificate.pem'),
        'private-key': join(folder, 'private-key.pem'),
        csr: join(folder, 'request.csr'),
      };
      try {
        const before =
          current === undefined ? '' : [current.leaf.der, ...current.chain].map((der) => certificatePem(der)).join('');
        orWriteError(folder, () => {
          writeFileSync(files.csr, csrPem(csr), { mode: 0o600 });
          if (before !== '') writeFileSync(files.certificate, before, { mode: 0o600 });
          if (current?.tls !== undefined) writeFileSync(files['private-key'], current.tls.key, { mode: 0o600 });
        });
        const printed = await awaited(name, async () => await run(name, files, options, signal));
        const left = readFile(files.certificate);
        // What it left comes before what it printed, which may be its report.
        const pem = left !== '' && left !== before ? left : printed;
        const certificates = await certificatesIn(name, pem);
        if (left === '' || left === before) return { certificates };
        const key = readFile(files['private-key']);
        return { certificates, privateKey: key === '' || key === current?.tls?.key ? undefined : key } satisfies Issued;
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

/** @throws RolesAnywhereError `ERR_RENEWAL_WRITE` for what the file system refuses */
function orWriteError<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw writeError(path, error);
  }
}

/** Keys must not lie about that a killed process left. What another process is at work in stays: it may renew a neighbour. */
function removeLeftovers(folder: string, timeoutMs: number): void {
  for (const entry of readdirSync(folder)) {
    if (!entry.startsWith(FOLDER)) continue;
    const path = join(folder, entry);
    const owner = Number(/^(\d+)-/.exec(entry.slice(FOLDER.length))?.[1] ?? 0);
    const since = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    // A number may have been given to another process since: none works for longer than its time.
    if (owner > 0 && isRunning(owner) && since < timeoutMs + SLACK_MS) continue;
    rmSync(path, { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it need not write any
  }
}

async function run(
  name: string,
  files: Readonly<Record<string, string>>,
  { words, env, timeoutMs = TIMEOUT_MS, tell }: CommandOptions,
  signal: AbortSignal | undefined,
): Promise<string> {
  const [program, ...args] = words.map((word) =>
    word.replaceAll(/\{([\w-]+)\}/g, (text, key: string) => files[key] ?? text),
  );
  const child = spawn(program ?? '', args, {
    env: {
      ...env,
      RENEW_CERTIFICATE: files['certificate'],
      RENEW_PRIVATE_KEY: files['private-key'],
      RENEW_CSR: files['csr'],
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
    // In a group of its own, so that what it started ends with it.
    detached: process.platform !== 'win32',
  });
  const kill = (): void => {
    try {
      if (child.pid !== undefined && process.platform !== 'win32') process.kill(-child.pid, 'SIGKILL');
      else child.kill('SIGKILL');
    } catch {
      // It has ended.
    }
  };
  return await new Promise<string>((done, fail) => {
    let output = '';
    let said = '';
    const end = (error: RolesAnywhereError): void => {
      kill();
      fail(error);
    };
    const timer = setTimeout(() => end(failure(`${name} did not end within ${timeoutMs / 1000} s`)), timeoutMs);
    const interrupt = (): void => end(new RolesAnywhereError('ERR_INTERRUPTED', `${name} was interrupted`));
    signal?.addEventListener('abort', interrupt, { once: true });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.length > MAX_OUTPUT_BYTES) end(failure(`${name} prints more than ${MAX_OUTPUT_BYTES} bytes`));
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(-MAX_OUTPUT_BYTES);
    });
    child.on('error', (cause) => {
      clearTimeout(timer);
      const reason = systemCode(cause) ?? 'unknown error';
      fail(
        new RolesAnywhereError('ERR_RENEWAL_COMMAND', `${name} cannot be started (${reason})`, {
          flag: '--renew-command',
          hint: 'check the path of the program, and that this user may run it; no shell reads the line: for one, give sh -c',
          cause,
        }),
      );
    });
    child.on('close', (status, by) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', interrupt);
      if (said.trim() !== '') tell(withoutKeys(said));
      if (status === 0) return done(output);
      return fail(failure(`${name} failed: ${by === null ? `status ${status}` : by}`));
    });
  });
}

/** What was said, without a private key that a script has shown: it goes into a log. What has no end was cut off, or no begin. */
function withoutKeys(text: string): string {
  return text
    .replaceAll(/-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----[^]*?(?:-----END (?:[A-Z]+ )*PRIVATE KEY-----|$)/g, REDACTED)
    .replace(/^[^]*-----END (?:[A-Z]+ )*PRIVATE KEY-----/, REDACTED);
}

async function certificatesIn(name: string, pem: string): Promise<Uint8Array[]> {
  const bytes = new Uint8Array(Buffer.from(pem));
  try {
    const { blocks } = await readContents({ flag: '--certificate', source: 'it', bytes, rereadable: false });
    const found = blocks.filter(({ label }) => CERTIFICATE_LABELS.has(label));
    if (found.length > 0) return found.map(({ der }) => der);
  } catch (cause) {
    const reason = cause instanceof RolesAnywhereError ? `: ${cause.message}` : '';
    if (/-----BEGIN|-\0-\0/.test(pem)) throw failure(`${name} left a certificate that cannot be read${reason}`, cause);
  }
  throw failure(`${name} left no new certificate, and printed none`);
}

function failure(message: string, cause?: unknown): RolesAnywhereError {
  return new RolesAnywhereError('ERR_RENEWAL_COMMAND', message, {
    flag: '--renew-command',
    hint: 'it must put a certificate in place of {certificate}, or print one in PEM; run it by itself to see what it says',
    cause,
  });
}
