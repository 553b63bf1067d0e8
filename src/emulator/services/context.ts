/** The context: everything that an operation is given beside the request. */
// Tests: test/emulator/emulator.test.ts
import type { ReceivedRequest } from '../wire/received.ts';
import type { SessionTokens } from '../callers/sessions.ts';
import type { State } from '../state/state.ts';
import type { Throttle } from './throttle.ts';

/** @param member its path in the input, such as `source.sourceType` */
export type OnUnknownMember = (operation: string, member: string) => void;

export interface EmulatorContext {
  /** Read it and change it with {@link State.apply}; the router waits until changes are kept before it answers. */
  readonly state: State;
  readonly tokens: SessionTokens;
  /** The endpoint's region. */
  readonly region: string;
  /** The emulator's clock. */
  readonly now: () => Date;
  readonly throttle: Throttle;
  /** Told of members of an input that are not known here, so that what is new in a service is noticed. */
  readonly onUnknownMember: OnUnknownMember;
}

/** The context of one request. */
export interface RequestContext extends EmulatorContext {
  readonly requestId: string;
  readonly request: ReceivedRequest;
}
