import { X509Certificate } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type Authority,
  certificatePem,
  generateKeys,
  issueAuthority,
  issueLeaf,
  privateKeyPem,
} from '../../../certs-dev/authority.ts';
import { loadPkcs11Identity } from '../../../src/identity/pkcs11/index.ts';
import { watchIdentity } from '../../../src/identity/reload.ts';
import type { IdentityWatcher, WatchIdentityOptions } from '../../../src/identity/reload.ts';
import { FaultyModule } from '../../support/faulty-module.ts';
import { refusalCode } from '../../support/refusal.ts';
import { HELPER, PIN, SOFTHSM_MODULE, SoftHsm, hasSoftHsm } from '../../support/softhsm.ts';
import { requireTool } from '../../support/tools.ts';

const DAY = 86_400_000;
const URI = `pkcs11:token=main;object=leaf?pin-value=${PIN}`;

type Keys = Awaited<ReturnType<typeof generateKeys>>;

describe.skipIf(!hasSoftHsm())('a certificate that is renewed in its token', () => {
  let hsm: SoftHsm;
  let authority: Authority;
  let keys: Keys;
  let others: Keys;
  const watchers = new Set<IdentityWatcher>();

  beforeAll(async () => {
    authority = await issueAuthority({ subject: 'CN=renewal', keys: await generateKeys('ec-p256') });
    [keys, others] = await Promise.all([generateKeys('ec-p256'), generateKeys('ec-p256')]);
  });
  beforeEach(async () => {
    hsm = new SoftHsm();
    await hsm.token('main');
    await writeKey(keys, '01');
    await write(0x41, '01');
    return async () => {
      for (const watcher of watchers) await watcher.close();
      watchers.clear();
      hsm.remove();
    };
  });

  async function writeKey(of: Keys, id: string): Promise<void> {
    const file = join(hsm.directory, `${id}.key.pem`);
    writeFileSync(file, privateKeyPem(of));
    await hsm.importKey('main', file, 'leaf', id);
  }
  async function write(serial: number, id: string, of = keys, notAfter = new Date(Date.now() + 30 * DAY)) {
    const leaf = await issueLeaf({
      subject: 'CN=leaf',
      serialNumber: serial.toString(16),
      issuer: authority,
      publicKey: of.publicKey,
      notBefore: new Date(Date.now() - 60 * DAY),
      notAfter,
    });
    const file = join(hsm.directory, `${serial}.pem`);
    writeFileSync(file, certificatePem(leaf));
    await hsm.certificate('main', file, 'leaf', id);
  }
  const erase = (type: 'cert' | 'privkey' | 'pubkey', id: string) =>
    hsm.tool(['--token-label', 'main', '--login', '--pin', PIN, '--delete-object', '--type', type, '--id', id]);
  const load = () =>
    loadPkcs11Identity({ certificate: URI, library: SOFTHSM_MODULE }, { env: hsm.env, helperPath: HELPER });
  const loadFaulty = async (notAfter: Date) => {
    await erase('cert', '01');
    await write(0x41, '01', keys, notAfter);
    const faulty = new FaultyModule(hsm.directory);
    const identity = await loadPkcs11Identity(
      { certificate: URI, library: faulty.path },
      { env: hsm.env, helperPath: HELPER, lookAnewMs: 0 },
    );
    return { faulty, identity };
  };
  const watch = async (options: Partial<WatchIdentityOptions> = {}) => {
    const watcher = await watchIdentity({ load, paths: [], ...options });
    watchers.add(watcher);
    return watcher;
  };

  it('is taken up at the next use, with the same key or another one', async () => {
    const changed: string[] = [];
    const watcher = await watch({ onChange: ({ serialNumber }) => changed.push(serialNumber) });
    expect(await serialIn(watcher)).toBe(0x41);
    await erase('cert', '01');
    await write(0x42, '01');
    expect(await serialIn(watcher)).toBe(0x42);
    await erase('cert', '01');
    await erase('privkey', '01');
    await erase('pubkey', '01').catch(() => undefined);
    await writeKey(others, '02');
    await write(0x43, '02', others);
    expect(await serialIn(watcher)).toBe(0x43);
    expect(changed.map(Number)).toEqual([0x42, 0x43]);
  });

  it('is taken up without being used', async () => {
    const changed = new EventEmitter();
    const taken = once(changed, 'change');
    // Seldom enough that hardly a look meets the write: SoftHSM would go on showing the old certificate (see below).
    await watch({ pollMs: 500, onChange: ({ serialNumber }) => changed.emit('change', serialNumber) });
    await write(0x42, '01', keys, new Date(Date.now() + 60 * DAY));
    expect((await taken).map(Number)).toEqual([0x42]);
  });

  describe.skipIf(!requireTool('gcc'))('where the module goes on showing what it has seen', () => {
    it.each([
      ['no new certificate, and the old one is about to end', 'find=stale', 5],
      ['no slot at all', 'slots=lost', 60],
    ])('is found by a fresh helper: %s', async (_, fault, days) => {
      const { faulty, identity } = await loadFaulty(new Date(Date.now() + days * DAY));
      faulty.behave(fault);
      expect(await identity.isCurrent?.()).toBe(true);
      await write(0x42, '01', keys, new Date(Date.now() + 90 * DAY));
      expect(await identity.isCurrent?.()).toBe(false);
      await identity.close();
    });

    it('is not looked for by a second helper while the old one has long to go', async () => {
      const { faulty, identity } = await loadFaulty(new Date(Date.now() + 60 * DAY));
      faulty.forget();
      expect(await identity.isCurrent?.()).toBe(true);
      expect(faulty.count('C_Initialize')).toBe(0);
      await identity.close();
    });

    it('is looked for without a login, and seldom', async () => {
      const { faulty, identity } = await loadFaulty(new Date(Date.now() + DAY));
      faulty.forget();
      expect(await identity.isCurrent?.()).toBe(true);
      expect([faulty.count('C_Initialize'), faulty.count('C_Login')]).toEqual([1, 0]);
      await identity.close();
    });
  });

  it('is taken up where the old one stays beside it', async () => {
    const watcher = await watch();
    await write(0x42, '01', keys, new Date(Date.now() + 60 * DAY));
    expect(await serialIn(watcher)).toBe(0x42);
  });

  it('is taken up where an old one with another key has expired beside it', async () => {
    await erase('cert', '01');
    await write(0x44, '01', keys, new Date(Date.now() - DAY));
    await writeKey(others, '02');
    await write(0x45, '02', others);
    expect(await serialIn(await watch())).toBe(0x45);
  });

  it('stays ambiguous where two are valid that have two keys', async () => {
    await writeKey(others, '02');
    await write(0x45, '02', others);
    expect(await refusalCode(load)).toBe('ERR_OBJECT_AMBIGUOUS');
  });

  it('is reported once, and the old one used, where its key is not there', async () => {
    const errors: string[] = [];
    const watcher = await watch({ onError: ({ code }) => errors.push(code) });
    await erase('cert', '01');
    await write(0x42, '01', others);
    for (let time = 0; time < 3; time += 1) expect(await serialIn(watcher)).toBe(0x41);
    expect(errors).toEqual(['ERR_KEY_MISMATCH']);
  });

  it('is the same certificate where it lies in the token twice', async () => {
    await hsm.certificate('main', join(hsm.directory, '65.pem'), 'leaf', '01');
    const identity = await load();
    expect(new X509Certificate(identity.certificate).serialNumber).toBe('41');
    await identity.close();
  });
});

function serialIn(watcher: IdentityWatcher): Promise<number> {
  return watcher.use(async (identity) => {
    await identity.signer.sign(Buffer.from('x'));
    return Number(identity.serialNumber);
  });
}
