/** Every command on a machine that has run out of something, or whose clock or network is not what it should be. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { cleanEnv } from '../support/cli.ts';
import { requireTool } from '../support/tools.ts';
import { COMMANDS, type Command, MACHINE, type MachineFault, expectedOf } from './matrix.ts';
import { type Run, observe } from './support/run.ts';
import { type World, makeWorld } from './support/world.ts';

const LONG = process.env['ROLES_ANYWHERE_LONG'] === '1';
const INNER = fileURLToPath(new URL('support/inner-port.mjs', import.meta.url));
const MIB = 1 << 20;

// Most of what is done here waits for programs, several at a time.
vi.setConfig({ testTimeout: LONG ? 1_200_000 : 150_000 });

let world: World;
beforeAll(async () => {
  world = await makeWorld();
});
afterAll(() => world.close());

const succeeds = (command: string, ...args: string[]): boolean =>
  requireTool(command) && spawnSync(command, args, { stdio: 'ignore' }).status === 0;

/** Runs a command, of `renew` with a CA of its own. */
async function outcome(command: Command, run: Partial<Run>): Promise<string> {
  const est = command === 'renew' ? await world.startEst() : undefined;
  try {
    return await observe(command, { world, endpoint: est?.origin ?? world.emulator.tlsUrl ?? '', ...run });
  } finally {
    await est?.close();
  }
}

const rows = (fault: MachineFault): { command: Command }[] =>
  COMMANDS.filter((command) => expectedOf('machine', fault, command) !== '-').map((command) => ({ command }));

/** A file system of its own, which goes with the test. */
async function withTmpfs<T>(use: (place: string) => Promise<T>): Promise<T> {
  const place = mkdtempSync(join(world.folder, 'tmpfs-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', place]);
  try {
    return await use(place);
  } finally {
    execFileSync('umount', ['--lazy', place]);
  }
}

const canMount = succeeds('unshare', '--mount', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt');

describe.runIf(canMount)('a disk', () => {
  it.concurrent.each(rows('disk-full'))(MACHINE['disk-full'] + ': $command', async ({ command }) => {
    const seen = await withTmpfs(
      async (place) =>
        await outcome(command, {
          place,
          beforeStart: command === 'serve' || command === 'console',
          begin: () => spawnSync('dd', ['if=/dev/zero', `of=${join(place, 'fill')}`, 'bs=4096'], { stdio: 'ignore' }),
        }),
    );
    expect(seen).toBe(expectedOf('machine', 'disk-full', command));
  });

  it.concurrent.each(rows('read-only'))(MACHINE['read-only'] + ': $command', async ({ command }) => {
    const seen = await withTmpfs(
      async (place) =>
        await outcome(command, {
          place,
          beforeStart: command === 'serve' || command === 'console',
          begin: () => execFileSync('mount', ['-o', 'remount,ro', place]),
        }),
    );
    expect(seen).toBe(expectedOf('machine', 'read-only', command));
  });
});

/** From what Node itself does not start with to what is enough. With less than some 40 MiB it does not even end. */
const DESCRIPTORS = Array.from({ length: 36 }, (_, index) => 8 + index);
const MEMORY = Array.from({ length: 30 }, (_, index) => 48 + 4 * index);

describe.runIf(requireTool('prlimit'))('limits', () => {
  const limits: readonly {
    fault: 'descriptors' | 'memory';
    flag: (step: number) => string;
    steps: readonly number[];
    short: readonly number[];
  }[] = [
    { fault: 'descriptors', flag: (step) => `--nofile=${step}`, steps: DESCRIPTORS, short: [13, 20, 24, 43] },
    { fault: 'memory', flag: (step) => `--data=${step * MIB}`, steps: MEMORY, short: [48, 56, 164] },
  ];
  const pairs = limits.flatMap((limit) =>
    rows(limit.fault).map(({ command }) => ({ limit, command, words: MACHINE[limit.fault] })),
  );

  it.concurrent.each(pairs)('$words: $command', async ({ limit: { fault, flag, steps, short }, command }) => {
    const seen: string[] = [];
    for (const step of LONG ? steps : short)
      seen.push(
        await outcome(command, {
          prefix: ['timeout', '--signal=KILL', '60', 'prlimit', '--core=0', flag(step)],
          mayNotStart: true,
          beforeStart: true,
        }),
      );
    expect(
      seen.filter((one) => !/^(?:right|right, warned|none|kept|kept ERR_[A-Z0-9_]+|ERR_[A-Z0-9_]+)$/.test(one)),
    ).toEqual([]);
    expect(expectedOf('machine', fault, command)).toBe('right or none');
    expect(seen.at(-1)).toBe('right');
    console.log(`${fault} ${command}: ${seen.join(', ')}`);
  });
});

describe.runIf(requireTool('faketime'))('a clock', () => {
  const clocks = (['clock-ahead', 'clock-behind'] as const).flatMap((fault) =>
    rows(fault).map(({ command }) => ({
      command,
      fault,
      words: MACHINE[fault],
      by: fault === 'clock-ahead' ? '+1h' : '-1h',
    })),
  );

  it.concurrent.each(clocks)('$words: $command', async ({ fault, command, by }) => {
    const seen = await outcome(command, {
      // Not by its program, which keeps signals to itself.
      env: { LD_PRELOAD: libfaketime(), FAKETIME: by, FAKETIME_DONT_FAKE_MONOTONIC: '1' },
      beforeStart: true,
    });
    expect(seen).toBe(expectedOf('machine', fault, command));
  });

  it(`${MACHINE['clock-jumps']}: serve`, async () => {
    const file = join(world.folder, 'clock');
    writeFileSync(file, '+0');
    const env = {
      LD_PRELOAD: libfaketime(),
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
    for (const by of ['+2h', '-2h'])
      expect(
        await outcome('serve', {
          env,
          begin: async () => {
            writeFileSync(file, by);
            await sleep(100);
          },
        }),
      ).toBe(expectedOf('machine', 'clock-jumps', 'serve'));
  });
});

/** The library that faketime preloads. */
function libfaketime(): string {
  return execFileSync('faketime', ['-f', '+0', 'printenv', 'LD_PRELOAD'], { encoding: 'utf8' }).trim();
}

/** A network of its own, with a loopback and nothing else, in which a port leads to the service outside. */
async function withNetwork<T>(
  setUp: string,
  to: number,
  use: (inside: { prefix: string[]; port: number; hosts: string }) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(world.folder, 'net-'));
  const [socket, hosts] = [join(folder, 'socket'), join(folder, 'hosts')];
  writeFileSync(hosts, '127.0.0.1 localhost service.test\n');
  const bridge = createServer((client) => {
    const service = connect(to, '127.0.0.1');
    client.on('error', () => service.destroy()).pipe(service);
    service.on('error', () => client.destroy()).pipe(client);
  });
  await new Promise<void>((resolve) => bridge.listen(socket, resolve));
  const script = `ip link set lo up; ${setUp}; mount --bind '${hosts}' /etc/hosts; exec '${process.execPath}' '${INNER}' '${socket}'`;
  const holder = spawn('unshare', ['--net', '--mount', 'sh', '-ec', script], {
    env: cleanEnv(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [port] = (await once(holder.stdout, 'data')) as [Buffer];
    return await use({
      prefix: ['nsenter', '--target', String(holder.pid), '--net', '--mount'],
      port: Number(port),
      hosts,
    });
  } finally {
    holder.kill('SIGKILL');
    bridge.close();
  }
}

describe.runIf(succeeds('unshare', '--net', '--mount', 'ip', 'link') && requireTool('nsenter') && requireTool('curl'))(
  'a network',
  () => {
    it.concurrent.each(rows('no-ipv6'))(MACHINE['no-ipv6'] + ': $command', async ({ command }) => {
      const est = command === 'renew' ? await world.startEst() : undefined;
      const seen = await withNetwork(
        'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; ! ip -6 addr | grep -q inet6',
        est?.port ?? world.ports.service,
        async ({ prefix, port }) =>
          await observe(command, { world, prefix, inside: true, endpoint: `https://localhost:${port}` }),
      );
      await est?.close();
      expect(seen).toBe(expectedOf('machine', 'no-ipv6', command));
    });

    it.concurrent.each(rows('no-dns'))(MACHINE['no-dns'] + ': $command', async ({ command }) => {
      const est = command === 'renew' ? await world.startEst() : undefined;
      const seen = await withNetwork(
        'true',
        est?.port ?? world.ports.service,
        async ({ prefix, port, hosts }) =>
          await observe(command, {
            world,
            prefix,
            inside: true,
            endpoint: `https://service.test:${port}`,
            begin: () => writeFileSync(hosts, '127.0.0.1 localhost\n'),
          }),
      );
      await est?.close();
      expect(seen).toBe(expectedOf('machine', 'no-dns', command));
    });
  },
);
