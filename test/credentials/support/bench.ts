/** A provider on a fake clock, with a service that does what the test says. */
import { createProvider } from '../../../src/credentials/refresher.ts';
import type { CredentialsProvider, ProviderEvent, ProviderOptions } from '../../../src/credentials/provider.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { ScriptedService } from './scripted-service.ts';

interface Bench {
  clock: FakeClock;
  service: ScriptedService;
  provider: CredentialsProvider;
  events: ProviderEvent[];
  /** Types of the events so far; the list begins anew. */
  took: () => string[];
}

export function bench(options: Partial<ProviderOptions> & { lifeMs?: number; delayMs?: number } = {}): Bench {
  const clock = new FakeClock();
  const { lifeMs, delayMs, ...rest } = options;
  const service = new ScriptedService(clock, lifeMs, delayMs);
  const provider = createProvider({ vend: service.vend, clock, random: () => 0, ...rest });
  const events: ProviderEvent[] = [];
  provider.subscribe((event) => events.push(event));
  return { clock, service, provider, events, took: () => events.splice(0).map(({ type }) => type) };
}

/** A bench with its first set in hand. */
export async function started(options: Parameters<typeof bench>[0] = {}): Promise<Bench> {
  const made = bench(options);
  const ready = made.provider.start();
  await made.clock.advance(options.delayMs ?? 0);
  await ready;
  made.took();
  return made;
}

/** What a promise rejects with; handled from now on, looked at later. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}
