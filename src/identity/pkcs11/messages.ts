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
