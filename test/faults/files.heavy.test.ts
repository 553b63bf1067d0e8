/**
 * Commands that are killed at every call that changes a file, whose every such call fails in turn, and whose certificate and
 * key are replaced, or cut short, at every call that reads them.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PKI } from '../support/cli.ts';
import { requireTool } from '../support/tools.ts';
import { COMMANDS, type Command, FILES, type FilesFault, expectedOf } from './matrix.ts';
import { type AtCall, buildAtCall } from './support/at-call.ts';
import { type Run, observe } from './support/run.ts';
import { type World, makeWorld } from './support/world.ts';

const LONG = process.env['ROLES_ANYWHERE_LONG'] === '1';
/** Runs at a time. */
const AT_ONCE = 4;

/** A call for each fault; those of the `fails` rows also by the reason that the system gives. */
const DOES = {
  killed: ['kill', 'killed'],
  'no-room': [`fail ${constants.errno.ENOSPC}`],
  'io-error': [`fail ${constants.errno.EIO}`],
  replaced: ['replace'],
  cut: ['cut'],
} as const satisfies Record<FilesFault, readonly string[]>;

let world: World;
let atCall: AtCall;
beforeAll(async () => {
  world = await makeWorld();
  atCall = buildAtCall(world.folder);
});
afterAll(() => world.close());

/** Runs a command with something happening at one of its calls; with 0, only counts them. */
async function at(call: number, does: string, command: Command, count?: string): Promise<string> {
  const place = mkdtempSync(join(world.folder, 'at-'));
  const reads = does === 'replace' || does === 'cut';
  const isState = command === 'emulator';
  const identity = reads && !isState ? twoIdentities(place) : undefined;
  const under = isState ? join(place, 'state') : reads ? join(place, 'identity') : place;
  const est = command === 'renew' ? await world.startEst() : undefined;
  const run: Run = {
    world,
    endpoint: est?.origin ?? world.emulator.tlsUrl ?? '',
    place,
    identity,
    beforeStart: true,
    env: atCall.env({ under, reads, call, does, from: join(place, 'next'), count }),
  };
  try {
    return await observe(command, run);
  } finally {
    await est?.close();
    rmSync(place, { recursive: true, force: true });
  }
}

/** An identity in files, and another one in files of the same names. */
function twoIdentities(place: string): { certificate: string; privateKey: string } {
  for (const [folder, kind] of [
    ['identity', 'ec-p256'],
    ['next', 'rsa-2048'],
  ] as const) {
    mkdirSync(join(place, folder));
    copyFileSync(`${PKI}${kind}.crt.pem`, join(place, folder, 'crt.pem'));
    copyFileSync(`${PKI}${kind}.key.pem`, join(place, folder, 'key.pem'));
  }
  return { certificate: join(place, 'identity/crt.pem'), privateKey: join(place, 'identity/key.pem') };
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys are those of the type
const FAULTS = Object.keys(FILES) as FilesFault[];

const PAIRS = FAULTS.flatMap((fault) =>
  COMMANDS.filter((command) => expectedOf('files', fault, command) !== '-').map((command) => ({
    fault,
    command,
    words: FILES[fault],
  })),
);

describe.skipIf(!requireTool('gcc'))('at every call to the system', () => {
  it.each(PAIRS)(
    '$words: $command',
    async ({ fault, command }) => {
      const counted = join(world.folder, `${fault}-${command}`);
      expect(await at(0, DOES[fault][0], command, counted)).toBe('right');
      const calls = Number(readFileSync(counted, 'utf8'));
      expect(calls).toBeGreaterThan(1);
      const all = DOES[fault].flatMap((does) =>
        Array.from({ length: calls }, (_, index) => ({ call: index + 1, does })),
      );
      const chosen = LONG ? all : all.filter((_, index) => index % Math.ceil(all.length / shortOf(command)) === 0);
      const seen: string[] = [];
      for (let from = 0; from < chosen.length; from += AT_ONCE)
        seen.push(
          ...(await Promise.all(chosen.slice(from, from + AT_ONCE).map(({ call, does }) => at(call, does, command)))),
        );
      const isExpected =
        expectedOf('files', fault, command) === 'right'
          ? /^right$/
          : /^(?:right|right, warned|none|kept|kept ERR_[A-Z0-9_]+|ERR_[A-Z0-9_]+)$/;
      expect(seen.filter((one) => !isExpected.test(one))).toEqual([]);
      console.log(`${fault} ${command}: ${calls} calls, ${chosen.length} runs: ${tally(seen)}`);
    },
    600_000,
  );
});

/** How many runs of the short form. The files of `init` are also those of writers.heavy.test.ts. */
function shortOf(command: Command): number {
  return command === 'init' || command === 'emulator' ? 5 : 10;
}

function tally(seen: readonly string[]): string {
  return [...new Set(seen)]
    .toSorted()
    .map((one) => `${one} ${seen.filter((other) => other === one).length}`)
    .join(', ');
}
