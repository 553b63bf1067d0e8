/**
 * The helper program: keeps a PKCS#11 module in a process of its own, so that
 * a module that crashes or hangs takes nothing else with it. It is started by
 * bridge.ts, answers what comes through the channel, and ends with it.
 */
// Tests: test/identity/pkcs11/bridge.test.ts
import { writeSync } from 'node:fs';
import process from 'node:process';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { readSome, secretBytes, systemCode } from '../../platform/files.ts';
import { VERSION } from '../../platform/version.ts';
import { loadBinding } from './binding.ts';
import type { Binding } from './binding.ts';
import { Engine } from './engine.ts';
import { toFailure } from './failures.ts';
import { CHANNEL_ARGUMENT, CHANNEL_DESCRIPTOR, PIN_DESCRIPTOR } from './messages.ts';
import type { AskMessage, ReplyMessage } from './messages.ts';
import { Lines, fromLine, isOperation, readAsk, toLine } from './wire.ts';

const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;
const CHUNK_BYTES = 64 * 1024;

/** Runs until the channel closes. It has nothing to do but to wait for the next question, so it waits in the read itself. */
export function runHelper(): void {
  if (process.argv.at(-1) !== CHANNEL_ARGUMENT) {
    throw new RolesAnywhereError('ERR_PKCS11_HELPER', 'this is a helper program, and is not run by hand');
  }
  let engine: Engine | undefined;
  // A Ctrl-C and a service manager's stop reach the whole group; the parent decides when the helper is done.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  send({ ready: VERSION });
  for (const line of asked()) {
    engine ??= start();
    send(reply(engine, toAsk(line)));
  }
  engine?.close();
  process.exit(0);
}

/** The lines that come through the channel, until it ends. */
function* asked(): Generator<Uint8Array> {
  const lines = new Lines();
  const chunk = Buffer.alloc(CHUNK_BYTES);
  for (let count = readChannel(chunk); count > 0; count = readChannel(chunk))
    yield* lines.push(chunk.subarray(0, count));
}

/** 0 at the end, which may come as an error: the parent is gone, or has thrown away what was under way. */
function readChannel(chunk: Uint8Array): number {
  try {
    return readSome(CHANNEL_DESCRIPTOR, chunk);
  } catch {
    return 0;
  }
}

function toAsk(line: Uint8Array): AskMessage {
  const message = fromLine(line);
  if (typeof message !== 'object' || message === null) throw new TypeError('no question');
  const { id, operation, ask, pinBytes } = { id: 0, operation: '', ask: {}, pinBytes: undefined, ...message };
  if (!isOperation(operation)) throw new TypeError('no question');
  return { id, operation, ask: readAsk(operation, ask), pinBytes };
}

function start(): Engine | undefined {
  try {
    const binding = loadBinding();
    dieWithParent(binding);
    return new Engine(binding);
  } catch {
    return undefined; // said again, with its reason, in the answer
  }
}

function reply(engine: Engine | undefined, { id, operation, ask, pinBytes }: AskMessage): ReplyMessage {
  const pin = pinBytes === undefined ? undefined : readPin(pinBytes);
  try {
    const whole = pin === undefined ? ask : { ...ask, pin };
    return { id, answer: (engine ?? new Engine(loadBinding())).answer(operation, whole) };
  } catch (error) {
    return { id, failure: toFailure(error) };
  } finally {
    pin?.fill(0);
  }
}

function readPin(length: number): Uint8Array {
  const pin = secretBytes(length);
  for (let at = 0; at < length;) {
    const count = readSome(PIN_DESCRIPTOR, pin.subarray(at));
    if (count === 0) process.exit(0); // the parent is gone
    at += count;
  }
  return pin;
}

function send(message: ReplyMessage): void {
  const line = toLine('answer' in message ? { ...message, answer: message.answer ?? null } : message);
  for (let at = 0; at < line.length;) {
    try {
      at += writeSync(CHANNEL_DESCRIPTOR, line, at);
    } catch (error) {
      // The parent is gone, or has given this helper up.
      if (systemCode(error) !== 'EAGAIN') process.exit(0);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

/** While a module hangs, the end of the channel cannot be seen: on Linux, the kernel sees to it. */
function dieWithParent(binding: Binding): void {
  if (process.platform !== 'linux') return;
  const prctl = binding.load(null).func('prctl', 'int', ['int', 'ulong', 'ulong', 'ulong', 'ulong']);
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}
