import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Emulator } from '../../../src/emulator/emulator.ts';
import { spawnServe, startServe } from '../../clients/serve-process.ts';
import type { ServeProcess } from '../../clients/serve-process.ts';
import { type FaultyModule, faultyToken } from '../../support/faulty-module.ts';
import { pkiPath } from '../../support/pki.ts';
import { PIN, type SoftHsm, hasSoftHsm } from '../../support/softhsm.ts';
import { requireTool } from '../../support/tools.ts';
import { startTestEmulator, worldFlags } from '../../support/vending.ts';

describe.skipIf(!hasSoftHsm() || !requireTool('gcc'))('serve with a key in a token', () => {
  let hsm: SoftHsm;
  let faulty: FaultyModule;
  let emulator: Emulator;
  let pinFile: string;

  beforeAll(async () => {
    ({ hsm, faulty } = await faultyToken());
    emulator = await startTestEmulator();
    pinFile = join(hsm.directory, 'pin');
  }, 60_000);
  afterAll(async () => {
    await emulator.close();
    hsm.remove();
  });
  beforeEach(() => {
    rmSync(join(hsm.directory, 'state'), { recursive: true, force: true });
    writeFileSync(pinFile, `${PIN}\n`);
    faulty.behave();
    faulty.forget();
  });

  const args = (certificate = 'pkcs11:token=main;object=p256') => [
    ...worldFlags(emulator),
    '--port',
    '0',
    '--certificate',
    certificate,
    '--pkcs11-lib',
    faulty.path,
  ];
  const withPinFile = () => [...args(), '--pkcs11-pin-file', pinFile];

  it('shows the module the environment, without what is for AWS, for Node and for this program', async () => {
    faulty.behave('sign=environment');
    const env = {
      ...hsm.env,
      DBUS_SESSION_BUS_ADDRESS: 'unix:path=/bus',
      P11NETHSM_CONFIG_FILE: '/nethsm.conf',
      AWS_PROFILE: 'x',
      NODE_OPTIONS: '--no-warnings',
      ROLES_ANYWHERE_PKCS11_PIN: PIN,
      MY_CERTIFICATE: readFileSync(pkiPath('ec-p256.crt.pem'), 'utf8'),
    };
    const flags = [...args('env:MY_CERTIFICATE'), '--private-key', 'pkcs11:token=main;object=p256'];
    const serve = await startServe([...flags, '--intermediates', pkiPath('intermediate.pem')], { env });
    expect(await stop(serve)).toBe(0);
    const names = readFileSync(`${faulty.path}.environment`, 'latin1')
      .split('\0')
      .map((entry) => entry.split('=')[0]);
    expect(names).toEqual(expect.arrayContaining(['DBUS_SESSION_BUS_ADDRESS', 'P11NETHSM_CONFIG_FILE', 'PATH']));
    expect(names.filter((name) => /^(AWS_|NODE_OPTIONS|ROLES_ANYWHERE_|MY_)/.test(name ?? ''))).toEqual([]);
  });

  it('does not log in because the file of the PIN was written', async () => {
    const serve = await startServe(withPinFile(), { env: hsm.env });
    writeFileSync(pinFile, `${PIN}\n\n`.trimEnd());
    await sleep(2000);
    expect(faulty.count('C_Login')).toBe(1);
    expect(await stop(serve)).toBe(0);
  });

  it('logs what is to be done after logins of unknown end, and is well again by itself', async () => {
    const serve = await startServe(withPinFile(), { env: hsm.env });
    faulty.behave('login=device-error');
    for (let time = 1; time <= 3; time += 1) {
      const before = faulty.count('C_Initialize');
      serve.kill('SIGHUP');
      while (faulty.count('C_Initialize') === before) await sleep(5);
      await until(() => faulty.count('C_Finalize') > time - 1);
    }
    await serve.until('ERR_PIN_WITHHELD');
    const withheld = serve
      .log()
      .split('\n')
      .find((line) => line.includes('ERR_PIN_WITHHELD'));
    expect(withheld).toMatch(/"hint":"[^"]*remove [^"]*\/pins\/\w+\.json /);
    expect(faulty.count('C_Login')).toBe(3);
    expect(await stop(serve)).toBe(0);
  });

  it.each([
    ['is started', 'initialize=hang', 'C_Initialize'],
    ['logs in', 'login=hang', 'C_Login'],
    ['signs', 'sign=hang', 'C_Sign'],
  ])(
    'stops when it is told to although the module hangs while it %s',
    async (_name, fault, called) => {
      faulty.behave(fault);
      const serve = spawnServe(withPinFile(), { env: hsm.env });
      await until(() => faulty.count(called) === 1);
      expect(await stop(serve)).toBe(0);
      expect(serve.lines()).toBe('');
    },
    20_000,
  );

  it('stops when it is told to although the module hangs while it is loaded again', async () => {
    const serve = await startServe(withPinFile(), { env: hsm.env });
    faulty.behave('initialize=hang');
    serve.kill('SIGHUP');
    await until(() => faulty.count('C_Initialize') === 2);
    expect(await stop(serve)).toBe(0);
  }, 20_000);
});

async function stop(serve: ServeProcess): Promise<number | NodeJS.Signals> {
  serve.kill('SIGTERM');
  return serve.exited;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}
