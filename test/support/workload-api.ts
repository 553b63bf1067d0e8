/** A SPIFFE Workload API for tests, in this process: HTTP/2 by Node, and messages written by hand. */
import { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http2';
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as x509 from '@peculiar/x509';
import { generateKeys, issueAuthority, issueLeaf, leafExtensions } from '../../certs-dev/authority.ts';
import type { Authority } from '../../certs-dev/authority.ts';

export interface Question {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  /** The request's message. */
  readonly request: Buffer;
}

export interface WorkloadApi {
  /** `unix:///...` */
  readonly address: string;
  /** The socket's path. */
  readonly path: string;
  /** Every question so far. */
  readonly questions: readonly Question[];
  /** Sends to every stream that is open. */
  send(message: Uint8Array): void;
  /** Ends every connection. */
  drop(): void;
  /** Ends every connection, and listens no more. */
  close(): Promise<void>;
}

/** @param answer what becomes of each question; of those that it leaves open, `send` reaches the stream */
export async function startWorkloadApi(
  answer: (question: Question) => void,
  path = join(mkdtempSync(join(tmpdir(), 'ra-spiffe-')), 'agent.sock'),
): Promise<WorkloadApi> {
  const sessions = new Set<ServerHttp2Session>();
  const questions: Question[] = [];
  const server = createServer();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => undefined).on('close', () => sessions.delete(session));
  });
  server.on('stream', (stream, headers) => {
    const pieces: Buffer[] = [];
    stream.on('error', () => undefined);
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.on('end', () => {
      const question = { stream, headers, request: Buffer.concat(pieces).subarray(5) };
      questions.push(question);
      answer(question);
    });
  });
  server.listen(path);
  await once(server, 'listening');
  const drop = (): void => {
    for (const session of sessions) session.destroy();
  };
  return {
    address: `unix://${path}`,
    path,
    questions,
    send(message) {
      for (const { stream } of questions) if (!stream.closed && !stream.writableEnded) stream.write(frame(message));
    },
    drop,
    async close() {
      drop();
      await new Promise((resolve) => void server.close(resolve));
      rmSync(path, { force: true });
    },
  };
}

/** A socket's path in a folder of its own. */
export function freshSocket(): string {
  return join(mkdtempSync(join(tmpdir(), 'ra-spiffe-')), 'agent.sock');
}

/** Begins an answer, whose status comes later. */
export function begin({ stream }: Question, ...messages: readonly Uint8Array[]): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  for (const message of messages) stream.write(frame(message));
}

/** A whole answer. */
export function complete(question: Question, ...messages: readonly Uint8Array[]): void {
  begin(question, ...messages);
  question.stream.end();
}

/** An answer that is a refusal, of headers only. */
export function refuse({ stream }: Question, status: number, message: string): void {
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': String(status), 'grpc-message': message },
    { endStream: true },
  );
}

/** A message with its prefix. */
export function frame(message: Uint8Array, flag = 0): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = flag;
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** A field of bytes, text or a message. */
export function field(number: number, content: Uint8Array | string): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

export function varint(value: number): Buffer {
  const octets: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) octets.push((value % 128) + 128);
  return Buffer.from([...octets, value]);
}

/** An identity as an agent gives it. */
export interface IssuedSvid {
  readonly id: string;
  readonly serialNumber: string;
  readonly certificates: readonly Buffer[];
  readonly key: Buffer;
  readonly hint: string;
}

/** Issues identities as SPIRE does: `C=US,O=SPIRE`, the SPIFFE ID in a URI, a new key each. */
export async function makeTrustDomain(): Promise<{
  readonly root: Authority;
  issue(options?: { id?: string; hint?: string; notBefore?: Date; notAfter?: Date }): Promise<IssuedSvid>;
}> {
  const root = await issueAuthority({ subject: 'CN=root,O=SPIFFE', keys: await generateKeys('ec-p256') });
  const intermediate = await issueAuthority({
    subject: 'CN=intermediate,O=SPIFFE',
    keys: await generateKeys('ec-p256'),
    issuer: root,
  });
  let serial = 0x1000;
  return {
    root,
    async issue({ id = 'spiffe://example.org/web', hint = '', notBefore, notAfter } = {}) {
      const keys = await generateKeys('ec-p256');
      const serialNumber = (++serial).toString(16);
      const leaf = await issueLeaf({
        subject: 'C=US,O=SPIRE',
        serialNumber,
        issuer: intermediate,
        publicKey: keys.publicKey,
        extensions: leafExtensions([{ type: 'url', value: id }]),
        notBefore,
        notAfter,
      });
      return {
        id,
        hint,
        serialNumber: String(serial),
        certificates: [leaf, intermediate.certificate].map((one: x509.X509Certificate) => Buffer.from(one.rawData)),
        key: KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'der' }),
      };
    },
  };
}

/** The message of an X509SVIDResponse. */
export function x509Answer(...svids: readonly IssuedSvid[]): Buffer {
  return Buffer.concat([
    ...svids.map(({ id, hint, certificates, key }) =>
      field(
        1,
        Buffer.concat([
          field(1, id),
          field(2, Buffer.concat(certificates)),
          field(3, key),
          field(4, 'the bundle, which is not read'),
          ...(hint === '' ? [] : [field(5, hint)]),
        ]),
      ),
    ),
    field(2, 'a CRL'),
    field(3, Buffer.concat([field(1, 'spiffe://elsewhere'), field(2, 'a bundle')])),
  ]);
}

/** The message of a JWTSVIDResponse. */
export function jwtAnswer(...svids: readonly { id: string; token: string; hint?: string }[]): Buffer {
  return Buffer.concat(
    svids.map(({ id, token, hint }) =>
      field(1, Buffer.concat([field(1, id), field(2, token), ...(hint === undefined ? [] : [field(3, hint)])])),
    ),
  );
}
