// Of src/identity/tpm/failures.ts, tpm.ts, access.ts, transport.ts and socket.ts.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ERROR_CLASSES } from '../../../src/platform/errors.ts';
import { openHandle, readNvIndex } from '../../../src/identity/tpm/index.ts';
import { refusal, refusalCode } from '../../support/refusal.ts';
import { type MadeKey, NV_INDEX, madeKeys } from '../../support/tpm/keys.ts';
import { keyNamed, openMade, verifies } from '../../support/tpm/open.ts';
import { Proxy, garbage } from '../../support/tpm/proxy.ts';
import { Simulator, hasSimulator } from '../../support/tpm/simulator.ts';

/** A return code in the answer to a command, what it becomes, and a word of the hint. */
const CODES: readonly (readonly [key: string, command: string, code: number, error: string, hint: string])[] = [
  ['o-parent-p256', 'Load', 0x98e, 'ERR_PASSWORD_REQUIRED', '--tpm-parent-password-file'],
  ['o-parentpw-p256', 'Load', 0x98e, 'ERR_TPM_PARENT_PASSWORD', 'not sent again'],
  ['o-owner-p256', 'CreatePrimary', 0x9a2, 'ERR_PASSWORD_REQUIRED', '--tpm-hierarchy-password-file'],
  ['h-ecc256-pw', 'Sign', 0x98e, 'ERR_TPM_KEY_PASSWORD', 'tries are left'],
  ['h-ecc256-pw-noda', 'Sign', 0x9a2, 'ERR_TPM_KEY_PASSWORD', 'not sent again'],
  ['h-ecc256-noda', 'Sign', 0x921, 'ERR_TPM_LOCKOUT', 'tpm2_dictionarylockout -c'],
  ['h-ecc256-noda', 'Sign', 0x19c, 'ERR_TPM_KEY_NOT_SIGNING', 'attribute sign'],
  ['h-ecc256-noda', 'Sign', 0x18b, 'ERR_TPM_KEY_NOT_FOUND', 'handles-persistent'],
  ['o-parent-p256', 'ReadPublic', 0x18b, 'ERR_TPM_PARENT_NOT_FOUND', 'another TPM'],
  ['o-parent-p256', 'Load', 0x1df, 'ERR_TPM_KEY_NOT_LOADABLE', 'another TPM'],
  ['o-parent-p256', 'Load', 0x2df, 'ERR_TPM_KEY_NOT_LOADABLE', 'another TPM'],
  ['o-parent-p256', 'Load', 0x18a, 'ERR_TPM_PARENT', 'storage key'],
  ['h-ecc256-noda', 'Sign', 0x184, 'ERR_TPM_HANDLE_KIND', '0x81000001'],
  ['h-ecc256-noda', 'Sign', 0x910, 'ERR_TPM_HANDLE_NOT_LOADED', 'tpm2_evictcontrol'],
  ['h-ecc256-noda', 'Sign', 0x2d2, 'ERR_TPM_SCHEME', 'SHA256'],
  ['h-ecc256-noda', 'Sign', 0x3e0, 'ERR_TPM_RESTRICTED', 'restricted'],
  ['h-ecc256-noda', 'Sign', 0x12f, 'ERR_TPM_POLICY_REQUIRED', '--tpm-policy-pcr'],
  ['h-ecc256-noda', 'Sign', 0x99d, 'ERR_TPM_POLICY_FAILED', 'tpm2_pcrread'],
  ['h-ecc256-noda', 'Sign', 0x128, 'ERR_TPM_POLICY_FAILED', 'tpm2_pcrread'],
  ['h-ecc256-pw', 'Sign', 0x982, 'ERR_TPM_SESSION', 'firmware'],
  ['h-ecc256-noda', 'Sign', 0x1d5, 'ERR_TPM_DIGEST', 'SHA256'],
  ['h-ecc256-pw', 'Sign', 0x995, 'ERR_TPM_PASSWORD_SIZE', '32'],
  ['o-owner-p256', 'Load', 0x902, 'ERR_TPM_OBJECT_MEMORY', 'tpm2_flushcontext -t'],
  ['o-owner-p256', 'CreatePrimary', 0x906, 'ERR_TPM_OBJECT_MEMORY', 'tpm2_flushcontext -t'],
  ['h-ecc256-pw', 'StartAuthSession', 0x903, 'ERR_TPM_SESSION_MEMORY', 'tpm2_flushcontext -l'],
  ['h-ecc256-pw', 'StartAuthSession', 0x905, 'ERR_TPM_SESSION_MEMORY', 'tpm2_flushcontext -l'],
  ['h-ecc256-noda', 'Sign', 0x904, 'ERR_TPM_OBJECT_MEMORY', 'tpm2_flushcontext'],
  ['h-ecc256-noda', 'Sign', 0x922, 'ERR_TPM_RETRY', 'again'],
  ['h-ecc256-noda', 'Sign', 0x908, 'ERR_TPM_YIELDED', 'again'],
  ['h-ecc256-noda', 'Sign', 0x90a, 'ERR_TPM_TESTING', 'tpm2_gettestresult'],
  ['h-ecc256-noda', 'Sign', 0x100, 'ERR_TPM_NOT_STARTED', 'tpm2_startup -c'],
  ['h-ecc256-noda', 'Sign', 0x101, 'ERR_TPM_FAILURE', 'off and on'],
  ['h-ecc256-noda', 'Sign', 0x143, 'ERR_TPM_VERSION', 'firmware'],
  ['o-owner-p256', 'CreatePrimary', 0x185, 'ERR_TPM_PARENT', 'owner hierarchy'],
  ['h-ecc256-noda', 'Sign', 0x00b0902, 'ERR_TPM_OBJECT_MEMORY', 'tpm2_flushcontext -t'],
  ['h-ecc256-noda', 'Sign', 0x907, 'ERR_TPM_FAILED', 'tpm2_rc_decode'],
  ['h-ecc256-noda', 'Sign', 0x7ff, 'ERR_TPM_FAILED', 'tpm2_rc_decode'],
];

describe.skipIf(!hasSimulator())('a TPM that fails', () => {
  let directory: string;
  let keys: readonly MadeKey[];
  let tpm: Simulator;
  let proxy: Proxy;
  let folder: string;
  beforeAll(async () => {
    ({ directory, keys } = await madeKeys());
    tpm = await new Simulator('tcp', directory).start();
    folder = mkdtempSync(join(tmpdir(), 'tpm-wire-'));
    proxy = await Proxy.start(join(folder, 'tpm.sock'), tpm.port);
  }, 240_000);
  /** Passwords that were refused are remembered. */
  const forgive = () => rmSync(tpm.env['ROLES_ANYWHERE_STATE_DIR'] ?? '', { recursive: true, force: true });
  afterEach(() => {
    proxy.reset();
    forgive();
  });
  afterAll(async () => {
    await proxy.close();
    await tpm.remove();
    rmSync(folder, { recursive: true });
  });

  const through = () => ({ tcti: proxy.path, env: tpm.env });
  const sign = async (name: string, timeoutMs?: number): Promise<boolean> => {
    const made = keyNamed(keys, name);
    const key = await openMade(through(), directory, made, { deps: { timeoutMs } });
    const message = randomBytes(40);
    return verifies(directory, made, message, await key.signer.sign(message));
  };

  it.each(CODES)(
    'refuses %s in %s with the code %i, which becomes %s',
    async (name, command, code, error, hint) => {
      proxy.fault = { command, code };
      const refused = await refusal(() => sign(name));
      expect([refused.code, refused.hint]).toEqual([error, expect.stringContaining(hint)]);
      expect(refused.message + String(refused.cause)).toMatch(new RegExp(code.toString(16)));
      proxy.fault = undefined;
      expect(await tpm.leftovers()).toEqual([]);
      forgive();
      expect(await sign(name)).toBe(true);
    },
    30_000,
  );

  it.each([
    ['NV_ReadPublic', 0x18b, 'ERR_TPM_NV_NOT_FOUND'],
    ['NV_Read', 0x148, 'ERR_TPM_NV_ACCESS'],
    ['NV_Read', 0x149, 'ERR_TPM_NV_ACCESS'],
    ['NV_Read', 0x14a, 'ERR_TPM_NV_EMPTY'],
  ])('refuses %s of a certificate with the code %i, which becomes %s', async (command, code, error) => {
    proxy.fault = { command, code };
    expect(
      await refusalCode(() => readNvIndex(`nv:${NV_INDEX}`, '--certificate', { device: proxy.path }, { env: tpm.env })),
    ).toBe(error);
  });

  it('has an error of its own for every return code, and none that is the fault of this program', async () => {
    for (const base of [0x100, 0x80, 0x900])
      for (let number = 0; number < 0x40; number++) {
        if (base === 0x900 && [0x02, 0x03, 0x04, 0x05, 0x06, 0x08, 0x09, 0x0a, 0x20, 0x22].includes(number)) continue; // those are asked again
        const code = base === 0x80 ? 0x980 + number : base + number;
        proxy.fault = { command: 'Sign', code };
        const refused = await refusal(() => sign('h-ecc256-noda'));
        expect([code.toString(16), refused.code, typeof refused.hint]).toEqual([
          code.toString(16),
          expect.stringMatching(/^ERR_(?:TPM_|PASSWORD_REQUIRED)/),
          'string',
        ]);
        expect(ERROR_CLASSES[refused.code]).not.toBe('internal');
      }
  }, 60_000);

  it.each([0x922, 0x908, 0x90a, 0x920])(
    'is asked again, with the same bytes, when it answers with the code %i',
    async (code) => {
      for (const name of ['h-ecc256-pw', 'o-owner-rsa2048']) {
        proxy.reset();
        proxy.fault = { command: 'Sign', code, times: 3 };
        expect(await sign(name)).toBe(true);
        const commands = proxy.exchanges
          .filter((exchange) => exchange.name === 'Sign')
          .map(({ command }) => command.toString('hex'));
        expect(commands.length).toBe(4);
        expect(new Set(commands).size).toBe(1);
      }
    },
  );

  it.each([
    ['CreatePrimary', 0x902],
    ['Load', 0x902],
    ['StartAuthSession', 0x903],
    ['Sign', 0x904],
  ])(
    'that has no slot for %s (code %i) is tried again from the beginning, on another connection',
    async (command, code) => {
      proxy.fault = { command, code, times: 2 };
      const before = proxy.connections;
      expect(await sign('o-owner-p256-pw')).toBe(true);
      expect(proxy.connections - before).toBe(3);
      expect(await tpm.leftovers()).toEqual([]);
    },
  );

  it('that closes the connection in the middle is connected to again, once, and keeps nothing of the first time', async () => {
    for (const command of ['GetCapability', 'CreatePrimary', 'Load', 'StartAuthSession', 'Sign', 'FlushContext'])
      for (const cut of [0, 5, 12]) {
        proxy.fault = { command, cut, times: 1 };
        expect([command, cut, await sign('o-owner-p256-pw')]).toEqual([command, cut, true]);
        expect([command, cut, await tpm.leftovers()]).toEqual([command, cut, []]);
      }
  }, 60_000);

  it('that always closes it is an error that says so, and keeps nothing', async () => {
    for (const command of ['CreatePrimary', 'StartAuthSession', 'Sign']) {
      proxy.fault = { command, cut: 7 };
      const { code, message } = await refusal(() => sign('o-owner-p256-pw'));
      expect([code, message]).toEqual(['ERR_TPM_CLOSED', expect.stringContaining('after 7 bytes')]);
      proxy.fault = undefined;
      expect(await tpm.leftovers()).toEqual([]);
    }
  });

  it('that hangs ends the wait, and what was loaded is flushed as soon as it answers again', async () => {
    for (const command of ['ReadPublic', 'Load', 'Sign']) {
      proxy.fault = { command, hang: true, times: 1 };
      expect([command, await refusalCode(() => sign('o-parent-p256', 500))]).toEqual([command, 'ERR_TPM_TIMEOUT']);
      proxy.fault = undefined;
      expect(await tpm.leftovers()).toEqual([]);
    }
  });

  it('that stops altogether ends the wait', async () => {
    tpm.pause();
    try {
      expect(await refusalCode(() => sign('h-ecc256-noda', 500))).toBe('ERR_TPM_TIMEOUT');
    } finally {
      tpm.resume();
    }
    expect(await sign('h-ecc256-noda')).toBe(true);
  });

  it('takes its time, or sends its answer in pieces, without harm', async () => {
    for (const split of [1, 5, 9, 10, 11, 40]) {
      proxy.fault = { split };
      expect(await sign('h-ecc256-noda')).toBe(true);
    }
    proxy.fault = { command: 'Sign', delayMs: 300 };
    expect(await sign('h-ecc256-pw')).toBe(true);
  });

  it.each([
    ['too long', (answer: Buffer) => Buffer.concat([answer, Buffer.alloc(1)])],
    ['of another tag', (answer: Buffer) => Buffer.concat([Buffer.from('8003', 'hex'), answer.subarray(2)])],
    ['without its sessions', (answer: Buffer) => Buffer.concat([Buffer.from('8001', 'hex'), answer.subarray(2)])],
    ['with a length below its header', (answer: Buffer) => withLength(answer, 9)],
    ['with a length that no TPM sends', (answer: Buffer) => withLength(answer, 0x7fffffff)],
    ['an error that is longer than one', () => Buffer.from('80010000000c000001010000', 'hex')],
    ['an error with sessions', () => Buffer.from('80020000000a00000101', 'hex')],
    ['random', () => garbage(64)],
    ['random and long', () => garbage(4096)],
    ['an answer from a web server', () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ])('whose answer is %s is not believed', async (_name, change) => {
    proxy.fault = { command: 'Sign', change };
    expect(await refusalCode(() => sign('o-owner-p256-pw', 2000))).toMatch(
      /^ERR_TPM_(?:ANSWER|TIMEOUT|CLOSED|FAILED)$/,
    );
    proxy.fault = undefined;
    expect(await tpm.leftovers()).toEqual([]);
  });

  it('of version 1.2 is called that', async () => {
    proxy.fault = { command: 'Sign', change: () => Buffer.from('00c40000000a0000001e', 'hex') };
    expect(await refusalCode(() => sign('h-ecc256-noda'))).toBe('ERR_TPM_VERSION');
  });

  it('whose answer was cut to any length, with a header that fits, is not believed', async () => {
    for (const command of ['ReadPublic', 'CreatePrimary', 'Load', 'StartAuthSession', 'Sign', 'GetCapability']) {
      let whole = 0;
      proxy.fault = {
        command,
        times: 1,
        change(answer) {
          whole = answer.length;
          return answer;
        },
      };
      await sign('o-parentpw-p256-pw');
      const step = process.env['ROLES_ANYWHERE_LONG'] === '1' ? 1 : 7;
      for (let length = 10; length < whole; length += step) {
        proxy.fault = {
          command,
          change: (answer) => withLength(answer.subarray(0, length), Math.min(length, answer.length)),
        };
        expect([command, length, await refusalCode(() => sign('o-parentpw-p256-pw', 5000))]).toEqual([
          command,
          length,
          'ERR_TPM_ANSWER',
        ]);
      }
      proxy.fault = undefined;
      expect([command, await tpm.leftovers()]).toEqual([command, []]);
    }
  }, 300_000);

  it('whose answers have any byte changed gives no signature that is wrong', async () => {
    const made = keyNamed(keys, 'o-owner-p256-pw');
    const rounds = process.env['ROLES_ANYWHERE_LONG'] === '1' ? 500 : 40;
    for (let round = 0; round < rounds; round++) {
      const commands = ['CreatePrimary', 'Load', 'StartAuthSession', 'Sign', 'GetCapability'];
      proxy.fault = {
        command: commands[round % commands.length],
        change(answer) {
          const changed = Buffer.from(answer);
          const at = 10 + Math.floor(Math.random() * (answer.length - 10));
          changed[at] = (changed[at] ?? 0) ^ (1 + Math.floor(Math.random() * 255));
          return changed;
        },
      };
      const key = await openMade(through(), directory, made, { deps: { timeoutMs: 3000 } });
      const message = randomBytes(40);
      const outcome = await key.signer.sign(message).then(
        (signature) => verifies(directory, made, message, signature),
        (error: Error & { code?: string }) => error.code ?? error.message,
      );
      expect(outcome === true ? 'ERR_TPM_ANSWER' : outcome).toMatch(/^ERR_(?:TPM_|SIGN$|PASSWORD_REQUIRED$)/);
      forgive();
      proxy.fault = undefined;
      // Handles that were changed on the wire are nobody's to flush.
      await tpm.flush();
    }
  }, 600_000);

  it('whose slots others fill is an error that names the cure', async () => {
    const full = await new Simulator('tcp', directory).start();
    try {
      for (let slot = 0; slot < 3; slot++) await full.tool('tpm2_createprimary', '-Q', '-C', 'n', '-c', 'x.ctx');
      const key = await openMade(full, directory, keyNamed(keys, 'o-owner-p256'));
      const { code, hint } = await refusal(() => key.signer.sign(randomBytes(4)));
      expect([code, hint]).toEqual(['ERR_TPM_OBJECT_MEMORY', expect.stringContaining('tpm2_flushcontext -t')]);
      await full.tool('tpm2_flushcontext', '-t');
      await key.signer.sign(randomBytes(4));
      for (let slot = 0; slot < 3; slot++) await full.tool('tpm2_startauthsession', '-S', `${slot}.ctx`);
      // The tools save their sessions and give the slots back: fill them for good.
      const locked = await openMade(full, directory, keyNamed(keys, 'h-ecc256-pw'));
      await locked.signer.sign(randomBytes(4));
    } finally {
      await full.remove();
    }
  }, 60_000);
});

const open = (device: string) =>
  openHandle('handle:0x81000001', '--private-key', { device }, { env: {}, timeoutMs: 1500 });

describe('a TPM that is not there', () => {
  it('is an error by what the system says', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tpm-gone-'));
    const path = join(folder, 'tpm.sock');
    expect(await refusalCode(() => open(path))).toBe('ERR_TPM_NOT_FOUND');
    expect(await refusalCode(() => open(`swtpm:path=${path}`))).toBe('ERR_TPM_NOT_FOUND');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    expect(await refusalCode(() => open(`swtpm:host=127.0.0.1,port=${port}`))).toBe('ERR_TPM_CONNECT');
    expect(await refusalCode(() => open(`mssim:host=127.0.0.1,port=${port}`))).toBe('ERR_TPM_CONNECT');
    rmSync(folder, { recursive: true });
  });

  it('may be a listener that says nothing, or closes at once', async () => {
    for (const [act, code] of [
      ['silence', 'ERR_TPM_TIMEOUT'],
      ['close', 'ERR_TPM_CLOSED'],
    ] as const) {
      const server = createServer((socket) => void (act === 'close' && socket.destroy()));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as { port: number };
      expect(await refusalCode(() => open(`swtpm:host=127.0.0.1,port=${port}`))).toBe(code);
      server.close();
    }
  });
});

function withLength(answer: Buffer, length: number): Buffer {
  const changed = Buffer.from(answer);
  changed.writeUInt32BE(length, 2);
  return changed;
}
