import { X509Certificate, verify } from 'node:crypto';
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadPkcs11Identity } from '../../../src/identity/pkcs11/index.ts';
import type { Pkcs11Deps, Pkcs11Spec } from '../../../src/identity/pkcs11/index.ts';
import { FaultyModule } from '../../support/faulty-module.ts';
import { pkiPath } from '../../support/pki.ts';
import { refusal, refusalCode } from '../../support/refusal.ts';
import { HELPER, PIN, SoftHsm, hasSoftHsm } from '../../support/softhsm.ts';
import { requireTool } from '../../support/tools.ts';

const message = Buffer.from('a message');
const RIGHT = `pkcs11:token=main;object=p256?pin-value=${PIN}`;
const WRONG = 'pkcs11:token=main;object=p256?pin-value=98765';
const C_USER = 1;
const C_CONTEXT = 2;

describe.skipIf(!hasSoftHsm() || !requireTool('gcc'))('a module with faults', () => {
  let hsm: SoftHsm;
  let module: FaultyModule;

  beforeAll(async () => {
    hsm = new SoftHsm();
    module = new FaultyModule(hsm.directory);
    await hsm.token('main');
    await hsm.pair('main', { pki: 'ec-p256', id: '01', label: 'p256' });
    await hsm.pair('main', { pki: 'rsa-2048', id: '02', label: 'rsa' });
    await hsm.key('main', { pki: 'serial-1', id: '03', label: 'always', alwaysAuthenticate: true });
    await hsm.certificate('main', pkiPath('serial-1.crt.pem'), 'always', '03');
    process.env['SOFTHSM2_CONF'] = hsm.env['SOFTHSM2_CONF'];
  }, 60_000);
  afterAll(() => hsm.remove());
  beforeEach(async () => {
    // SoftHSM reports few tries left until the next right PIN.
    await hsm.tool(['--token-label', 'main', '--login', '--pin', PIN, '--list-mechanisms']);
    rmSync(join(hsm.directory, 'state'), { recursive: true, force: true });
    module.behave();
    module.forget();
  });

  const load = (spec: Partial<Pkcs11Spec> = {}, deps: Pkcs11Deps = {}) =>
    loadPkcs11Identity(
      { certificate: RIGHT, library: module.path, ...spec },
      { env: hsm.env, helperPath: HELPER, backoffMs: 1, askPin: async () => undefined, ...deps },
    );

  describe('in C_Sign', () => {
    it.each([
      ['a segmentation fault', 'sign=segv', 'ERR_PKCS11_MODULE_CRASHED'],
      ['an abort', 'sign=abort', 'ERR_PKCS11_MODULE_CRASHED'],
      ['an _exit', 'sign=exit', 'ERR_PKCS11_MODULE_CRASHED'],
      ['a hang', 'sign=hang', 'ERR_PKCS11_TIMEOUT'],
      ['a removed device', 'sign=removed', 'ERR_TOKEN_REMOVED'],
      ['a device error', 'sign=device-error', 'ERR_SIGN'],
    ])('%s is an error, and the next signature is good', async (_name, fault, code) => {
      const identity = await load({}, patience(fault));
      module.behave(fault);
      const error = await refusal(() => identity.signer.sign(message));
      module.behave();
      const signature = await identity.signer.sign(message);
      await identity.close();
      expect(error.code).toBe(code);
      expect(error.hint).toBeDefined();
      expect(verify('SHA256', message, keyOf('ec-p256'), signature)).toBe(true);
      // One try, and one more with a fresh helper.
      expect(module.count('C_Sign')).toBe(3);
    });

    it('a crash that happens once is not even seen', async () => {
      const identity = await load();
      module.behave('sign=segv');
      const signature = identity.signer.sign(message);
      // The fresh helper needs longer to start than this takes.
      await until(() => module.count('C_Sign') === 1);
      module.behave();
      expect(verify('SHA256', message, keyOf('ec-p256'), await signature)).toBe(true);
      await identity.close();
    });

    it('a wrong signature is not given out', async () => {
      const identity = await load();
      module.behave('sign=wrong');
      expect(await refusalCode(() => identity.signer.sign(message))).toBe('ERR_KEY_MISMATCH');
      await identity.close();
    });
  });

  describe('RSA without a combined mechanism', () => {
    it.each([
      ['that is not listed', 'mechanisms=raw'],
      ['that is listed and refused', 'combined=mechanism'],
    ])('%s signs a DigestInfo instead', async (_name, fault) => {
      const identity = await load({ certificate: `pkcs11:token=main;object=rsa?pin-value=${PIN}` });
      await identity.close();
      module.behave(fault);
      const again = await load({ certificate: `pkcs11:token=main;object=rsa?pin-value=${PIN}` });
      for (const digest of ['SHA256', 'SHA512'] as const) {
        const signature = await again.signer.sign(message, digest);
        expect(verify(digest, message, keyOf('rsa-2048'), signature)).toBe(true);
      }
      await again.close();
      expect(module.count('C_SignInit', 0x1)).toBe(2);
    });
  });

  describe('one wrong PIN costs one C_Login', () => {
    it('over repeated one-shots', async () => {
      const codes: string[] = [];
      for (let run = 0; run < 5; run += 1)
        codes.push(await refusalCode(() => load({ certificate: WRONG }, { mode: 'in-process' })));
      expect(codes).toEqual([
        'ERR_PIN_INCORRECT',
        ...Array.from({ length: 4 }, () => expect.stringMatching(/^ERR_PIN_(WITHHELD|COUNT_LOW)$/)),
      ]);
      expect(module.count('C_Login')).toBe(1);
    });

    it('over repeated one-shots on a token that does not tell of its tries', async () => {
      const spec = { certificate: WRONG, allowLowPinCount: true };
      const codes: string[] = [];
      for (let run = 0; run < 5; run += 1) codes.push(await refusalCode(() => load(spec, { mode: 'in-process' })));
      expect(codes).toEqual(['ERR_PIN_INCORRECT', ...Array.from({ length: 4 }, () => 'ERR_PIN_WITHHELD')]);
      expect(module.count('C_Login')).toBe(1);
    });

    it('over one-shots at the same time', async () => {
      const spec = { certificate: WRONG, allowLowPinCount: true };
      await Promise.all(Array.from({ length: 4 }, () => refusal(() => load(spec))));
      expect(module.count('C_Login')).toBe(1);
    });

    it('over helpers that are started again, and signatures that are asked for again', async () => {
      const env = { ...hsm.env, ROLES_ANYWHERE_PKCS11_PIN: PIN };
      const identity = await load({ certificate: 'pkcs11:token=main;object=p256', allowLowPinCount: true }, { env });
      env.ROLES_ANYWHERE_PKCS11_PIN = '98765';
      module.behave('sign=segv');
      await refusal(() => identity.signer.sign(message));
      module.behave();
      module.forget();
      const codes: string[] = [];
      for (let run = 0; run < 3; run += 1) codes.push(await refusalCode(() => identity.signer.sign(message)));
      expect(new Set(codes)).toEqual(new Set(['ERR_PIN_WITHHELD']));
      expect(module.count('C_Login')).toBe(0);
      rmSync(join(hsm.directory, 'state'), { recursive: true, force: true });
      env.ROLES_ANYWHERE_PKCS11_PIN = PIN;
      await identity.signer.sign(message);
      await identity.close();
    });

    it('for a key that wants the PIN at each signature', async () => {
      const identity = await load({ certificate: `pkcs11:token=main;object=always?pin-value=${PIN}`, reusePin: true });
      await identity.signer.sign(message);
      expect(module.count('C_Login', C_USER)).toBe(1);
      expect(module.count('C_Login', C_CONTEXT)).toBe(1);
      await identity.close();
    });

    it.each([
      ['crashes', 'login=segv', 'ERR_PKCS11_MODULE_CRASHED'],
      ['hangs', 'login=hang', 'ERR_PKCS11_TIMEOUT'],
      ['fails in a way that tells nothing', 'login=device-error', 'ERR_PKCS11_FAILED'],
    ])('when the module %s in it', async (_name, fault, code) => {
      module.behave(fault);
      const codes: string[] = [];
      for (let run = 0; run < 3; run += 1) codes.push(await refusalCode(() => load({}, patience(fault))));
      expect(codes).toEqual([code, 'ERR_PIN_WITHHELD', 'ERR_PIN_WITHHELD']);
      module.behave();
      expect(await refusalCode(() => load())).toBe('ERR_PIN_WITHHELD');
      expect(module.count('C_Login')).toBe(1);
      rmSync(join(hsm.directory, 'state'), { recursive: true, force: true });
      await (await load()).close();
    });

    it('not when the token was gone before it saw the PIN', async () => {
      const identity = await load();
      module.behave('sign=removed');
      await refusal(() => identity.signer.sign(message));
      module.behave();
      await identity.signer.sign(message);
      await identity.close();
      expect(readdirSync(join(hsm.directory, 'state', 'pins'))).toEqual([]);
    });
  });

  describe('a token that reports', () => {
    const FLAGS = [
      ['few tries left', 'flags=low', 'ERR_PIN_COUNT_LOW'],
      ['its last try', 'flags=final', 'ERR_PIN_FINAL_TRY'],
      ['that it is locked', 'flags=locked', 'ERR_PIN_LOCKED'],
    ] as const;

    it.each(FLAGS)('%s is not logged in to without a person', async (_name, flags, code) => {
      module.behave(flags);
      const error = await refusal(() => load());
      expect(error.code).toBe(code);
      expect(error.hint).toBeDefined();
      expect(module.count('C_Login')).toBe(0);
    });

    it.each(FLAGS)('%s is logged in to when that is allowed', async (_name, flags) => {
      module.behave(flags);
      await (await load({ allowLowPinCount: true })).close();
      expect(module.count('C_Login')).toBe(1);
    });

    it('few tries left says so to the person that it asks', async () => {
      const asked: string[] = [];
      const askPin = async (question: string) => {
        asked.push(question);
        return Buffer.from(PIN);
      };
      for (const flags of ['flags=low', 'flags=final']) {
        module.behave(flags);
        await (await load({ certificate: 'pkcs11:token=main;object=p256' }, { askPin })).close();
      }
      expect(asked).toEqual([
        'PIN of the token "main" (few tries left)',
        'PIN of the token "main" (last try before it locks)',
      ]);
    });
  });

  describe('a person', () => {
    const spec = { certificate: 'pkcs11:token=main;object=p256' };

    it('who types a wrong PIN is not asked again when few tries are left', async () => {
      // SoftHSM reports that after the first wrong PIN.
      expect(await refusalCode(() => load(spec, typing('11111', PIN)))).toBe('ERR_PIN_INCORRECT');
      expect(module.count('C_Login')).toBe(1);
    });

    it('who types nothing costs the token no try', async () => {
      expect(await refusalCode(() => load(spec, typing('')))).toBe('ERR_PIN_EMPTY');
      expect(module.count('C_Login')).toBe(0);
    });

    it('is asked again for a fresh helper, and not with reusePin', async () => {
      for (const reusePin of [false, true]) {
        let asked = 0;
        const askPin = async () => {
          asked += 1;
          return Buffer.from(PIN);
        };
        const identity = await load({ ...spec, reusePin }, { askPin });
        module.behave('sign=removed');
        await refusal(() => identity.signer.sign(message));
        module.behave();
        await identity.signer.sign(message);
        await identity.close();
        expect(asked).toBe(reusePin ? 1 : 3);
      }
    });
  });

  it.each([
    ['of version 1', 'version=1'],
    ['without a function list', 'list=null'],
  ])('a library %s is not usable', async (_name, fault) => {
    module.behave(fault);
    expect(await refusalCode(() => load())).toBe('ERR_PKCS11_MODULE_INVALID');
  });

  it('many signatures use one session and leave none open', async () => {
    const identity = await load({ certificate: `pkcs11:token=main;object=always?pin-value=${PIN}`, reusePin: true });
    for (let index = 0; index < 100; index += 1) await identity.signer.sign(message);
    module.behave('sign=wrong');
    await refusal(() => identity.signer.sign(message));
    await identity.close();
    expect(module.count('C_OpenSession')).toBe(1);
    await until(() => module.count('C_CloseSession') === 1);
  });

  it('a helper ends when the identity is closed', async () => {
    const identity = await load();
    expect(childrenNamed(process.pid, HELPER)).toHaveLength(1);
    await identity.close();
    expect(childrenNamed(process.pid, HELPER)).toEqual([]);
  });

  describe('a program that uses the library', () => {
    const library = fileURLToPath(new URL('../../../dist/index.js', import.meta.url));
    const start = (rest: string) => {
      const token = JSON.stringify({ library: module.path, helperPath: HELPER });
      const code = `import { loadIdentity } from ${JSON.stringify(library)};
        const identity = await loadIdentity({ certificate: ${JSON.stringify(RIGHT)}, pkcs11: ${token} });
        ${rest}`;
      return spawn(process.execPath, ['--input-type=module', '-e', code], { env: hsm.env, stdio: 'ignore' });
    };

    it('ends by itself although it forgot to close the identity', async () => {
      const child = start("await identity.signer.sign(Buffer.from('x'));");
      expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0);
      expect(module.count('C_Sign')).toBe(1);
    });

    it.skipIf(process.platform !== 'linux')(
      'leaves no helper behind when it is killed while the module hangs',
      async () => {
        module.behave('sign=hang');
        const child = start("await identity.signer.sign(Buffer.from('x'));");
        await until(() => module.count('C_Sign') === 1);
        const helpers = childrenNamed(child.pid ?? 0, HELPER);
        child.kill('SIGKILL');
        await until(() => helpers.every(hasEnded));
        expect(helpers).toHaveLength(1);
      },
    );
  });
});

/** Only a hang is worth a short wait: on a busy machine a good call may take long. */
function patience(fault: string): Pkcs11Deps {
  return fault.endsWith('hang') ? { callTimeoutMs: 1000 } : {};
}

/** A person who types these, one after the other. */
function typing(...pins: string[]): Pkcs11Deps {
  return {
    askPin: async () => {
      const pin = pins.shift();
      return pin === undefined ? undefined : Buffer.from(pin);
    },
  };
}

function keyOf(pki: string) {
  return new X509Certificate(readFileSync(pkiPath(`${pki}.crt.pem`))).publicKey;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Whether a process is gone, or dead and not yet fetched by its new parent. */
function hasEnded(pid: string): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return true;
  }
}

/** The process ids of a process's children with this in their command line, from Linux's /proc. */
function childrenNamed(pid: number, name: string): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => {
      try {
        const parent = readFileSync(`/proc/${entry}/stat`, 'latin1')
          .replace(/^.*\) /s, '')
          .split(' ')[1];
        const line = readFileSync(`/proc/${entry}/cmdline`, 'utf8');
        return Number(parent) === pid && line.includes(name) ? [entry] : [];
      } catch {
        return [];
      }
    });
}
