/** Half a minute of `npm run soak`, which takes an hour. */
import { describe, expect, it } from 'vitest';
import { hasSoftHsm } from '../support/softhsm.ts';
import { requireTool } from '../support/tools.ts';
import { hasSimulator } from '../support/tpm/simulator.ts';
import { soak } from './soak.ts';
import { growthIn } from './watch.ts';

describe.runIf([hasSoftHsm(), hasSimulator(), requireTool('faketime')].every(Boolean))('a soak', () => {
  it('gives no wrong answer under faults, rotations and clock steps', { timeout: 300_000 }, async () => {
    const lines: string[] = [];
    const { wrong, ...counts } = await soak({
      seed: 20261129,
      seconds: 30,
      clients: 200,
      pace: 0.15,
      print: (line) => void lines.push(line),
    });
    console.log(lines.join('\n'), JSON.stringify(counts));
    expect(wrong).toBeUndefined();
    expect(counts.given).toBeGreaterThan(200);
    expect(counts.refused).toBeGreaterThan(0);
    expect(counts.faults + counts.rotations + counts.renewals).toBeGreaterThan(10);
    expect(counts.sets).toBeGreaterThanOrEqual(20);
  });
});

describe('growth', () => {
  const steady = Array.from({ length: 16 }, () => ({ rssMiB: 60, descriptors: 40, listeners: 2 }));

  it('is none where memory, descriptors and listeners stay', () => {
    expect(growthIn(steady)).toBeUndefined();
  });

  it.each([
    ['memory', { rssMiB: 100, descriptors: 40, listeners: 2 }],
    ['descriptors', { rssMiB: 60, descriptors: 90, listeners: 2 }],
    ['listeners', { rssMiB: 60, descriptors: 40, listeners: 3 }],
  ])('of %s is told', (what, last) => {
    expect(growthIn([...steady.slice(4), last, last, last, last])).toMatch(`${what}:`);
  });
});
