/** A module that writes into the channel of its helper: the process that asks goes on, and has another helper the next time. */
import { X509Certificate, verify } from 'node:crypto';
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Emulator } from '../../../src/emulator/emulator.ts';
import { loadPkcs11Identity } from '../../../src/identity/pkcs11/index.ts';
import { runLines, startServe } from '../../clients/serve-process.ts';
import { PROGRAM } from '../../support/cli.ts';
import { type FaultyModule, faultyToken } from '../../support/faulty-module.ts';
import { pkiPath } from '../../support/pki.ts';
import { refusal } from '../../support/refusal.ts';
import { HELPER, PIN, type SoftHsm, hasSoftHsm } from '../../support/softhsm.ts';
import { STANDALONE, requireStandalone } from '../../support/standalone.ts';
import { NOTE_PID, StandIns, connect, isRunning } from '../../support/stand-in-helper.ts';
import { requireTool } from '../../support/tools.ts';
import { startTestEmulator, worldFlags } from '../../support/vending.ts';

describe('a bridge', () => {
  const stand = new StandIns();
  afterAll(() => stand.remove());

  it.each([
    ['bytes of all kinds', `say(require('node:crypto').randomBytes(1 << 20)); say('\\n')`],
    ['a line without an end', flood('"x".repeat(1 << 16)')],
    ['a line of brackets', `say('['.repeat(1 << 20)); say('\\n')`],
    ['a line of numbers', `say('[' + '0,'.repeat(1 << 20) + '0]\\n')`],
    ['a text without an end', `say('"' + '\\\\"'.repeat(1 << 16) + '\\n')`],
    ['what is not UTF-8', String.raw`say(Buffer.from('{"id":1,"answer":"\xff"}\n', 'latin1'))`],
    ['line ends without end', flood('"\\n".repeat(1 << 16)')],
    ['answers without end', flood(`'{"id":77,"answer":null}\\n'.repeat(1000)`)],
    ["a message of Node's own", `say('{"cmd":"NODE_HANDLE","type":"net.Socket"}\\n')`],
  ])('outlives a helper that writes %s, and ends it', async (_name, code) => {
    const path = stand.helper('flood', `${NOTE_PID}; ${code}`);
    const error = await refusal(connect(path));
    expect(error.code).toBe('ERR_PKCS11_MODULE_CRASHED');
    expect(error.message).toContain('sent what is no answer');
    expect(isRunning(stand.pid())).toBe(false);
  });

  it.each([
    ['closes its channel', `require('node:fs').closeSync(3); wait()`],
    ['closes its channel half way', `say('{"id":1,"ans'); require('node:fs').closeSync(3); wait()`],
  ])('ends a helper that %s and goes on', async (_name, code) => {
    const error = await refusal(connect(stand.helper('closed', `${NOTE_PID}; ${code}`)));
    expect(error.code).toBe('ERR_PKCS11_MODULE_CRASHED');
    expect(error.message).toContain('closed its channel during "open"');
    expect(isRunning(stand.pid())).toBe(false);
  });
});

/** What the module writes, by its control file's words; all but the last while it is asked something. */
const SPOILT = {
  'bytes of all kinds': 'channel-noise',
  'JSON of another form': 'channel-shape',
  'answers of its own': 'channel-forged',
  'answers without end': 'channel-answers',
  'a line without end': 'channel-line',
  'a line of brackets': 'channel-brackets',
  'half a line, and closes it': 'channel-half',
  'nothing, and closes it': 'channel-closed',
} as const;

describe.skipIf(!hasSoftHsm() || !requireTool('gcc'))('a module that writes into the channel of its helper', () => {
  let hsm: SoftHsm;
  let faulty: FaultyModule;
  let emulator: Emulator;

  beforeAll(async () => {
    ({ hsm, faulty } = await faultyToken());
    emulator = await startTestEmulator();
  }, 60_000);
  afterAll(async () => {
    await emulator.close();
    hsm.remove();
  });
  beforeEach(() => {
    rmSync(join(hsm.directory, 'state'), { recursive: true, force: true });
    faulty.behave();
    faulty.forget();
  });

  const certificate = `pkcs11:token=main;object=p256?pin-value=${PIN}`;

  it.each(Object.entries(SPOILT))('%s: it has crashed, and the next signature is good', async (_name, fault) => {
    const identity = await loadPkcs11Identity(
      { certificate, library: faulty.path },
      { env: hsm.env, helperPath: HELPER, backoffMs: 1, askPin: async () => undefined },
    );
    const message = Buffer.from('a message');
    faulty.behave(`sign=${fault}`);
    const error = await refusal(() => identity.signer.sign(message));
    faulty.behave();
    const signature = await identity.signer.sign(message);
    await identity.close();
    expect(error.code).toBe('ERR_PKCS11_MODULE_CRASHED');
    expect(error.message).toMatch(/(?:sent what is no answer|closed its channel) during "sign"$/);
    const { publicKey } = new X509Certificate(readFileSync(pkiPath('ec-p256.crt.pem')));
    expect(verify('SHA256', message, publicKey, signature)).toBe(true);
    // One try, one more with a fresh helper, and the good one.
    expect(faulty.count('C_Sign')).toBe(3);
  });

  it.each([
    ['the program', PROGRAM],
    ...(requireStandalone() ? [['the standalone executable', [STANDALONE]] as const] : []),
  ] as const)(
    'serve of %s goes on, and gives credentials, whatever is written, and is well again by itself',
    async (_name, program) => {
      const flags = [...worldFlags(emulator), '--port', '0', '--certificate', certificate];
      const serve = await startServe([...flags, '--pkcs11-lib', faulty.path], { env: hsm.env, program });
      const lines = runLines(serve.lines());
      const url = lines['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '';
      const token = readFileSync(lines['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'] ?? '', 'utf8');
      const given = async (): Promise<unknown> => {
        const answer = await fetch(url, { headers: { authorization: token } });
        return [answer.status, Object.keys((await answer.json()) as object)];
      };
      const good = [200, expect.arrayContaining(['AccessKeyId', 'SecretAccessKey', 'Token'])];
      const reload = (fault = ''): void => {
        faulty.behave(fault);
        faulty.forget();
        serve.kill('SIGHUP');
      };
      const [first] = helpersOf(serve.pid);
      for (const fault of Object.values(SPOILT)) {
        reload(`initialize=${fault}`);
        await until(() => faulty.count('C_Initialize') > 0 && helpersOf(serve.pid).length === 1);
        expect([helpersOf(serve.pid), await given()]).toEqual([[first], good]);
      }
      await serve.until('ERR_PKCS11_MODULE_CRASHED');

      // And while nobody asks it anything.
      reload('initialize=channel-later');
      await until(() => faulty.count('noise') > 0 && helpersOf(serve.pid).length <= 1);
      expect(await given()).toEqual(good);

      reload();
      await until(() => faulty.count('C_Login') > 0 && helpersOf(serve.pid).length === 1);
      expect([helpersOf(serve.pid).includes(first ?? ''), await given()]).toEqual([false, good]);
      serve.kill('SIGTERM');
      expect(await serve.exited).toBe(0);
      expect(serve.log()).not.toContain('ERR_INTERNAL');
    },
    60_000,
  );
});

/** Code that says a text of an expression for ever. */
function flood(text: string): string {
  return `const text = ${text}; for (;;) say(text)`;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

/** The children of a process, from Linux's /proc. */
function helpersOf(pid: number): string[] {
  return readdirSync('/proc').filter((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    try {
      const [, parent] = readFileSync(`/proc/${entry}/stat`, 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ');
      return Number(parent) === pid;
    } catch {
      return false; // ended meanwhile
    }
  });
}
