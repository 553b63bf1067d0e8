// Tests: test/console/console.heavy.test.ts
/** What the views share: the server's facts, and what its stream of events has told. */
import { useEffect, useState } from 'preact/hooks';
import type { Health, Minute, NumberedRow, Overview } from '../api.ts';
import { ApiError, api, follow } from './api.ts';

/** How the stream is: `lost` while the server does not answer. */
export type Link = 'opening' | 'live' | 'lost';

export interface Told {
  readonly rows: readonly NumberedRow[];
  readonly skipped: number;
  readonly minutes: readonly Minute[];
  readonly health: Health | undefined;
  readonly link: Link;
}

const MAX_ROWS = 5000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 8000;

/** Follows the server while the page is unlocked. */
export function useTold(onIdentity: () => void, onLocked: (restarted: boolean) => void): Told {
  const [told, setTold] = useState<Told>({ rows: [], skipped: 0, minutes: [], health: undefined, link: 'opening' });
  useEffect(() => {
    const end = new AbortController();
    const run = async (): Promise<void> => {
      let retry = FIRST_RETRY_MS;
      while (!end.signal.aborted) {
        let locked = false;
        let first = true;
        try {
          await follow((message) => {
            retry = FIRST_RETRY_MS;
            switch (message.type) {
              case 'rows': {
                // A stream that begins tells everything anew.
                const anew = first;
                setTold((before) => ({
                  ...before,
                  link: 'live',
                  rows: (anew ? message.rows : [...before.rows, ...message.rows]).slice(-MAX_ROWS),
                  skipped: anew ? 0 : before.skipped + message.skipped,
                }));
                first = false;
                break;
              }
              case 'minutes':
                setTold((before) => ({ ...before, link: 'live', minutes: message.minutes }));
                break;
              case 'health':
                setTold((before) => ({ ...before, link: 'live', health: message.health }));
                break;
              case 'identity':
                onIdentity();
                break;
              case 'locked':
                locked = true;
                break;
            }
          }, end.signal);
        } catch (error) {
          if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return onLocked(true);
        }
        if (locked) return onLocked(false);
        if (end.signal.aborted) return;
        setTold((before) => ({ ...before, link: 'lost' }));
        await new Promise((resolve) => setTimeout(resolve, retry));
        retry = Math.min(LONGEST_RETRY_MS, retry * 2);
      }
    };
    void run();
    return () => end.abort();
  }, []);
  return told;
}

/** The server's facts, and how to ask for them again. */
export function useOverview(onLocked: () => void): [Overview | undefined, () => void] {
  const [overview, setOverview] = useState<Overview | undefined>(undefined);
  const load = (): void => {
    api.overview().then(setOverview, (error: unknown) => {
      if (error instanceof ApiError && error.status === 401) onLocked();
    });
  };
  useEffect(load, []);
  return [overview, load];
}
