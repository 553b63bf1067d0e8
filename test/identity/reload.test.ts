import { X509Certificate, verify } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type Authority,
  certificatePem,
  generateKeys,
  issueAuthority,
  issueLeaf,
  privateKeyPem,
} from '../../certs-dev/authority.ts';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import type { Identity } from '../../src/identity/identity.ts';
import { loadIdentity } from '../../src/identity/load.ts';
import { type IdentityWatcher, type WatchIdentityOptions, watchIdentity } from '../../src/identity/reload.ts';
import { directoriesOf } from '../../src/identity/watched-paths.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { type Pair, WAYS, byRename, certificatePath, keyPath } from '../support/rotations.ts';

const DAY = 24 * 3_600_000;

let authority: Authority;
let pairs: Pair[];
let dir: string;
const open = new Set<IdentityWatcher>();

async function issue(serial: number, dates: { notBefore?: Date; notAfter?: Date } = {}): Promise<Pair> {
  const keys = await generateKeys('ec-p256');
  const leaf = await issueLeaf({
    subject: `CN=pair ${serial}`,
    serialNumber: serial.toString(16).padStart(2, '0'),
    issuer: authority,
    publicKey: keys.publicKey,
    ...dates,
  });
  return { serialNumber: String(serial), certificate: certificatePem(leaf), key: privateKeyPem(keys) };
}

beforeAll(async () => {
  authority = await issueAuthority({ subject: 'CN=rotation', keys: await generateKeys('ec-p256') });
  pairs = await Promise.all(Array.from({ length: 16 }, (_, index) => issue(index + 1)));
});

beforeEach(async () => {
  dir = await mkdtemp(join(await realpath(tmpdir()), 'roles-anywhere-reload-'));
});

afterEach(async () => {
  for (const watcher of open) await watcher.close();
  open.clear();
  await rm(dir, { recursive: true });
});

function pair(index: number): Pair {
  const found = pairs[index % pairs.length];
  if (found === undefined) throw new Error('no pairs');
  return found;
}

interface Watched {
  watcher: IdentityWatcher;
  changes: string[];
  errors: RolesAnywhereError[];
}

async function watchFiles(options: Partial<WatchIdentityOptions> = {}): Promise<Watched> {
  const [certificate, privateKey] = [certificatePath(dir), keyPath(dir)];
  const changes: string[] = [];
  const errors: RolesAnywhereError[] = [];
  const watcher = await watchIdentity({
    load: () => loadIdentity({ certificate, privateKey }, { pause: () => sleep(1) }),
    paths: [certificate, privateKey],
    settleMs: 2,
    onChange: ({ serialNumber }) => changes.push(serialNumber),
    onError: (error) => errors.push(error),
    ...options,
  });
  open.add(watcher);
  return { watcher, changes, errors };
}

/** Signs with the identity, and checks the signature with its own certificate. */
async function signsWithItsOwnKey(identity: Identity): Promise<boolean> {
  const message = Buffer.from('a request');
  const signature = await identity.signer.sign(message);
  return verify('SHA256', message, new X509Certificate(identity.certificate).publicKey, signature);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(2);
}

describe.each(WAYS)('files that are replaced $way', ({ rotate: rotateIn }) => {
  const rotate = (next: Pair, step: number): Promise<void> => rotateIn(dir, next, step);

  it('are noticed by themselves, and once', async () => {
    await rotate(pair(0), 0);
    const { watcher, changes } = await watchFiles();
    for (let step = 1; step < 5; step++) {
      await rotate(pair(step), step);
      await until(() => watcher.current().serialNumber === pair(step).serialNumber);
    }
    expect(changes).toEqual([1, 2, 3, 4].map((step) => pair(step).serialNumber));
  });

  it('are noticed before use, whatever is heard of them', async () => {
    await rotate(pair(0), 0);
    const { watcher } = await watchFiles({ settleMs: 0 });
    await rotate(pair(1), 1);
    expect(await watcher.use(async ({ serialNumber }) => serialNumber)).toBe(pair(1).serialNumber);
  });

  it('250 times under use: nobody fails, and no key meets a foreign certificate', async () => {
    await rotate(pair(0), 0);
    const { watcher, changes } = await watchFiles();
    const seen = new Set<string>();
    const faults: unknown[] = [];
    const rotation = new AbortController();
    let signed = 0;
    const user = async (): Promise<void> => {
      while (!rotation.signal.aborted && faults.length === 0) {
        await watcher
          .use(async (identity) => {
            seen.add(identity.serialNumber);
            if (!(await signsWithItsOwnKey(identity)))
              faults.push(`${identity.serialNumber} signed with a foreign key`);
          })
          .catch((error: unknown) => faults.push(error));
        signed += 1;
      }
    };
    const users = Promise.all([user(), user(), user(), user()]);
    for (let step = 1; step <= 250 && faults.length === 0; step++) {
      const before = signed;
      await rotate(pair(step), step);
      // Most rotations come while the one before is being taken; some are let through.
      const taken = (): boolean => watcher.current().serialNumber === pair(step).serialNumber;
      await until(() => faults.length > 0 || (step % 10 === 0 ? taken() : signed > before));
    }
    rotation.abort();
    await users;
    expect(faults).toEqual([]);
    expect(signed).toBeGreaterThanOrEqual(225);
    expect(changes.length).toBeGreaterThanOrEqual(25);
    expect(seen.size).toBeGreaterThan(1);
  });
});

/** Changes the files, and checks that the first pair is still the one in use. */
async function kept(change: () => Promise<void>): Promise<Watched> {
  await byRename(dir, pair(0), 0);
  const watched = await watchFiles();
  await change();
  await watched.watcher.use(async (identity) => {
    expect(identity.serialNumber).toBe(pair(0).serialNumber);
    expect(await signsWithItsOwnKey(identity)).toBe(true);
  });
  expect(watched.changes).toEqual([]);
  return watched;
}

describe('what is not taken', () => {
  it.each([
    {
      what: 'a key without its certificate',
      code: 'ERR_KEY_MISMATCH',
      change: () => writeFile(keyPath(dir), pair(1).key),
    },
    {
      what: 'half a certificate',
      code: 'ERR_PEM_TRUNCATED',
      change: () => writeFile(certificatePath(dir), pair(1).certificate.slice(0, 200)),
    },
    { what: 'an empty file', code: 'ERR_PEM_EMPTY', change: () => writeFile(keyPath(dir), '') },
    { what: 'a missing file', code: 'ERR_FILE_NOT_FOUND', change: () => rm(certificatePath(dir)) },
    {
      what: 'an expired certificate',
      code: 'ERR_CERTIFICATE_EXPIRED',
      change: async () =>
        byRename(
          dir,
          await issue(99, { notBefore: new Date(Date.now() - 2 * DAY), notAfter: new Date(Date.now() - DAY) }),
          0,
        ),
    },
    {
      what: 'a certificate of tomorrow',
      code: 'ERR_CERTIFICATE_NOT_YET_VALID',
      change: async () => byRename(dir, await issue(98, { notBefore: new Date(Date.now() + DAY) }), 0),
    },
  ])('$what: the old pair stays, and one report says $code', async ({ change, code }) => {
    const { watcher, errors } = await kept(change);
    await until(() => errors.some((error) => error.code === code));
    const reports = errors.filter((error) => error.code === code).length;
    await watcher.use(async () => undefined);
    await watcher.use(async () => undefined);
    expect(reports).toBe(1);
    expect(errors.filter((error) => error.code === code)).toHaveLength(1);
    await byRename(dir, pair(2), 0);
    expect(await watcher.use(async ({ serialNumber }) => serialNumber)).toBe(pair(2).serialNumber);
  });
});

it('too many open files keep the old pair, and are named', async () => {
  await byRename(dir, pair(0), 0);
  const cause = Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE', syscall: 'open' });
  const { load } = memory();
  let crowded = false;
  const { watcher, errors } = await watchFiles({ load: () => (crowded ? Promise.reject(cause) : load()) });
  crowded = true;
  await byRename(dir, pair(1), 0);
  expect(await watcher.use(async ({ serialNumber }) => serialNumber)).toBe('0');
  await until(() => errors.length > 0);
  expect(errors[0]).toMatchObject({ code: 'ERR_FILE_UNREADABLE', message: 'too many files are open' });
  // Without another change of the files.
  crowded = false;
  expect(await watcher.use(async ({ serialNumber }) => serialNumber)).toBe('1');
});

it('what was put in place while the files were looked at is noticed before the next use', async () => {
  await byRename(dir, pair(0), 0);
  let used: Promise<string> | undefined;
  const { watcher } = await watchFiles({
    // Told when a look has read the files for the last time, and before it is over.
    onError() {
      writeFileSync(certificatePath(dir), pair(1).certificate);
      used ??= watcher.use(async ({ serialNumber }) => serialNumber);
    },
  });
  await writeFile(keyPath(dir), pair(1).key);
  await until(() => used !== undefined);
  expect(await used).toBe(pair(1).serialNumber);
});

/** Identities of memory, with a count of their closings. */
function memory(): { load: () => Promise<Identity>; closed: number[] } {
  const closed: number[] = [];
  let loads = 0;
  return {
    closed,
    load: async () => {
      const serial = loads++;
      const { raw } = new X509Certificate(pair(serial).certificate);
      return {
        certificate: raw,
        serialNumber: String(serial),
        chain: [],
        signer: { keyType: 'EC', sign: async () => new Uint8Array() },
        close: async () => void closed.push(serial),
      };
    },
  };
}

describe('an identity that was replaced', () => {
  it('is closed when its last user is done, and not before', async () => {
    const { load, closed } = memory();
    const watcher = await watchIdentity({ load, paths: [] });
    let finish: (() => void) | undefined;
    const task = watcher.use(async ({ serialNumber }) => {
      await new Promise<void>((resolve) => (finish = resolve));
      return serialNumber;
    });
    await until(() => finish !== undefined);
    await watcher.reload();
    expect(watcher.current().serialNumber).toBe('1');
    expect(closed).toEqual([]);
    finish?.();
    expect(await task).toBe('0');
    expect(closed).toEqual([0]);
    await watcher.reload();
    expect(closed).toEqual([0, 1]);
    await watcher.close();
    await watcher.close();
    expect(closed).toEqual([0, 1, 2]);
    await expect(watcher.use(async () => undefined)).rejects.toMatchObject({ code: 'ERR_INTERRUPTED' });
  });

  it('is closed when its user fails', async () => {
    const { load, closed } = memory();
    const watcher = await watchIdentity({ load, paths: [] });
    const failing = watcher.use(async () => {
      await watcher.reload();
      throw new Error('of the user');
    });
    await expect(failing).rejects.toThrow('of the user');
    expect(closed).toEqual([0]);
    await watcher.close();
  });
});

it('an expired certificate is taken where the checks are off: what loads decides', async () => {
  await byRename(dir, pair(0), 0);
  const [certificate, privateKey] = [certificatePath(dir), keyPath(dir)];
  const load = () => loadIdentity({ certificate, privateKey, skipChecks: true }, { pause: () => sleep(1) });
  const { watcher, changes, errors } = await watchFiles({ load });
  await byRename(
    dir,
    await issue(97, { notBefore: new Date(Date.now() - 2 * DAY), notAfter: new Date(Date.now() - DAY) }),
    0,
  );
  await watcher.reload();
  await watcher.use(async () => undefined);
  expect([changes, errors]).toEqual([['97'], []]);
});

it('the same certificate loaded again is no change', async () => {
  await byRename(dir, pair(0), 0);
  const { watcher, changes } = await watchFiles();
  await watcher.reload();
  await writeFile(keyPath(dir), `${pair(0).key}\n`);
  await watcher.use(async () => undefined);
  expect(changes).toEqual([]);
});

it('a first load that cannot succeed is the error of the call', async () => {
  await byRename(dir, pair(0), 0);
  await writeFile(keyPath(dir), pair(1).key);
  await expect(watchFiles()).rejects.toMatchObject({ code: 'ERR_KEY_MISMATCH' });
});

it('a pipe is not read for noticing changes', async () => {
  const { load, paths } = {
    load: () => loadIdentity({ certificate: certificatePath(dir) }),
    paths: ['/dev/null', dir],
  };
  await writeFile(certificatePath(dir), pair(0).certificate + pair(0).key);
  const watcher = await watchIdentity({ load, paths });
  open.add(watcher);
  expect(await watcher.use((identity) => signsWithItsOwnKey(identity))).toBe(true);
});

it('every link on the way to a file is watched, and a loop of links ends', async () => {
  await mkdir(join(dir, 'real', 'inner'), { recursive: true });
  await writeFile(join(dir, 'real', 'inner', 'file'), '');
  await mkdir(join(dir, 'links'));
  await symlink('../real', join(dir, 'links', 'folder'));
  await symlink(join(dir, 'links', 'folder', 'inner', 'file'), join(dir, 'top'));
  expect([...(await directoriesOf(join(dir, 'top')))].toSorted()).toEqual(
    [dir, join(dir, 'links'), join(dir, 'real', 'inner')].toSorted(),
  );
  await symlink('loop', join(dir, 'loop'));
  expect([...(await directoriesOf(join(dir, 'loop', 'x')))]).toEqual([dir]);
});

describe('an outage of the files', () => {
  it('has a begin and an end each time, also when the same files come back', async () => {
    await byRename(dir, pair(0), 0);
    let recovered = 0;
    const { watcher, errors } = await watchFiles({ onRecovered: () => void recovered++ });
    const good = pair(0).certificate;
    // Whole at once: a look that met the empty file would report that too.
    const put = async (text: string | Uint8Array): Promise<void> => {
      await writeFile(`${certificatePath(dir)}.new`, text);
      await rename(`${certificatePath(dir)}.new`, certificatePath(dir));
    };
    for (const outage of [1, 2]) {
      await put('broken');
      await watcher.use(async () => undefined);
      await watcher.use(async () => undefined);
      expect([errors.length, recovered]).toEqual([outage, outage - 1]);
      await put(good);
      await watcher.use(async () => undefined);
      expect([errors.length, recovered]).toEqual([outage, outage]);
    }
  });
});

describe('a renewal in a token that cannot be used', () => {
  it('is tried again at the next look, which a program that was writing has left by then, and from then on every 10 minutes', async () => {
    await byRename(dir, pair(0), 0);
    const clock = new FakeClock();
    let [current, failures, loads] = [pair(0).serialNumber, 0, 0];
    const { watcher, changes } = await watchFiles({
      paths: [],
      clock,
      pollMs: 10 ** 9,
      async load() {
        loads++;
        if (failures-- > 0) throw new RolesAnywhereError('ERR_CERTIFICATE_MALFORMED', 'half of it is there');
        const identity = await loadIdentity({ certificate: certificatePath(dir), privateKey: keyPath(dir) });
        const { serialNumber } = identity;
        return { ...identity, isCurrent: async () => serialNumber === current };
      },
    });
    const use = (): Promise<string> => watcher.use(async ({ serialNumber }) => serialNumber);
    expect(await use()).toBe(pair(0).serialNumber);

    const renew = async (to: Pair, failing: number): Promise<void> => {
      await byRename(dir, to, 1);
      [current, failures, loads] = [to.serialNumber, failing, 0];
    };
    await renew(pair(1), 1);
    expect([await use(), await use()]).toEqual([pair(0).serialNumber, pair(1).serialNumber]);
    expect(changes).toEqual([pair(1).serialNumber]);

    await renew(pair(2), 3);
    for (let time = 0; time < 5; time++) expect(await use()).toBe(pair(1).serialNumber);
    expect(loads).toBe(2);
    await clock.advance(599_999);
    expect(await use()).toBe(pair(1).serialNumber);
    expect(loads).toBe(2);
    await clock.advance(1);
    for (let time = 0; time < 5; time++) expect(await use()).toBe(pair(1).serialNumber);
    expect(loads).toBe(3);
    await clock.advance(600_000);
    expect(await use()).toBe(pair(2).serialNumber);
  });
});

describe('a folder that cannot be watched', () => {
  it('is told once, with the reason', async () => {
    await byRename(dir, pair(0), 0);
    const told: string[][] = [];
    const { watcher } = await watchFiles({
      onUnwatched: (directory, reason) => told.push([directory, reason]),
      watch() {
        throw Object.assign(new Error('no'), { code: 'EACCES' });
      },
    });
    await watcher.use(async () => undefined);
    expect(told).toEqual([[dir, 'EACCES']]);
  });
});
