/** AWS's helper and this program under its name, over one table of command lines: the same but for what is listed. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DIFFERENCES, type Difference } from '../../scripts/differences.ts';
import { hasSoftHsm } from '../support/softhsm.ts';
import { LINES } from './lines/all.ts';
import { TOKEN_LINES } from './lines/tokens.ts';
import { ROUTES } from './routes.ts';
import { mismatches, runBoth, type Line, type World } from './support/compare.ts';
import { findHelper } from './support/helper.ts';
import { makeWorld } from './support/world.ts';

const helper = await findHelper();
const tokens = hasSoftHsm();

/** A service that fails is asked three times, and AWS's helper waits for seconds between. */
const LINE_MS = 60_000;

function named(lines: readonly Line[]): (readonly [string, Line])[] {
  return lines.map((line) => [line.name, line]);
}

/** The whole table. */
const ALL = [...Object.values(LINES).flat(), ...TOKEN_LINES];

describe.skipIf(helper === undefined)("AWS's helper and this program", () => {
  let world: World & { end: () => Promise<void> };
  beforeAll(async () => {
    world = await makeWorld(helper ?? '', tokens);
  }, 60_000);
  afterAll(() => world.end());

  /** What is not as the line says; empty when all is. */
  const mismatchesOf = async (line: Line): Promise<string> => mismatches(line, await runBoth(line, world)).join('\n');

  describe.each(Object.entries(LINES))('%s', (_area, lines) => {
    it.concurrent.each(named(lines))(
      '%s',
      async (_name, line) => {
        expect(await mismatchesOf(line)).toBe('');
      },
      LINE_MS,
    );
  });

  // SoftHSM rewrites a token at each login, and whoever reads it meanwhile sees none: one after the other.
  describe.skipIf(!tokens)('keys in tokens', () => {
    it.each(named(TOKEN_LINES))(
      '%s',
      async (_name, line) => {
        expect(await mismatchesOf(line)).toBe('');
      },
      LINE_MS,
    );
  });
});

describe('the list of differences', () => {
  it('is shown by at least one line each, or says why not', () => {
    const shown = [...ALL, ...ROUTES].flatMap(({ differs }) => differs?.by ?? []);
    const unshown = Object.entries<Difference>(DIFFERENCES).filter(([, { unshown: why }]) => why === undefined);
    expect(unshown.map(([id]) => id).filter((id) => !shown.some((by) => by === id))).toEqual([]);
  });

  it('is compared over at least 150 lines', () => {
    expect(ALL.length).toBeGreaterThanOrEqual(150);
  });

  it('has no two lines of one name', () => {
    const names = ALL.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });
});
