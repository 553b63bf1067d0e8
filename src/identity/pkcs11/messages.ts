/** What goes through the channel between a process and its helper; wire.ts has the form of it. */
// Tests: test/identity/pkcs11/bridge.test.ts
import type { Failure, Operation, Operations } from './port.ts';

export interface AskMessage<O extends Operation = Operation> {
  id: number;
  operation: O;
  /** Without its PIN. */
  ask: Operations[O]['ask'];
  /** So many bytes of the PIN come through {@link PIN_DESCRIPTOR}: what goes through the channel leaves copies behind. */
  pinBytes?: number | undefined;
}

/**
 * The helper's end of the channel. It is not Node's own, whose reader throws in the process that asks at what is no
 * message of Node's: a module can write into any descriptor of its process.
 */
export const CHANNEL_DESCRIPTOR = 3;

/** The helper's end of the pipe that PINs come through. */
export const PIN_DESCRIPTOR = 4;

/** Tells the helper that it has been started with the two. */
export const CHANNEL_ARGUMENT = '--channel';

/** The longest words of a failure that are passed on. */
const MAX_FAILURE_LENGTH = 16 * 1024;

export type ReplyMessage =
  /** The first: the helper runs, and is of this version. */
  { ready: string } | { id: number; answer: unknown } | { id: number; failure: Failure };

/**
 * A message of the helper, if it is one: a module that has written over the helper's memory may send anything, and the
 * process that asks is to outlive it.
 */
export function readReply(message: unknown): ReplyMessage | undefined {
  if (!isObject(message)) return undefined;
  const { ready, id, failure } = message;
  if (typeof ready === 'string') return { ready };
  if (typeof id !== 'number') return undefined;
  if (Object.hasOwn(message, 'answer')) return { id, answer: message['answer'] };
  return isFailure(failure) ? { id, failure } : undefined;
}

function isFailure(value: unknown): value is Failure {
  if (!isObject(value)) return false;
  const { kind, error } = value;
  if (kind === 'cryptoki') return hasTexts(value, 'function') && typeof value['returnValue'] === 'number';
  if (kind === 'not-found' || kind === 'not-cryptoki') return hasTexts(value, 'library', 'reason');
  if (kind === 'unexpected') return hasTexts(value, 'message');
  if (kind !== 'error' || !isObject(error) || !hasTexts(error, 'code', 'message')) return false;
  return error['hint'] === undefined || hasTexts(error, 'hint');
}

function hasTexts(holder: { readonly [name: string]: unknown }, ...names: readonly string[]): boolean {
  return names.every((name) => {
    const text = holder[name];
    return typeof text === 'string' && text.length <= MAX_FAILURE_LENGTH;
  });
}

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null;
}
