/** Every command under every fault between it and the service, as the matrix expects it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS, NETWORK, type Command, type NetworkFault, expectedOf } from './matrix.ts';
import { type WireFault, startFaultProxy } from './support/fault-proxy.ts';
import { observe } from './support/run.ts';
import { type World, makeWorld } from './support/world.ts';

const LONG = process.env['ROLES_ANYWHERE_LONG'] === '1';
/** The times that each fault is made for each command. */
const TIMES = LONG ? 10 : 1;

const WIRE: Readonly<Partial<Record<NetworkFault, WireFault>>> = {
  late: { delayMs: 50 },
  bytewise: { pieceBytes: 1 },
  slow: { pieceBytes: 80, delayMs: 10 },
  'end-0': { at: 0, does: 'end' },
  'reset-0': { at: 0, does: 'reset' },
  'end-handshake': { at: 'handshake', does: 'end' },
  'reset-handshake': { at: 'handshake', does: 'reset' },
  'end-answer': { at: 'answer', does: 'end' },
  'reset-answer': { at: 'answer', does: 'reset' },
  'stall-0': { at: 0, does: 'stall' },
  'stall-handshake': { at: 'handshake', does: 'stall' },
  'stall-answer': { at: 'answer', does: 'stall' },
  'corrupt-handshake': { at: 'handshake', does: 'corrupt' },
  'corrupt-answer': { at: 'answer', does: 'corrupt' },
  reorder: { at: 'handshake', does: 'reorder' },
  'reset-once': { at: 'answer', does: 'reset', connections: 1 },
};

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world.close());

async function outcome(fault: NetworkFault, command: Command): Promise<string> {
  const est = command === 'renew' ? await world.startEst() : undefined;
  const proxy = await startFaultProxy(est?.port ?? world.ports.service);
  let gone = false;
  try {
    return await observe(command, {
      world,
      endpoint: `https://localhost:${proxy.port}`,
      timeout: fault.startsWith('stall') ? 2 : 20,
      async begin() {
        if (fault === 'refused') {
          gone = true;
          await proxy.close();
        } else if (fault === 'expired' || fault === 'other-name' || fault === 'other-authority') {
          proxy.leadTo(world.ports[fault]);
        } else {
          proxy.set(WIRE[fault]);
        }
      },
    });
  } finally {
    if (!gone) await proxy.close();
    await est?.close();
  }
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys are those of the type
const FAULTS = Object.keys(NETWORK) as NetworkFault[];

/** What the test of a CA that says nothing costs is half a minute, which no flag changes: it is in the long form. */
const PAIRS = FAULTS.flatMap((fault) => COMMANDS.map((command) => ({ fault, command, words: NETWORK[fault] })))
  .filter(({ fault, command }) => expectedOf('network', fault, command) !== '-')
  .filter(({ fault, command }) => LONG || command !== 'renew' || !/^stall-(?:0|answer)/.test(fault));

describe(`each command under each fault, ${TIMES} times`, () => {
  it.concurrent.each(PAIRS)(
    '$words: $command',
    async ({ fault, command }) => {
      for (let time = 0; time < TIMES; time++)
        expect(await outcome(fault, command)).toBe(expectedOf('network', fault, command));
    },
    LONG ? 600_000 : 120_000,
  );
});
