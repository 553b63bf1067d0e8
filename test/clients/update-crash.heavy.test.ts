/** `update` under what machines do to it: kill -9 at random points, many at once, full and read-only disks. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CLI, PKI, cleanEnv, runCli } from '../support/cli.ts';
import { scriptedServer } from '../support/scripted-server.ts';
import { requireModule, requireTool } from '../support/tools.ts';
import { flagsOf } from './serve-process.ts';

const LONG = process.env['ROLES_ANYWHERE_LONG'] === '1';
const KILLS = LONG ? 1000 : 50;
/** Side by side, each with a file of its own. */
const LANES = 2;

const ARN = 'arn:aws:rolesanywhere:eu-west-1:123456789012:';
const ID = '11111111-2222-3333-4444-555555555555';

let service: Awaited<ReturnType<typeof scriptedServer>>;
let dir: string;
let given = 0;
/** Told of each answer. */
const answered = new Set<() => void>();

beforeAll(async () => {
  service = await scriptedServer((response) => {
    given += 1;
    const expiration = `${new Date(Date.now() + 3_600_000).toISOString().slice(0, 19)}Z`;
    const credentials = { ...setOf(`ASIA${given}`), expiration };
    response.writeHead(201, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ credentialSet: [{ credentials }], subjectArn: 'x' }));
    for (const tell of answered) tell();
  });
});
afterAll(() => service.close());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ra-crash-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Long enough that a file is written in several pieces, and one for each key id. */
function setOf(accessKeyId: string): { accessKeyId: string; secretAccessKey: string; sessionToken: string } {
  return {
    accessKeyId,
    secretAccessKey: `hidden-${accessKeyId}`.padEnd(40, 'k'),
    sessionToken: `hidden-${accessKeyId}`.padEnd(1200, 't'),
  };
}

/** What the file must be, to the byte, with the set of a key id. */
function fileWith(id: string, end = '\n'): string {
  const { secretAccessKey, sessionToken } = setOf(id);
  const others = Array.from({ length: 40 }, (_, index) => `[p${index}] # other\nx = ${'y'.repeat(500)}\n\n`).join('');
  return [
    `# kept\n${others}[default]\nregion = x\n`,
    `aws_access_key_id = ${id}\naws_secret_access_key = ${secretAccessKey}\naws_session_token = ${sessionToken}\n`,
    `output = json\n; kept\n${others.replaceAll('[p', '[q')}[last]\nz = 1\n`,
  ]
    .join('')
    .replaceAll('\n', end);
}

function flags(url = service.url): string[] {
  return flagsOf({
    certificate: `${PKI}ec-p256.crt.pem`,
    'private-key': `${PKI}ec-p256.key.pem`,
    'trust-anchor-arn': `${ARN}trust-anchor/${ID}`,
    'profile-arn': `${ARN}profile/${ID}`,
    'role-arn': 'arn:aws:iam::123456789012:role/Workload',
    endpoint: url,
  });
}

/** The key id of the default profile, when the file is whole. */
function idIn(text: string, end = '\n'): string {
  const [, id = ''] = /\[default\]\s+region = x\s+aws_access_key_id = (\S+)/.exec(text) ?? [];
  expect(text).toBe(fileWith(id, end));
  return id;
}

/** Resolves when the service has answered somebody. */
async function nextAnswer(): Promise<void> {
  await new Promise<void>((resolve) => {
    const tell = (): void => {
      answered.delete(tell);
      resolve();
    };
    answered.add(tell);
  });
}

describe(`${KILLS} times kill -9`, () => {
  it(
    'the file is the old or the new one, and nothing else of it has changed',
    async () => {
      const outcomes = { old: 0, new: 0, done: 0, leftLock: 0, leftFile: 0 };
      const lane = async (index: number): Promise<void> => {
        const folder = join(dir, String(index));
        execFileSync('mkdir', [folder]);
        const file = join(folder, 'credentials');
        const end = index % 2 === 0 ? '\n' : '\r\n';
        writeFileSync(file, fileWith('ASIA0', end), { mode: 0o600 });
        for (let turn = 0; turn < KILLS / LANES; turn++) {
          const before = idIn(readFileSync(file, 'utf8'), end);
          const child = spawn(process.execPath, [CLI, 'update', '--once', ...flags()], {
            env: cleanEnv({ AWS_SHARED_CREDENTIALS_FILE: file }),
            stdio: 'ignore',
          });
          const exited = once(child, 'exit');
          // From the answer on, which is when it begins to write; and sometimes from the start.
          if (turn % 10 === 0) await sleep(Math.random() * 200);
          else await Promise.race([nextAnswer(), exited]);
          await Promise.race([sleep(Math.random() * 100), exited]);
          child.kill('SIGKILL');
          const [status] = (await exited) as [number | null];
          const after = idIn(readFileSync(file, 'utf8'), end);
          const left = readdirSync(folder);
          outcomes[status === 0 ? 'done' : after === before ? 'old' : 'new'] += 1;
          expect(status === 0 && after === before).toBe(false);
          if (left.includes('credentials.lock')) outcomes.leftLock += 1;
          if (left.some((name) => name.endsWith('.tmp'))) outcomes.leftFile += 1;
          // The next one would wait until it is sure that nobody holds it: ten seconds, a thousand times.
          rmSync(`${file}.lock`, { force: true });
        }
        // Whoever comes next cleans up.
        const { status } = await runCli(['update', '--once', ...flags()], {
          env: { AWS_SHARED_CREDENTIALS_FILE: file },
        });
        expect([status, readdirSync(folder)]).toEqual([0, ['credentials']]);
      };
      await Promise.all(Array.from({ length: LANES }, (_, index) => lane(index)));
      console.log(JSON.stringify(outcomes));
      expect(outcomes.old).toBeGreaterThan(0);
      expect(outcomes.new + outcomes.done).toBeGreaterThan(0);
    },
    LONG ? 1_800_000 : 180_000,
  );
});

describe('others who write', () => {
  it.runIf(requireModule('botocore'))(
    '50 processes write 50 profiles of one file at once, and 50 are right',
    async () => {
      const file = join(dir, 'credentials');
      const names = Array.from({ length: 50 }, (_, index) => `p${index}`);
      writeFileSync(file, names.map((name) => `# of ${name}\n[${name}]\nregion = ${name}\n\n`).join(''));
      const results = await Promise.all(
        names.map((name) =>
          runCli(['update', '--once', '--profile', name, ...flags()], {
            env: { AWS_SHARED_CREDENTIALS_FILE: file },
            timeout: 170_000,
          }),
        ),
      );
      expect(results.map(({ status, stderr }) => (status === 0 ? '' : stderr)).filter((text) => text !== '')).toEqual(
        [],
      );
      const text = readFileSync(file, 'utf8');
      const ids = names.map((name) => {
        const section = new RegExp(
          `# of ${name}\\n\\[${name}\\]\\naws_access_key_id = (\\S+)\\naws_secret_access_key = (\\S+)\\naws_session_token = (\\S+)\\nregion = ${name}\\n\\n`,
        );
        const [, accessKeyId = '', secretAccessKey, sessionToken] = section.exec(text) ?? [];
        expect({ accessKeyId, secretAccessKey, sessionToken }).toEqual(setOf(accessKeyId));
        return accessKeyId;
      });
      expect(new Set(ids).size).toBe(50);
      expect(readdirSync(dir)).toEqual(['credentials']);
      const script = 'import sys, botocore.configloader as c; print(len(c.raw_config_parse(sys.argv[1])))';
      expect(execFileSync('/usr/bin/python3', ['-c', script, file], { encoding: 'utf8' })).toBe('50\n');
    },
    180_000,
  );

  it('are waited for as long as they go on taking turns, for more than half a minute', async () => {
    const lock = join(dir, 'credentials.lock');
    let turn = 0;
    const take = (): void => writeFileSync(lock, `another ${(turn += 1)}\n`);
    take();
    const others = setInterval(take, 1000);
    setTimeout(() => {
      clearInterval(others);
      rmSync(lock);
    }, 33_000);
    const { status, stderr } = await runCli(['update', '--once', ...flags()], {
      env: { AWS_SHARED_CREDENTIALS_FILE: join(dir, 'credentials') },
      timeout: 100_000,
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining('credentials were written') });
    expect(turn).toBeGreaterThan(30);
  }, 120_000);

  it('a lock that a dead process left is taken over', async () => {
    const file = join(dir, 'credentials');
    writeFileSync(file, fileWith('ASIA0'));
    writeFileSync(`${file}.lock`, '4194304 gone\n');
    expect(
      (await runCli(['update', '--once', ...flags()], { env: { AWS_SHARED_CREDENTIALS_FILE: file } })).status,
    ).toBe(0);
    expect(idIn(readFileSync(file, 'utf8'))).not.toBe('ASIA0');
    expect(readdirSync(dir)).toEqual(['credentials']);
  }, 60_000);
});

/** Whether file systems of one's own can be mounted here. */
const CAN_MOUNT =
  requireTool('unshare') &&
  spawnSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs none /mnt'], { stdio: 'ignore' }).status === 0;

/** Runs a script of sh on a file system of its own: `$D` is the folder of the file system, `update` writes `$F`, `$R` is where results go. */
async function inside(options: string, script: string): Promise<void> {
  const mount = join(dir, 'mount');
  execFileSync('mkdir', [mount]);
  const words = [process.execPath, CLI, 'update', '--once', ...flags()].map((word) => `'${word}'`).join(' ');
  const whole = [
    `D=${mount}; R=${dir}`,
    `mount -t tmpfs -o ${options} none $D`,
    `update() { AWS_SHARED_CREDENTIALS_FILE=$F ${words}; }`,
    script,
  ].join('\n');
  // Not synchronous: the service answers in this process.
  const child = spawn('unshare', ['-rm', 'sh', '-ec', whole], {
    env: cleanEnv(),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const [status] = (await once(child, 'close')) as [number];
  expect([status, errors]).toEqual([0, '']);
}

describe.runIf(CAN_MOUNT)('on a file system of its own', () => {
  it('a disk that is full at any point of the write costs nothing', async () => {
    writeFileSync(join(dir, 'before'), fileWith('ASIA0'));
    // From no page left to enough of them: at first not even the lock fits, then ever more of the new file.
    const pages = Array.from({ length: 16 }, (_, index) => index);
    await inside(
      'size=512k',
      `F=$D/credentials
for free in ${pages.join(' ')}; do
  rm -rf $D/*
  cp $R/before $F
  dd if=/dev/zero of=$D/fill bs=4096 2>/dev/null || true
  truncate -s -$((free * 4096)) $D/fill 2>/dev/null || true
  status=0; update 2>$R/stderr.$free || status=$?
  echo $status >$R/status.$free
  cp $F $R/after.$free
  ls $D >$R/left.$free
done`,
    );
    const statuses = pages.map((free) => {
      const read = (name: string): string => readFileSync(join(dir, `${name}.${free}`), 'utf8');
      const id = idIn(read('after'));
      expect(read('left')).toBe('credentials\nfill\n');
      const status = Number(read('status'));
      expect([status, id === 'ASIA0', read('stderr').includes('(ENOSPC)')]).toEqual([
        status,
        status !== 0,
        status !== 0,
      ]);
      return status;
    });
    expect(statuses).toContain(2);
    expect(statuses).toContain(0);
  }, 120_000);

  it('nor do a file system without room for a name, one that is read-only, and a link from another one', async () => {
    writeFileSync(join(dir, 'before'), fileWith('ASIA0'));
    await inside(
      'size=4m,nr_inodes=3',
      `F=$D/credentials; cp $R/before $F
touch $D/fill
update 2>$R/stderr.inodes || echo $? >$R/status.inodes
cp $F $R/after.inodes; ls $D >$R/left.inodes
rm $D/fill
mount -o remount,ro $D
update 2>$R/stderr.ro || echo $? >$R/status.ro
cp $F $R/after.ro; ls $D >$R/left.ro
mount -o remount,rw,nr_inodes=10 $D
ln -s $F $R/linked; F=$R/linked
update 2>$R/stderr.link; echo $? >$R/status.link
cp $D/credentials $R/after.link; ls $D >$R/left.link; test -L $R/linked`,
    );
    const seen = (name: string): [string, string, boolean] => [
      readFileSync(join(dir, `status.${name}`), 'utf8'),
      readFileSync(join(dir, `left.${name}`), 'utf8'),
      idIn(readFileSync(join(dir, `after.${name}`), 'utf8')) === 'ASIA0',
    ];
    expect(seen('inodes')).toEqual(['2\n', 'credentials\nfill\n', true]);
    expect(readFileSync(join(dir, 'stderr.inodes'), 'utf8')).toContain('(ENOSPC)');
    expect(seen('ro')).toEqual(['2\n', 'credentials\n', true]);
    expect(readFileSync(join(dir, 'stderr.ro'), 'utf8')).toContain('(EROFS)');
    expect(seen('link')).toEqual(['0\n', 'credentials\n', false]);
  }, 60_000);
});
