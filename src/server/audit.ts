/** The audit log: one JSON object a line for every set of credentials that was given out. */
import { closeSync, fstatSync, ftruncateSync, writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { SessionCredentials } from '../credentials/credentials.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { openForAppending } from '../platform/file-system.ts';
import type { Log } from '../platform/log.ts';
import { peerUid } from './peer-uid.ts';

export interface AuditLog {
  /**
   * Records one vend: `time`, `role` (its ARN), `key` (the last four
   * characters of the access key id), `client` (address and port) and, where
   * the system tells, the client's `uid`. The line is in the file when the
   * promise resolves, so a vend that is not recorded does not happen.
   */
  record(role: { readonly roleArn: string }, credentials: SessionCredentials, socket: Socket): Promise<void>;
  /**
   * Records that the certificate was renewed: `time`, `event`, `serialNumber` and `notAfter`.
   *
   * @throws RolesAnywhereError `ERR_AUDIT_LOG`
   */
  renewed(certificate: { readonly serialNumber: string; readonly notAfter: Date }): void;
  /** Opens the file again, after something moved it away. */
  reopen(): void;
  close(): void;
}

export interface AuditOptions {
  readonly log: Log;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** Writes bytes, as many as it can, and gives their number. Default node:fs'. */
  readonly write?: ((file: number, bytes: Uint8Array) => number) | undefined;
  /** Default {@link peerUid}. */
  readonly uidOf?: typeof peerUid | undefined;
}

/**
 * Opens `path` to append to it; a new file gets mode 0600. It never waits: a
 * pipe that nothing reads is refused here, and one that is full when a line is
 * to be written.
 *
 * @throws RolesAnywhereError `ERR_AUDIT_LOG`
 */
export function openAuditLog(
  path: string,
  { log, now = Date.now, write = writeSync, uidOf = peerUid }: AuditOptions,
): AuditLog {
  let file = openFile(path);
  /** Whether the last line could be written in part alone, and not be taken back. */
  let cut = false;
  // A connection's owner does not change, and asking costs a walk through a table of the kernel.
  const uids = new WeakMap<Socket, Promise<number | undefined>>();

  const ownerOf = (socket: Socket): Promise<number | undefined> => {
    const known = uids.get(socket);
    if (known !== undefined) return known;
    const { remoteAddress, remotePort, localAddress, localPort } = socket;
    const asked =
      remoteAddress === undefined || remotePort === undefined || localAddress === undefined || localPort === undefined
        ? Promise.resolve(undefined)
        : uidOf({ address: remoteAddress, port: remotePort }, { address: localAddress, port: localPort }).catch(
            () => undefined,
          );
    uids.set(socket, asked);
    return asked;
  };

  /** A full disk takes a part of a line, and so does a pipe. */
  const writeWhole = (text: string): void => {
    const bytes = Buffer.from(text);
    let written = 0;
    try {
      while (written < bytes.length) written += write(file, bytes.subarray(written));
    } catch (error) {
      if (written > 0) cut = !takeBack(file, written);
      throw error;
    }
  };

  const writeLine = (members: object, otherwise: string): void => {
    try {
      writeWhole(`${cut ? '\n' : ''}${JSON.stringify(members)}\n`);
      cut = false;
    } catch (cause) {
      log.error(`the audit log cannot be written${otherwise}`, { path, reason: reasonOf(cause) });
      throw auditError(path, cause);
    }
  };

  return {
    async record({ roleArn }, { accessKeyId }, socket) {
      const client = `${socket.remoteAddress ?? 'unknown'}:${socket.remotePort ?? 0}`;
      const uid = await ownerOf(socket);
      const time = new Date(now()).toISOString();
      writeLine({ time, role: roleArn, key: accessKeyId.slice(-4), client, uid }, ': no credentials are given out');
    },
    renewed({ serialNumber, notAfter }) {
      const time = new Date(now()).toISOString();
      writeLine({ time, event: 'certificate renewed', serialNumber, notAfter: notAfter.toISOString() }, '');
    },
    reopen() {
      try {
        const fresh = openFile(path);
        closeSync(file);
        file = fresh;
        cut = false;
      } catch (error) {
        log.error('the audit log cannot be opened again: still writing to the old file', {
          path,
          reason: reasonOf(error),
        });
      }
    },
    close() {
      closeSync(file);
    },
  };
}

/** Takes the last bytes of a file back; false where that is not possible. */
function takeBack(file: number, bytes: number): boolean {
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) return false;
    ftruncateSync(file, stats.size - bytes);
    return true;
  } catch {
    return false;
  }
}

function openFile(path: string): number {
  try {
    return openForAppending(path);
  } catch (cause) {
    throw auditError(path, cause);
  }
}

function auditError(path: string, cause: unknown): RolesAnywhereError {
  return new RolesAnywhereError('ERR_AUDIT_LOG', `cannot write the audit log ${path}: ${reasonOf(cause)}`, {
    flag: '--audit-log',
    cause,
    hint: 'check --audit-log, the permissions of its folder and the space on its disk',
  });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  const code = 'code' in error ? String(error.code) : error.message;
  return code === 'ENXIO' ? 'it is a pipe that nothing reads' : code;
}
