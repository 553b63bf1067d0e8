/** What takes other processes, or seconds. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PinGuard } from '../../../src/identity/pkcs11/pin-guard.ts';
import { refusalCode } from '../../support/refusal.ts';

const token = { label: 't', manufacturer: 'm', model: 'o', serial: '1', flags: 0 };
const pin = { bytes: Buffer.from('1234') };
const source = { key: 'environment:X', description: 'X' };

describe('the guard', () => {
  let directory: string;
  let logins: string[];
  beforeEach(() => {
    directory = join(mkdtempSync(join(tmpdir(), 'guard-')), 'pins');
    logins = [];
  });
  afterEach(() => rmSync(join(directory, '..'), { recursive: true }));

  it('takes a login in which the process died for one of unknown end', async () => {
    const code = `
      import { PinGuard } from ${JSON.stringify(fileURLToPath(new URL('../../../src/identity/pkcs11/pin-guard.ts', import.meta.url)))};
      const pin = { bytes: Buffer.from('1234') };
      const source = { key: 'environment:X', description: 'X', read: async () => pin };
      const guard = new PinGuard({ directory: ${JSON.stringify(directory)} });
      await guard.present(${JSON.stringify(token)}, 'user', source, pin, async () => process.exit(0), () => 'accepted');`;
    const runTs = fileURLToPath(new URL('../../../scripts/run-ts.mjs', import.meta.url));
    const file = join(directory, '..', 'dies.ts');
    writeFileSync(file, code);
    for (let time = 0; time < 2; time += 1) execFileSync(process.execPath, [runTs, file]);
    const name = readdirSync(directory).find((entry) => entry.endsWith('.json'));
    const record = JSON.parse(readFileSync(join(directory, name ?? ''), 'utf8')) as Record<string, unknown>;
    expect(record['doubt']).toMatchObject({ count: 2 });
    const login = () =>
      new PinGuard({ directory }).present(
        token,
        'user',
        source,
        pin,
        async () => void logins.push('1234'),
        () => 'accepted',
      );
    expect(await refusalCode(login)).toBe('ERR_PIN_WITHHELD');
    expect(logins).toEqual([]);
  });

  it('waits for as long as others come and go, however many they are', async () => {
    const slow = (name: string) => {
      const guard = new PinGuard({ directory, waitMs: 1000, pollMs: 1 });
      const body = async () => {
        await new Promise((resolve) => setTimeout(resolve, 250));
        logins.push(name);
      };
      return guard.present(token, 'user', source, pin, body, () => 'unknown');
    };
    await Promise.all(Array.from({ length: 14 }, (_, index) => slow(String(index))));
    expect(logins).toHaveLength(14);
  });
});
