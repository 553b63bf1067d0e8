import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Pki, makePki } from '../../certs-dev/pki.ts';

/** A PKI of its own, as fresh as the clock: leaves that are out of their time by days, and not by months. */
export async function freshPki(): Promise<{ pki: Pki; path: (name: string) => string; remove: () => void }> {
  const dir = mkdtempSync(join(tmpdir(), 'ra-bad-leaves-'));
  const pki = await makePki(join(dir, 'out'), { kinds: ['ec-p256'] });
  return { pki, path: (name) => join(dir, 'out', name), remove: () => rmSync(dir, { recursive: true }) };
}
