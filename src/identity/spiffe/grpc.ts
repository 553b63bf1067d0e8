/**
 * One gRPC call with one request, over HTTP/2 without TLS (gRPC over HTTP2, as of gRPC 1.79): what the Workload API needs,
 * each call on a connection of its own.
 */
// Tests: test/identity/spiffe/workload-api.test.ts
import { connect as connectHttp2 } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { createConnection } from 'node:net';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { VERSION } from '../../platform/version.ts';
import { answerError, connectionError, endedError, statusError, timeoutError } from './failures.ts';
import type { Address } from './reference.ts';

/** Longest message that is taken: gRPC's own default for a client. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;

/** gRPC over HTTP2, "Length-Prefixed-Message": the compressed flag, and a length of four octets. */
const PREFIX_BYTES = 5;

export interface GrpcCall {
  readonly address: Address;
  /** How errors name the address. */
  readonly where: string;
  /** `/Service/Method`. */
  readonly path: string;
  readonly request: Uint8Array;
  /** How long the first message, or the end, may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Whether one message is all that there should be: then the end must come within that time too. Default false. */
  readonly isUnary?: boolean | undefined;
  /** Called with each message, which is overwritten when it returns; what it throws ends the call. */
  readonly onMessage: (message: Uint8Array) => void;
  /** Called once when the call is over, without an error when its status was OK. Not called after {@link OpenCall.close}. */
  readonly onEnd: (error: RolesAnywhereError | undefined) => void;
}

export interface OpenCall {
  /** Lets go of the connection at once. Safe to call twice. */
  close(): void;
}

/** Makes a call. Whatever happens is told to `onEnd`; nothing is thrown. */
export function openCall(call: GrpcCall): OpenCall {
  const { address, where, timeoutMs } = call;
  let session: ClientHttp2Session | undefined;
  let over = false;
  const reader = new MessageReader(where);
  const close = (): void => {
    over = true;
    clearTimeout(timer);
    reader.wipe();
    session?.destroy();
  };
  const end = (error: RolesAnywhereError | undefined): void => {
    if (over) return;
    close();
    call.onEnd(error);
  };
  const timer = setTimeout(() => end(timeoutError(where, timeoutMs)), timeoutMs);
  try {
    session = connectHttp2('http://localhost', {
      createConnection: () =>
        createConnection(address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port })
          // Those who hold the call open for hours learn of a peer that went without a word.
          .setKeepAlive(true, 60_000),
      settings: { enablePush: false, maxHeaderListSize: MAX_HEADER_BYTES },
      maxReservedRemoteStreams: 0,
    });
    session.on('error', (cause) => end(connectionError(where, cause)));
    session.on('close', () => end(endedError(where)));
    const stream = session.request({
      ':method': 'POST',
      ':path': call.path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': `roles-anywhere/${VERSION}`,
      // SPIFFE Workload Endpoint, section 3: proves that this is no request that someone was tricked into.
      'workload.spiffe.io': 'true',
    });
    const onFirst = (): void => {
      if (call.isUnary !== true) clearTimeout(timer);
    };
    follow(stream, call, reader, onFirst, end);
    const prefix = Buffer.alloc(PREFIX_BYTES);
    prefix.writeUInt32BE(call.request.length, 1);
    stream.end(Buffer.concat([prefix, call.request]));
  } catch (cause) {
    // In a later turn, as all that is told.
    setImmediate(() => end(connectionError(where, cause)));
  }
  return { close };
}

function follow(
  stream: ClientHttp2Stream,
  { where, onMessage }: GrpcCall,
  reader: MessageReader,
  onFirst: () => void,
  end: (error: RolesAnywhereError | undefined) => void,
): void {
  let outcome: (() => RolesAnywhereError | undefined) | undefined;
  const takeStatus = (headers: IncomingHttpHeaders): void => {
    const [status, message] = [headers['grpc-status'], headers['grpc-message']];
    if (status === undefined) return;
    outcome = () => (status === '0' ? undefined : statusError(where, String(status), String(message ?? '')));
  };
  stream.on('response', (headers) => {
    const type = headers['content-type'] ?? '';
    if (headers[':status'] !== 200 || !/^application\/grpc(?:$|[+;])/.test(type))
      return end(answerError(where, `HTTP status ${headers[':status']} in place of an answer of gRPC`));
    return takeStatus(headers); // an answer of headers only
  });
  stream.on('trailers', takeStatus);
  stream.on('data', (chunk: Buffer) => {
    try {
      for (const message of reader.take(chunk)) {
        onFirst();
        try {
          onMessage(message);
        } finally {
          message.fill(0);
        }
      }
    } catch (error) {
      end(error instanceof RolesAnywhereError ? error : answerError(where, 'what could not be read', error));
    } finally {
      chunk.fill(0); // it may hold a key
    }
  });
  stream.on('error', (cause) => end(outcome?.() ?? connectionError(where, cause)));
  stream.on('close', () => {
    if (outcome === undefined) return end(endedError(where));
    const error = outcome();
    end(error ?? (reader.isWithin ? answerError(where, 'a message that is cut off') : undefined));
  });
}

/** Puts messages together from what comes in pieces of any size. */
class MessageReader {
  readonly #where: string;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixFill = 0;
  #message: Buffer | undefined;
  #messageFill = 0;

  constructor(where: string) {
    this.#where = where;
  }

  /** Whether a message has begun and not ended. */
  get isWithin(): boolean {
    return this.#prefixFill > 0;
  }

  wipe(): void {
    this.#message?.fill(0);
  }

  /**
   * The messages that are whole by now. Each is the caller's.
   *
   * @throws RolesAnywhereError `ERR_SPIFFE_ANSWER`
   */
  *take(chunk: Buffer): Generator<Buffer, void> {
    let offset = 0;
    // A message without content is whole as soon as its prefix is.
    while (offset < chunk.length || this.#message?.length === this.#messageFill) {
      if (this.#message === undefined) {
        const copied = chunk.copy(this.#prefix, this.#prefixFill, offset);
        offset += copied;
        this.#prefixFill += copied;
        if (this.#prefixFill === PREFIX_BYTES) this.#begin();
        continue;
      }
      const copied = chunk.copy(this.#message, this.#messageFill, offset);
      offset += copied;
      this.#messageFill += copied;
      if (this.#messageFill < this.#message.length) continue;
      const message = this.#message;
      this.#message = undefined;
      this.#prefixFill = 0;
      yield message;
    }
  }

  #begin(): void {
    if (this.#prefix[0] !== 0) throw answerError(this.#where, 'a compressed message, which was not asked for');
    const length = this.#prefix.readUInt32BE(1);
    if (length > MAX_MESSAGE_BYTES)
      throw answerError(this.#where, `a message of ${length} bytes, more than ${MAX_MESSAGE_BYTES}`);
    this.#message = Buffer.alloc(length);
    this.#messageFill = 0;
  }
}
