/** AWS's helper and this program under its name, over one table of command lines: the same but for what is listed. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DIFFERENCES, type Difference } from '../../scripts/differences.ts';
import { hasSoftHsm } from '../support/softhsm.ts';
import { LINES } from './lines/all.ts';
import { ROUTES } from './routes.ts';
import { mismatches, runBoth, type World } from './support/compare.ts';
import { findHelper } from './support/helper.ts';
import { makeWorld } from './support/world.ts';

const helper = await findHelper();
const tokens = hasSoftHsm();

describe.skipIf(helper === undefined)("AWS's helper and this program", () => {
  let world: World & { end: () => Promise<void> };
  beforeAll(async () => {
    world = await makeWorld(helper ?? '', tokens);
  }, 60_000);
  afterAll(() => world.end());

  describe.each(Object.entries(LINES))('%s', (area, lines) => {
    // SoftHSM rewrites a token at each login, and whoever reads it meanwhile sees none: one after the other.
    const inTokens = tokens ? it : it.skip;
    const run = area === 'keys in tokens' ? inTokens : it.concurrent;
    run.each(lines.map((line) => [line.name, line] as const))(
      '%s',
      async (_name, line) => {
        expect(mismatches(line, await runBoth(line, world)).join('\n')).toBe('');
      },
      60_000,
    );
  });
});

describe('the list of differences', () => {
  it('is shown by at least one line each, or says why not', () => {
    const shown = [...Object.values(LINES).flat(), ...ROUTES].flatMap(({ differs }) => differs?.by ?? []);
    const unshown = Object.entries<Difference>(DIFFERENCES).filter(([, { unshown: why }]) => why === undefined);
    expect(unshown.map(([id]) => id).filter((id) => !shown.some((by) => by === id))).toEqual([]);
  });

  it('is compared over at least 150 lines', () => {
    expect(Object.values(LINES).flat().length).toBeGreaterThanOrEqual(150);
  });

  it('has no two lines of one name', () => {
    const names = Object.values(LINES)
      .flat()
      .map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });
});
