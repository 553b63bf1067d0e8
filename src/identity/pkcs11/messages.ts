/** What goes through the channel between a process and its helper. */
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

/** The helper's end of the pipe that PINs come through. */
export const PIN_DESCRIPTOR = 4;

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
  return names.every((name) => typeof holder[name] === 'string');
}

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null;
}
