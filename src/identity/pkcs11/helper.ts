/**
 * The helper program: keeps a PKCS#11 module in a process of its own, so that
 * a module that crashes or hangs takes nothing else with it. It is started by
 * bridge.ts, answers what comes through the channel, and ends with it.
 */
// Tests: test/identity/pkcs11/bridge.test.ts
import process from 'node:process';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { readSome, secretBytes } from '../../platform/files.ts';
import { VERSION } from '../../platform/version.ts';
import { loadBinding } from './binding.ts';
import type { Binding } from './binding.ts';
import { Engine } from './engine.ts';
import { toFailure } from './failures.ts';
import { PIN_DESCRIPTOR } from './messages.ts';
import type { AskMessage, ReplyMessage } from './messages.ts';

const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

/** Runs until the channel closes. */
export function runHelper(): void {
  if (process.send === undefined) {
    throw new RolesAnywhereError('ERR_PKCS11_HELPER', 'this is a helper program, and is not run by hand');
  }
  let engine: Engine | undefined;
  process.on('message', (message: AskMessage) => {
    engine ??= start();
    send(reply(engine, message));
  });
  process.on('disconnect', () => {
    engine?.close();
    process.exit(0);
  });
  // A Ctrl-C and a service manager's stop reach the whole group; the parent decides when the helper is done.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
  send({ ready: VERSION });
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
  // An error means that the parent is gone; `disconnect` ends this process.
  process.send?.(message, undefined, {}, () => undefined);
}

/** While a module hangs, the end of the channel cannot be seen: on Linux, the kernel sees to it. */
function dieWithParent(binding: Binding): void {
  if (process.platform !== 'linux') return;
  const prctl = binding.load(null).func('prctl', 'int', ['int', 'ulong', 'ulong', 'ulong', 'ulong']);
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}
