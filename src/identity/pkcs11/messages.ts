/** What goes through the channel between a process and its helper. */
// Tests: test/identity/pkcs11/bridge.test.ts
import type { Failure, Operation, Operations } from './port.ts';

export interface AskMessage<O extends Operation = Operation> {
  id: number;
  operation: O;
  ask: Operations[O]['ask'];
}

export type ReplyMessage =
  /** The first: the helper runs, and is of this version. */
  { ready: string } | { id: number; answer: unknown } | { id: number; failure: Failure };
