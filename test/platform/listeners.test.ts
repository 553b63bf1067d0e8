import { describe, expect, it } from 'vitest';
import { tell } from '../../src/platform/listeners.ts';

describe('a listener', () => {
  it('is called with what it is told', () => {
    const heard: unknown[] = [];
    tell((...what: [string, number]) => heard.push(what), 'a', 1);
    tell(undefined);
    expect(heard).toEqual([['a', 1]]);
  });

  it('may throw, or reject, and nobody notices', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    tell(() => {
      throw new Error('thrown');
    });
    tell(async () => await Promise.reject(new Error('rejected')));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
});
