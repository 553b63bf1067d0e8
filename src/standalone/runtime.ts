/** What the executable calls of its runtime by the runtime's own names: https://bun.com/docs/api/tcp. */
// Tests: test/http/faults.test.ts

/** A connection. */
export interface RuntimeSocket {
  /** TLS alone: whether chain and name were verified. */
  readonly authorized?: boolean;
  /** TLS alone: what was agreed on by ALPN (RFC 7301). */
  readonly alpnProtocol?: string | false | null;
  /** How many of the bytes were taken; the rest goes after `drain`. */
  write(bytes: Uint8Array): number;
  /** Closes without waiting. */
  terminate(): void;
  /** `TLSv1.2`, `TLSv1.3`. */
  getTLSVersion?(): string | null;
  getPeerCertificate?(): { readonly raw?: Uint8Array } | undefined;
}

/** What a connection tells. */
export interface RuntimeHandlers {
  open(socket: RuntimeSocket): void;
  /** TLS alone, when its handshake is over. */
  handshake(socket: RuntimeSocket, success: boolean, error: Error | null): void;
  data(socket: RuntimeSocket, bytes: Uint8Array): void;
  drain(socket: RuntimeSocket): void;
  end(socket: RuntimeSocket): void;
  close(socket: RuntimeSocket, error?: unknown): void;
  error(socket: RuntimeSocket, error: unknown): void;
  connectError(socket: RuntimeSocket, error: unknown): void;
}

export interface RuntimeConnect {
  readonly hostname: string;
  readonly port: number;
  readonly tls?:
    | {
        readonly ca?: string | undefined;
        readonly rejectUnauthorized: boolean;
        readonly serverName: string;
        /** As in the record: 0x0303 is TLS 1.2. */
        readonly minVersion: number;
        /** As on the wire: each name behind its length. */
        readonly ALPNProtocols: string;
      }
    | undefined;
  readonly socket: RuntimeHandlers;
}

/** Begins a connection; rejects when none is made, of which `connectError` tells too. */
export type Connect = (options: RuntimeConnect) => Promise<unknown>;

declare const Bun: {
  readonly connect: Connect;
  readonly CryptoHasher: new (algorithm: 'sha256') => unknown;
  readonly unsafe: { setJITPolicy(scale: number): void };
  readonly stdout: unknown;
  write(to: unknown, text: string): Promise<number>;
};

export const connectByRuntime: Connect = (options) => Bun.connect(options);

/** A hash of SHA-256, with the two methods of Node's that this program uses. */
export function sha256Hasher(): unknown {
  return new Bun.CryptoHasher('sha256');
}

/** Has what runs often compiled to machine code as early as the engine's makers have it. */
export function compileAsUsual(): void {
  Bun.unsafe.setJITPolicy(1);
}

/**
 * Writes to standard output, without the module that the common code writes with.
 *
 * @param text ASCII, and no longer than what a pipe takes at once (PIPE_BUF, 512 bytes at least)
 * @returns whether it was written
 */
export async function printed(text: string): Promise<boolean> {
  try {
    return (await Bun.write(Bun.stdout, text)) === text.length;
  } catch {
    return false;
  }
}
