import { X509Certificate, verify } from 'node:crypto';
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  listPkcs11Certificates,
  loadPkcs11Identity,
  loadPkcs11SigningKey,
} from '../../../src/identity/pkcs11/index.ts';
import type { Pkcs11Deps, Pkcs11Spec } from '../../../src/identity/pkcs11/index.ts';
import { RolesAnywhereError } from '../../../src/platform/errors.ts';
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
    await hsm.token('sick');
    await hsm.token('copies');
    await hsm.key('copies', { pki: 'rsa-2048', id: '11', label: 'copy', alwaysAuthenticate: true });
    await hsm.pair('copies', { pki: 'rsa-2048', id: '12', label: 'copy' });
    await hsm.key('copies', { pki: 'rsa-2048', id: '13', label: 'copy' });
    await hsm.key('copies', { pki: 'ec-p384', id: '14', label: 'pair' });
    await hsm.key('copies', { pki: 'ec-p256', id: '15', label: 'pair' });
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

  describe('C_Initialize', () => {
    it.each([
      ['wants locking', 'initialize=needs-locks', [2]],
      ['takes no arguments', 'initialize=no-arguments', [2, 0]],
      ['cannot lock', 'initialize=no-locks', [2, 0]],
    ])('of a module that %s', async (_name, behaviour, flags) => {
      module.behave(behaviour);
      await (await load()).close();
      expect(module.details('C_Initialize')).toEqual(flags);
    });
  });

  describe('what is sick', () => {
    it('objects without end, each as large as can be, are read as far as 16 MiB', async () => {
      module.behave('find=endless value=large');
      const error = await refusal(() => load());
      expect(error.message).toMatch(/^128 certificates match/);
    });

    const ANY = `pkcs11:object=p256?pin-value=${PIN}`;

    it('a token that opens no session does not hide the others', async () => {
      module.behave('session=device-error session-of=sick');
      const identity = await load({ certificate: ANY });
      await identity.close();
      expect(identity.signer.keyType).toBe('EC');
    });

    it('a token that opens no session is named where nothing else is found', async () => {
      module.behave('session=device-error session-of=sick');
      const { code, hint } = await refusal(() => load({ certificate: 'pkcs11:object=nowhere' }));
      expect(code).toBe('ERR_OBJECT_NOT_FOUND');
      expect(hint).toMatch(/token=sick could not be searched \(C_OpenSession: CKR_DEVICE_ERROR/);
      const own = await refusal(() => load({ certificate: 'pkcs11:token=sick' }));
      expect(own).toMatchObject({
        code: 'ERR_PKCS11_FAILED',
        message: expect.stringContaining('C_OpenSession') as string,
      });
    });

    it('a certificate that cannot be read does not hide the others', async () => {
      module.behave('value=device-error value-of=rsa');
      const all = `pkcs11:token=main?pin-value=${PIN}`;
      const listed = await listPkcs11Certificates(all, { library: module.path }, { env: hsm.env, helperPath: HELPER });
      expect(new Set(listed.map(({ uri }) => /object=(\w+)/.exec(uri)?.[1]))).toEqual(new Set(['always', 'p256']));
      const { code, message: words } = await refusal(() => load({ certificate: `pkcs11:token=main;object=rsa` }));
      expect([code, words]).toEqual(['ERR_PKCS11_FAILED', expect.stringContaining('C_GetAttributeValue')]);
    });

    it.each([
      ['CKA_LABEL', 'label=device-error'],
      ['CKA_ALWAYS_AUTHENTICATE', 'always=vendor'],
      ['C_GetMechanismList', 'mechanisms=device-error'],
    ])('%s is taken for what is not said', async (_name, fault) => {
      module.behave(fault);
      const identity = await load({ certificate: `pkcs11:token=main;id=%01?pin-value=${PIN}` });
      expect(verify('SHA256', message, keyOf('ec-p256'), await identity.signer.sign(message))).toBe(true);
      await identity.close();
    });

    it('a token that was taken out is not taken for one that says nothing', async () => {
      module.behave('always=removed');
      expect(await refusalCode(() => load())).toBe('ERR_TOKEN_REMOVED');
    });
  });

  describe('copies of one key', () => {
    const copies = `pkcs11:token=copies;object=copy?pin-value=${PIN}`;

    it('are one key, and one that asks for no PIN of its own signs', async () => {
      for (const spec of [
        { certificate: copies },
        { certificate: pkiPath('rsa-2048.crt.pem'), privateKey: copies },
        { certificate: pkiPath('rsa-2048.crt.pem'), privateKey: `pkcs11:token=copies?pin-value=${PIN}` },
      ]) {
        const identity = await load(spec);
        expect(verify('SHA256', message, keyOf('rsa-2048'), await identity.signer.sign(message))).toBe(true);
        await identity.close();
      }
      const deps = { env: hsm.env, helperPath: HELPER, askPin: async () => undefined };
      const alone = await loadPkcs11SigningKey(copies, { library: module.path }, deps);
      expect(verify('SHA256', message, keyOf('rsa-2048'), await alone.signer.sign(message))).toBe(true);
      await alone.close();
      expect(module.count('C_Login', C_CONTEXT)).toBe(0);
    });

    it('are not what two keys of one label are', async () => {
      const deps = { env: hsm.env, helperPath: HELPER, askPin: async () => undefined };
      const pair = `pkcs11:token=copies;object=pair?pin-value=${PIN}`;
      const code = await refusalCode(() => loadPkcs11SigningKey(pair, { library: module.path }, deps));
      expect(code).toBe('ERR_OBJECT_AMBIGUOUS');
    });
  });

  describe('a token that asks for no login', () => {
    it('is logged in to with the PIN that is given, where that shows the key', async () => {
      module.behave('flags=no-login');
      const identity = await load();
      expect(verify('SHA256', message, keyOf('ec-p256'), await identity.signer.sign(message))).toBe(true);
      await identity.close();
      expect(module.count('C_Login')).toBe(1);
    });

    it('is not logged in to where the certificate is all that is wanted, or no PIN is given', async () => {
      module.behave('flags=no-login');
      const spec = { certificate: RIGHT, privateKey: pkiPath('ec-p256.key.pem') };
      await (await load(spec)).close();
      const { code } = await refusal(() => load({ certificate: 'pkcs11:token=main;object=p256' }));
      expect([code, module.count('C_Login')]).toEqual(['ERR_OBJECT_NOT_FOUND', 0]);
    });
  });

  describe('one wrong PIN costs one C_Login', () => {
    it.each([
      ['', 'flags=low'],
      [' that does not tell of its tries', 'flags=silent'],
    ])('over repeated one-shots on a token%s', async (_name, flags) => {
      module.behave(flags);
      const codes: string[] = [];
      for (let run = 0; run < 5; run += 1) codes.push(await refusalCode(() => load({ certificate: WRONG })));
      expect(codes).toEqual(['ERR_PIN_INCORRECT', ...Array.from({ length: 4 }, () => 'ERR_PIN_WITHHELD')]);
      expect(module.count('C_Login')).toBe(1);
    });

    it('from whichever source it comes', async () => {
      const pinFile = join(hsm.directory, 'wrong-pin');
      writeFileSync(pinFile, '98765\n');
      const uri = 'pkcs11:token=main;object=p256';
      const env = { ...hsm.env, ROLES_ANYWHERE_PKCS11_PIN: '98765' };
      const codes = [
        await refusalCode(() => load({ certificate: WRONG })),
        await refusalCode(() => load({ certificate: `${uri}?pin-source=${pinFile}` })),
        await refusalCode(() => load({ certificate: `${uri}?pin-source=|echo%2098765`, allowPinCommand: true })),
        await refusalCode(() => load({ certificate: uri }, { env })),
      ];
      expect(codes).toEqual(['ERR_PIN_INCORRECT', ...Array.from({ length: 3 }, () => 'ERR_PIN_WITHHELD')]);
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

    it('not when the token was gone before it saw the PIN', async () => {
      const identity = await load();
      module.behave('sign=removed');
      await refusal(() => identity.signer.sign(message));
      module.behave();
      expect(verify('SHA256', message, keyOf('ec-p256'), await identity.signer.sign(message))).toBe(true);
      await identity.close();
    });
  });

  describe('a login whose end nobody knows', () => {
    const FAULTS = [
      ['crashes', 'login=segv', 'ERR_PKCS11_MODULE_CRASHED'],
      ['hangs', 'login=hang', 'ERR_PKCS11_TIMEOUT'],
      ['fails in a way that tells nothing', 'login=device-error', 'ERR_PKCS11_FAILED'],
      ["fails with a vendor's own code", 'login=vendor', 'ERR_PKCS11_FAILED'],
    ] as const;

    it.each(FAULTS)('is made once more, and then no more, when the module %s in it', async (_name, fault, code) => {
      module.behave(fault);
      const codes: string[] = [];
      for (let run = 0; run < 4; run += 1) codes.push(await refusalCode(() => load({}, patience(fault))));
      expect(codes).toEqual([code, code, 'ERR_PIN_WITHHELD', 'ERR_PIN_WITHHELD']);
      expect(module.count('C_Login')).toBe(2);
    });

    it.each(FAULTS)('needs no person where it is over, when the module %s in it', async (_name, fault) => {
      module.behave(fault);
      await refusal(() => load({}, patience(fault)));
      module.behave();
      await (await load()).close();
      await (await load()).close();
      expect(module.count('C_Login')).toBe(3);
    });

    it('lets a PIN through that was changed, from a source that cannot say when', async () => {
      const env = { ...hsm.env, ROLES_ANYWHERE_PKCS11_PIN: 'another PIN' };
      const spec = { certificate: 'pkcs11:token=main;object=p256' };
      module.behave('login=vendor');
      for (let run = 0; run < 2; run += 1) await refusal(() => load(spec, { env }));
      module.behave();
      expect(await refusalCode(() => load(spec, { env }))).toBe('ERR_PIN_WITHHELD');
      // One in 256 has the same byte of a hash by chance.
      const codes: (string | undefined)[] = [];
      for (const other of ['1111', '2222']) {
        env.ROLES_ANYWHERE_PKCS11_PIN = other;
        codes.push(await refusalCode(() => load(spec, { env })));
      }
      expect(codes).toContain('ERR_PIN_INCORRECT');
    });

    it('is over in a server as soon as the module is well', async () => {
      const identity = await load();
      module.behave('sign=removed login=device-error');
      await refusal(() => identity.signer.sign(message));
      module.behave();
      expect(verify('SHA256', message, keyOf('ec-p256'), await identity.signer.sign(message))).toBe(true);
      await identity.close();
    });
  });

  describe('of several runs with the right PIN', () => {
    it('none gives up because the others come first', async () => {
      module.behave('login=slow');
      await Promise.all(Array.from({ length: 4 }, async () => (await load()).close()));
      expect(module.count('C_Login')).toBe(4);
    });
  });

  describe('a token that reports', () => {
    const FLAGS = [
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

    it('a wrong PIN, by whomever, is logged in to with another one', async () => {
      const wrong = ['--token-label', 'main', '--login', '--pin', '00000', '--list-mechanisms'];
      await expect(hsm.tool(wrong)).rejects.toThrow('CKR_PIN_INCORRECT');
      await (await load()).close();
      expect(module.count('C_Login')).toBe(1);
    });

    it('a wrong PIN is logged in to with the one that was corrected', async () => {
      const env = { ...hsm.env, ROLES_ANYWHERE_PKCS11_PIN: '98765' };
      const spec = { certificate: 'pkcs11:token=main;object=p256' };
      expect(await refusalCode(() => load(spec, { env }))).toBe('ERR_PIN_INCORRECT');
      env.ROLES_ANYWHERE_PKCS11_PIN = PIN;
      const code = await load(spec, { env }).then(
        (identity) => identity.close(),
        (error: unknown) => (error instanceof RolesAnywhereError ? error.code : 'unexpected'),
      );
      // One corrected PIN in 256 waits for the operator.
      expect(code ?? 'ERR_PIN_WITHHELD').toBe('ERR_PIN_WITHHELD');
    });

    it('a wrong PIN, or the last try, says so to the person that it asks', async () => {
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
        'PIN of the token "main" (a wrong one was tried before)',
        'PIN of the token "main" (last try before it locks)',
      ]);
    });
  });

  describe('a person', () => {
    const spec = { certificate: 'pkcs11:token=main;object=p256' };

    it('who types a wrong PIN is asked again, up to three times', async () => {
      await (await load(spec, typing('11111', '22222', PIN))).close();
      expect(module.count('C_Login')).toBe(3);
      expect(await refusalCode(() => load(spec, typing('11111', '22222', '33333', PIN)))).toBe('ERR_PIN_INCORRECT');
      expect(module.count('C_Login')).toBe(6);
    });

    it('who types a wrong PIN is not asked again when the next one locks', async () => {
      module.behave('flags=final');
      expect(await refusalCode(() => load(spec, typing('11111', PIN)))).toBe('ERR_PIN_INCORRECT');
      expect(module.count('C_Login')).toBe(1);
    });

    it('is asked for the PIN of a key that is not the PIN of the login, and once', async () => {
      module.behave('context=other');
      const always = { certificate: 'pkcs11:token=main;object=always', reusePin: true };
      const given = { ...always, certificate: `${always.certificate}?pin-value=${PIN}` };
      for (const [one, deps] of [
        [given, typing('4321')],
        [always, typing(PIN, '4321')],
      ] as const) {
        const identity = await load(one, deps);
        for (let index = 0; index < 3; index += 1) await identity.signer.sign(message);
        await identity.close();
      }
      const alone = await load(given);
      expect(await refusalCode(() => alone.signer.sign(message))).toBe('ERR_PIN_WITHHELD');
      await alone.close();
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
