/**
 * What the PKCS#11 bridge costs and what it saves, on SoftHSM2: time of a
 * signature through a helper; how long the event loop stands still
 * while the module crashes and hangs; memory and sessions over many signatures.
 *
 * Usage: node scripts/run-ts.mjs bench/pkcs11-bridge.ts [SIGNATURES]
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { loadPkcs11Identity } from '../src/identity/pkcs11/index.ts';
import type { Pkcs11Deps } from '../src/identity/pkcs11/index.ts';

const SOFTHSM = '/usr/lib/softhsm/libsofthsm2.so';
const FAULTS = ['sign=segv', 'sign=abort', 'sign=exit', 'sign=removed', 'sign=hang', 'login=hang'];
const message = Buffer.from('a string to sign of the usual length'.repeat(4));

process.chdir(dirname(dirname(process.argv[1] ?? '')));
const count = Number(process.argv[2] ?? 10_000);
const directory = mkdtempSync(join(tmpdir(), 'bench-pkcs11-'));
const faulty = join(directory, 'faulty.so');
try {
  setUp();
  await costs();
  await standstills();
  await growth();
} finally {
  rmSync(directory, { recursive: true });
}

function setUp(): void {
  mkdirSync(join(directory, 'tokens'));
  const conf = join(directory, 'softhsm2.conf');
  writeFileSync(conf, `directories.tokendir = ${directory}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n`);
  process.env['SOFTHSM2_CONF'] = conf;
  process.env['ROLES_ANYWHERE_STATE_DIR'] = join(directory, 'state');
  util('--init-token', '--free', '--label', 'bench', '--so-pin', '12345678', '--pin', '1234');
  for (const [index, key] of ['ec-p256', 'rsa-2048'].entries()) {
    const object = ['--label', key, '--id', `0${index + 1}`];
    util('--token', 'bench', '--pin', '1234', '--import', `certs-dev/out/${key}.key.pem`, ...object);
    const login = ['--module', SOFTHSM, '--token-label', 'bench', '--login', '--pin', '1234'];
    const what = ['--write-object', `certs-dev/out/${key}.crt.pem`, '--type', 'cert', ...object];
    execFileSync('pkcs11-tool', [...login, ...what], { stdio: 'ignore' });
  }
  const source = 'test/identity/pkcs11/module/faulty.c';
  execFileSync('gcc', ['-shared', '-fPIC', '-O1', `-DSOFTHSM="${SOFTHSM}"`, '-o', faulty, source, '-ldl']);
}

function util(...args: string[]): void {
  execFileSync('softhsm2-util', args, { stdio: 'ignore' });
}

function load(key: string, library: string, deps: Pkcs11Deps) {
  const certificate = `pkcs11:token=bench;object=${key}?pin-value=1234`;
  return loadPkcs11Identity({ certificate, library }, { helperPath: 'dist/pkcs11-helper.cjs', backoffMs: 10, ...deps });
}

async function costs(): Promise<void> {
  for (const key of ['ec-p256', 'rsa-2048']) {
    const before = performance.now();
    const identity = await load(key, SOFTHSM, {});
    const loaded = performance.now() - before;
    const times: number[] = [];
    for (let index = 0; index < 500; index += 1) {
      const started = performance.now();
      await identity.signer.sign(message);
      times.push(performance.now() - started);
    }
    await identity.close();
    const median = times.toSorted((a, b) => a - b)[250] ?? 0;
    console.log(`${key}: load ${loaded.toFixed(0)} ms, signature ${median.toFixed(2)} ms (median of 500)`);
  }
}

/** The longest time that the event loop stood still while a fault was there, and after it. */
async function standstills(): Promise<void> {
  for (const fault of FAULTS) {
    writeFileSync(`${faulty}.control`, '');
    const identity = await load('ec-p256', faulty, { callTimeoutMs: 2000 });
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    // A hang in the login is met by a helper that is started anew.
    writeFileSync(`${faulty}.control`, fault.startsWith('login') ? 'sign=segv login=hang' : fault);
    const started = performance.now();
    const outcome = await identity.signer.sign(message).then(
      () => 'signed',
      (error: unknown) => String(error instanceof Error && 'code' in error ? error.code : error),
    );
    const lasted = performance.now() - started;
    writeFileSync(`${faulty}.control`, '');
    rmSync(join(directory, 'state'), { recursive: true, force: true });
    const recovering = performance.now();
    await identity.signer.sign(message);
    const recovered = performance.now() - recovering;
    delay.disable();
    await identity.close();
    const longest = (delay.max / 1e6).toFixed(1);
    console.log(
      `${fault}: ${outcome} after ${lasted.toFixed(0)} ms, good again after ${recovered.toFixed(0)} ms, loop stood still ${longest} ms at most`,
    );
  }
}

async function growth(): Promise<void> {
  rmSync(`${faulty}.log`, { force: true });
  const identity = await load('ec-p256', faulty, {});
  const row = (done: number): void => {
    const helper = helperPid();
    const own = process.memoryUsage();
    const sessions = lines('C_OpenSession') - lines('C_CloseSession');
    const files = readdirSync(`/proc/${helper}/fd`).length;
    console.log(
      `${done} signatures: helper RSS ${rss(helper)} MB, own RSS ${mb(own.rss)} MB, heap ${mb(own.heapUsed)} MB, ${sessions} session open, ${files} files open in the helper`,
    );
  };
  for (let index = 0; index <= count; index += 1) {
    if (index % (count / 5) === 0) row(index);
    await identity.signer.sign(message);
  }
  await identity.close();
  console.log(`closed: ${lines('C_OpenSession')} opened, ${lines('C_CloseSession')} closed`);
}

function lines(name: string): number {
  return readFileSync(`${faulty}.log`, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(name)).length;
}

function helperPid(): number {
  const found = readdirSync('/proc').find((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    try {
      const parent = readFileSync(`/proc/${entry}/stat`, 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ')[1];
      return (
        Number(parent) === process.pid && readFileSync(`/proc/${entry}/cmdline`, 'latin1').includes('pkcs11-helper')
      );
    } catch {
      return false; // ended meanwhile
    }
  });
  return Number(found);
}

function rss(pid: number): string {
  const [, pages = '0'] = readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ');
  return mb(Number(pages) * 4096);
}

function mb(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
