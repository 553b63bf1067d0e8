/** The context: everything that an operation is given beside the request. */
// Tests: test/emulator/emulator.test.ts
import type { SessionTokens } from '../callers/sessions.ts';
import type { State } from '../state/state.ts';
import type { Throttle } from './throttle.ts';

export interface EmulatorContext {
  /** Read it and change it with {@link State.apply}; the router waits until changes are kept before it answers. */
  readonly state: State;
  readonly tokens: SessionTokens;
  /** The endpoint's region. */
  readonly region: string;
  /** The emulator's clock. */
  readonly now: () => Date;
  readonly throttle: Throttle;
}

/** The context of one request. */
export interface RequestContext extends EmulatorContext {
  readonly requestId: string;
}
