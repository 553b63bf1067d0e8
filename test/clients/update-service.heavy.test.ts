import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { PKI, cleanEnv } from '../support/cli.ts';
import { requireTool } from '../support/tools.ts';
import { flagsOf, identityFlags } from './serve-process.ts';
import { updateWorld } from './update-world.ts';

const world = updateWorld();
const { start, text, keyIds, untilNewer } = world;

describe('update that goes on', () => {
  it('renews what it wrote, over an outage, and ends with 0', async () => {
    const update = start();
    await expect.poll(keyIds, { timeout: 15_000 }).toHaveLength(1);
    await untilNewer(keyIds());
    await world.service().answer('away');
    await update.until('no new credentials');
    await update.until('the last credentials have expired');
    const [last] = keyIds();
    await world.service().answer('well');
    await untilNewer([last ?? '']);
    update.kill('SIGTERM');
    expect(await update.exited).toBe(0);
    expect(update.lines()).toBe('');
    expect(keyIds()).toHaveLength(1);
  });

  it('starts while the service is away, and ends with 0 before there was anything', async () => {
    await world.service().answer('away');
    const update = start();
    await update.until('no new credentials');
    update.kill('SIGINT');
    expect([await update.exited, existsSync(world.file())]).toEqual([0, false]);
  });

  it('reports a file that was broken meanwhile, leaves it alone, and writes again once it is mended', async () => {
    const update = start();
    await expect.poll(keyIds, { timeout: 15_000 }).toHaveLength(1);
    const [first] = keyIds();
    const broken = `[default]\naws_access_key_id = ${first}\n[x]\ny = 1\ny = 2\n`;
    writeFileSync(world.file(), broken);
    await update.until('line 5: y is there a second time');
    expect(text()).toBe(broken);
    writeFileSync(world.file(), broken.replace('y = 2\n', ''));
    await untilNewer([first ?? '']);
    expect(text()).toContain('[x]\ny = 1\n');
    update.kill('SIGTERM');
    expect(await update.exited).toBe(0);
  });

  it('goes on through a directory in the place of the file, and one that is gone', async () => {
    const update = start();
    await expect.poll(keyIds, { timeout: 15_000 }).toHaveLength(1);
    rmSync(world.file());
    mkdirSync(world.file());
    await update.until('is a directory');
    rmSync(world.file(), { recursive: true });
    await expect.poll(keyIds, { timeout: 15_000 }).toHaveLength(1);
    update.kill('SIGTERM');
    expect(await update.exited).toBe(0);
  });

  it('follows a renewed certificate', async () => {
    for (const name of ['crt', 'key']) copyFileSync(`${PKI}ec-p256.${name}.pem`, join(world.dir(), `${name}.pem`));
    const flags = flagsOf({ certificate: join(world.dir(), 'crt.pem'), 'private-key': join(world.dir(), 'key.pem') });
    const update = start(flags, {}, identityFlags(world.emulator()));
    await expect.poll(keyIds, { timeout: 15_000 }).toHaveLength(1);
    for (const name of ['key', 'crt']) copyFileSync(`${PKI}rsa-2048.${name}.pem`, join(world.dir(), `${name}.pem`));
    await update.until('a new certificate is in use');
  });

  it('SIGHUP asks anew and writes what has got lost', async () => {
    const update = start([], {}, identityFlags(world.emulator()));
    await expect.poll(keyIds, { timeout: 15_000 }).toHaveLength(1);
    rmSync(world.file());
    update.kill('SIGHUP');
    await expect.poll(keyIds, { timeout: 15_000 }).toHaveLength(1);
    expect(update.log()).toContain('reading files again');
    update.kill('SIGTERM');
    expect(await update.exited).toBe(0);
  });

  it('with --remove takes its keys out at the end, and leaves those of others', async () => {
    const before = '[a]\nx = 1\n[default]\nregion = eu-west-1\n[b]\n';
    writeFileSync(world.file(), before);
    const [role] = world.emulator().roleArns;
    const roles = ['--role', `b=${role}`, '--role', `c=${role}`];
    const update = start(['--remove', ...roles], {}, identityFlags(world.emulator()));
    await expect.poll(keyIds, { timeout: 15_000 }).toHaveLength(3);
    // A person has put other keys there.
    writeFileSync(world.file(), text().replace(/(\[b\]\naws_access_key_id = )\S+/, '$1AKIAOTHER'));
    update.kill('SIGTERM');
    expect(await update.exited).toBe(0);
    expect(keyIds()).toEqual(['AKIAOTHER']);
    expect(text()).toContain('[a]\nx = 1\n[default]\nregion = eu-west-1\n[b]\naws_access_key_id = AKIAOTHER\n');
    expect(text()).toMatch(/\n\[c\]\n$/);
  });

  it('with --remove ends with an error when that cannot be done', async () => {
    const update = start(['--remove'], {}, identityFlags(world.emulator()));
    await expect.poll(keyIds, { timeout: 15_000 }).toHaveLength(1);
    const broken = `${text()}[default]\n`;
    writeFileSync(world.file(), broken);
    update.kill('SIGTERM');
    expect([await update.exited, text()]).toEqual([2, broken]);
    expect(update.log()).toContain('ERR_CREDENTIALS_FILE');
  });

  it("tells of each renewal in the helper's words in its place", async () => {
    const update = start(['--compat']);
    await update.until(' +0000 UTC\n');
    expect(update.log()).toMatch(
      /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d Credentials will be refreshed at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC\n$/,
    );
  });

  it('may fail as often as it likes while update goes on, and is ended with it', async () => {
    const update = start(['--on-update', `sh -c "echo started >>${world.dir()}/runs; sleep 1000 & wait"`]);
    await update.until('credentials were written');
    await expect.poll(() => existsSync(join(world.dir(), 'runs')), { timeout: 10_000 }).toBe(true);
    const before = keyIds();
    await untilNewer(before);
    // One at a time.
    expect(readFileSync(join(world.dir(), 'runs'), 'utf8')).toBe('started\n');
    update.kill('SIGTERM');
    expect(await update.exited).toBe(0);
    expect(update.log()).toContain('was ended, as this program ends');

    const failing = start(['--on-update', 'false']);
    await failing.until('"code":"ERR_ON_UPDATE"');
    await untilNewer(keyIds());
    failing.kill('SIGTERM');
    expect(await failing.exited).toBe(0);
  });
});

const MANAGER = fileURLToPath(new URL('notify-manager.py', import.meta.url));

it.runIf(requireTool('systemd-notify') && requireTool('/usr/bin/python3'))(
  'systemd is told when the file is written, how it is, and of the end',
  async () => {
    const socket = join(world.dir(), 'notify');
    const manager = spawn('/usr/bin/python3', [MANAGER, socket], {
      env: cleanEnv(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let heard = '';
    const until = async (words: string): Promise<void> => {
      await expect.poll(() => heard, { timeout: 10_000 }).toContain(words);
    };
    manager.stdout.setEncoding('utf8').on('data', (chunk: string) => (heard += chunk));
    try {
      await until('listening');
      mkdirSync(world.file());
      const update = start([], { NOTIFY_SOCKET: socket });
      await update.until('is a directory');
      expect(await update.exited).toBe(2);
      rmSync(world.file(), { recursive: true });
      expect(heard).not.toContain('READY');
      const next = start([], { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '400000' });
      await until('READY=1\n');
      expect(keyIds()).toHaveLength(1);
      await until('WATCHDOG=1\n');
      await until('STATUS=default: valid until ');
      next.kill('SIGTERM');
      expect(await next.exited).toBe(0);
      await until('STOPPING=1\n');
    } finally {
      manager.kill();
    }
  },
);
