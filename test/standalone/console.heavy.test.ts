import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { identityFlags, startServe } from '../clients/serve-process.ts';
import { requireStandalone, STANDALONE } from '../support/standalone.ts';
import { startTestEmulator } from '../support/vending.ts';

describe.runIf(requireStandalone())('the web console of the standalone executable', () => {
  let emulator: Emulator;
  beforeAll(async () => {
    emulator = await startTestEmulator();
  });
  afterAll(() => emulator.close());

  it('has its page inside: whatever folder of the machine it came from would get what the page is trusted with', async () => {
    const serve = await startServe([...identityFlags(emulator), '--port', '0', '--console'], { program: [STANDALONE] });
    try {
      const [link = ''] = /http:\/\/\S+\/console\S*/.exec(serve.log()) ?? [];
      const page = new URL(link);
      for (const name of ['index.html', 'app.js', 'app.css', 'icon.svg']) {
        page.pathname = name === 'index.html' ? '/console' : `/console/${name}`;
        const answer = await fetch(page);
        const built = readFileSync(new URL(`../../dist/console/${name}`, import.meta.url), 'utf8');
        expect([answer.status, await answer.text()]).toEqual([200, built]);
      }
    } finally {
      serve.kill('SIGTERM');
      await serve.exited;
    }
  });
});
