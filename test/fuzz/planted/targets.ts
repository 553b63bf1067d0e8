/** Targets with a fault each, to see that the fuzzer finds every kind of fault. Input by input, from a seed of one byte. */
import { RolesAnywhereError } from '../../../src/platform/errors.ts';
import { Broken, type OpenTarget, check } from '../harness/target.ts';

/** Whether an input is more than the seed: faults are for mutation to find. */
const isChanged = (input: Uint8Array): boolean => input.length !== 1 || input[0] !== 0x61;

const plant =
  (run: (input: Uint8Array) => unknown): OpenTarget =>
  () => ({ seeds: ['a'], secrets: ['correct-horse-battery-staple'], run });

const kept: Uint8Array[] = [];

/** Takes so much of the processor. */
function work(milliseconds: number): void {
  const before = process.cpuUsage();
  for (let spent = 0; spent < milliseconds;) {
    const { user, system } = process.cpuUsage(before);
    spent = (user + system) / 1000;
  }
}

let heavy: string | undefined;

export const TARGETS: Readonly<Record<string, OpenTarget>> = {
  sound: plant((input) => {
    if (isChanged(input)) throw new RolesAnywhereError('ERR_USAGE', 'no');
  }),
  'type-error': plant((input) => {
    if (isChanged(input)) throw new TypeError('cannot read properties of undefined');
  }),
  broken: plant((input) => check(!isChanged(input), 'something that must hold')),
  difference: () => {
    const asked: Uint8Array[] = [];
    return {
      seeds: ['a'],
      run: (input) => void asked.push(input),
      settle: () =>
        Promise.resolve(
          asked
            .splice(0)
            .filter(isChanged)
            .map((input) => ({ input, error: new Broken('a second reader differs') })),
        ),
    };
  },
  secret: plant((input) => {
    const cause = new Error('it was correct-horse-battery');
    if (isChanged(input)) throw new RolesAnywhereError('ERR_USAGE', 'no', { cause });
  }),
  rejection: plant((input) => {
    if (isChanged(input)) void Promise.reject(new Error('nobody waits for this'));
  }),
  endless: plant((input) => {
    while (isChanged(input));
  }),
  slow: plant((input) => {
    if (isChanged(input)) work(1200);
  }),
  // Less than a hang: it is timed three times more, which must not be taken for one run.
  sluggish: plant((input) => {
    const text = Buffer.from(input).toString('latin1');
    if (isChanged(input) && text === (heavy ??= text)) work(700);
  }),
  memory: plant((input) => {
    if (isChanged(input) && kept.length < 40) kept.push(new Uint8Array(32 << 20).fill(1));
  }),
  exit: plant((input) => {
    if (isChanged(input)) process.exit(3);
  }),
  skipped: () => 'its tool is not there',
};
