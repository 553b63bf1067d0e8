/** What the executable's hot path loads, counted: its code is run by Node, with the few calls of its own runtime given by Node's modules. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleStandalone } from '../../scripts/build/standalone-bundle.mjs';
import { PKI, runProgram } from '../support/cli.ts';
import { startAnswering } from './support/answering.ts';
import type { Answering } from './support/answering.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const RECORDER = new URL('support/record-loads.mjs', import.meta.url).href;

describe('what the executable loads', () => {
  let code: string;
  let answering: Answering | undefined;
  beforeAll(async () => {
    code = mkdtempSync(join(tmpdir(), 'ra-standalone-code-'));
    await bundleStandalone(ROOT, code, '0.0.0', { KOFFI_SHA256: '' });
    writeFileSync(join(code, 'package.json'), '{ "type": "module" }');
    answering = await startAnswering();
  }, 60_000);
  afterAll(async () => {
    await answering?.close();
    rmSync(code, { recursive: true });
  });

  /** The modules besides `main.js` that a line loads, by their names. */
  async function loads(args: readonly string[], env: Record<string, string> = {}): Promise<string[]> {
    const record = join(code, 'loads.json');
    const main = join(code, 'main.js');
    const { status, stderr } = await runProgram(process.execPath, ['--import', RECORDER, main, ...args], {
      env: { RECORD_LOADS_TO: record, RECORDED_CODE: pathToFileURL(code).href, ...env },
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const modules = JSON.parse(readFileSync(record, 'utf8')) as string[];
    return [...new Set(modules.map((name) => name.replace(`${pathToFileURL(code).href}/`, './')))].toSorted();
  }

  const ALWAYS = ['./begin.js', './hot.js', './main.js', './rolldown-runtime.js', 'node:fs', 'node:path'];

  it('is nothing besides the first file for `version`', async () => {
    expect(await loads(['version'])).toEqual([]);
  });

  describe.each(['ec-p256', 'ec-p384', 'rsa-2048'])('for credential-process with a key of %s', (kind) => {
    const files = ['--certificate', `${PKI}${kind}.crt.pem`, '--private-key', `${PKI}${kind}.key.pem`];

    it('is nothing of networking and cryptography over HTTP', async () => {
      expect(await loads(['credential-process', ...files, ...answering!.flags(false)])).toEqual(ALWAYS);
    });

    it('is nothing of those over HTTPS either', async () => {
      const bundle = ['--ca-bundle', answering!.root];
      expect(await loads(['credential-process', ...files, ...answering!.flags(true), ...bundle])).toEqual(ALWAYS);
    });
  });

  it('is compiled as usual where it pays: for ML-DSA, and for every command but the one-shot', async () => {
    const files = ['--certificate', `${PKI}ml-dsa-44.crt.pem`, '--private-key', `${PKI}ml-dsa-44.key.pem`];
    const rest = answering!.flags(false);
    expect(await loads(['credential-process', '--skip-checks', '--log-level', 'error', ...files, ...rest])).toContain(
      'compiled at 1',
    );
    expect(await loads(['read-certificate-data', '--certificate', `${PKI}ec-p256.crt.pem`])).toContain('compiled at 1');
  });

  it('is cryptography of Node where the key is another one', async () => {
    const files = ['--certificate', `${PKI}rsa-1024.crt.pem`, '--private-key', `${PKI}rsa-1024.key.pem`];
    const rest = answering!.flags(false);
    const found = await loads(['credential-process', '--skip-checks', '--log-level', 'error', ...files, ...rest]);
    expect(found).toContain('node:crypto');
  });
});
