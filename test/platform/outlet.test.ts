import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openOutlet } from '../../src/platform/outlet.ts';
import { FakeClock } from '../support/fake-clock.ts';

/** A reader that takes `room` bytes and no more until it is given some. */
function reader(room: number): {
  write: (bytes: Uint8Array) => number;
  taken: () => string;
  give: (more: number) => void;
} {
  let taken = '';
  return {
    write(bytes) {
      const count = Math.min(room, bytes.length);
      room -= count;
      taken += Buffer.from(bytes.subarray(0, count)).toString();
      return count;
    },
    taken: () => taken,
    give: (more) => (room += more),
  };
}

describe('an outlet', () => {
  it('writes a line that was taken in part to its end before anything else', async () => {
    const clock = new FakeClock();
    const { write, taken, give } = reader(4);
    const outlet = openOutlet(2, { write, clock });
    outlet.write('first line\n');
    outlet.write('second line\n');
    expect(taken()).toBe('firs');
    give(1000);
    await clock.advance(100);
    expect(taken()).toBe('first line\nsecond line\n');
  });

  it('drops whole lines beyond its bound, and says how many when there is room', async () => {
    const clock = new FakeClock();
    const { write, taken, give } = reader(3);
    const outlet = openOutlet(2, { write, clock, maxBytes: 20, dropped: (lines) => `${lines} dropped\n` });
    for (const line of ['one 1234\n', 'two 1234\n', 'three 1234\n', 'four 1234\n']) outlet.write(line);
    give(1000);
    await clock.advance(100);
    outlet.write('five\n');
    expect(taken()).toBe('one 1234\ntwo 1234\n2 dropped\nfive\n');
  });

  it('keeps what is to be kept, however much waits', async () => {
    const clock = new FakeClock();
    const { write, taken, give } = reader(0);
    const outlet = openOutlet(1, { write, clock, maxBytes: 4 });
    outlet.write('a result\n', true);
    outlet.write('another\n', true);
    give(1000);
    await clock.advance(100);
    expect(taken()).toBe('a result\nanother\n');
  });

  it('does not wait for a full pipe, and leaves the flags that others share as they were', () => {
    const dir = mkdtempSync(join(tmpdir(), 'ra-outlet-'));
    try {
      const path = join(dir, 'pipe');
      execFileSync('mkfifo', [path]);
      const both = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
      const inherited = openSync(path, constants.O_WRONLY);
      expect(() => {
        for (;;) writeSync(both, Buffer.alloc(4096));
      }).toThrow('EAGAIN');
      openOutlet(inherited).write('a line that nobody reads\n');
      readSync(both, Buffer.alloc(65_536));
      openOutlet(inherited).write('another line\n');
      const chunk = Buffer.alloc(100);
      expect(chunk.subarray(0, readSync(both, chunk)).toString()).toBe('another line\n');
      closeSync(both);
      closeSync(inherited);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
