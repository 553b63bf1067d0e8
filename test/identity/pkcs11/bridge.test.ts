import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { Clock } from '../../../src/platform/clock.ts';
import { createBridge, helperEnvironment } from '../../../src/identity/pkcs11/bridge.ts';
import { findHelper } from '../../../src/identity/pkcs11/helper-path.ts';
import { VERSION } from '../../../src/platform/version.ts';
import { refusal } from '../../support/refusal.ts';
import { HELPER } from '../../support/softhsm.ts';
import { NOTE_PID, StandIns, connect, isRunning } from '../../support/stand-in-helper.ts';
import { runProgram } from '../../support/cli.ts';

const stand = new StandIns();
const { directory } = stand;
afterAll(() => stand.remove());

describe('the environment of a helper', () => {
  it.each([
    'PATH',
    'HOME',
    'LC_ALL',
    'XDG_RUNTIME_DIR',
    'LD_LIBRARY_PATH',
    'SystemRoot',
    'SOFTHSM2_CONF',
    'P11_KIT_SERVER_ADDRESS',
    'OPENSC_CONF',
    'ChrystokiConfigurationPath',
    'TPM2_PKCS11_STORE',
    // What no list of known modules had.
    'DBUS_SESSION_BUS_ADDRESS',
    'P11NETHSM_CONFIG_FILE',
    'PKCS11_PROXY_SOCKET',
    'PKCS11_PROXY_TLS_PSK_FILE',
    'NSS_LIB_PARAMS',
    'HTTPS_PROXY',
    'VAULT_TOKEN',
    'GPG_TTY',
  ])('keeps %s', (name) => expect(helperEnvironment({ [name]: 'x' })).toEqual({ [name]: 'x' }));

  it.each([
    'AWS_ACCESS_KEY_ID',
    'AWS_SECRET_ACCESS_KEY',
    'AWS_PROFILE',
    'aws_session_token',
    'ROLES_ANYWHERE_PKCS11_PIN',
    'ROLES_ANYWHERE_PKCS12_PASSWORD',
    'NODE_OPTIONS',
    'NODE_CHANNEL_FD',
    'NOTIFY_SOCKET',
    'LISTEN_FDS',
    'WATCHDOG_USEC',
  ])('leaves %s out', (name) => expect(helperEnvironment({ [name]: 'x' })).toEqual({}));

  it('leaves out the variables that hold material, and keeps those of AWS for a command that runs once', () => {
    const env = { AWS_PROFILE: 'x', MY_KEY: 'x', ROLES_ANYWHERE_PKCS11_PIN: 'x', NODE_OPTIONS: 'x' };
    expect(helperEnvironment(env, { aws: true, secrets: ['MY_KEY'] })).toEqual({ AWS_PROFILE: 'x' });
  });

  it("tells Electron's executable that it is to be a Node", () => {
    const versions = { ...process.versions, electron: '40.0.0' };
    expect(helperEnvironment({}, { versions })).toEqual({ ELECTRON_RUN_AS_NODE: '1' });
  });
});

describe('the helper program is', () => {
  it("the package's own, after an npm install", () => {
    expect(findHelper({ resolve })).toBe('/node_modules/roles-anywhere/pkcs11-helper');
    expect(existsSync(findHelper())).toBe(true);
  });
  it('the one beside a copy of the folder that the package is in', () => {
    const path = stand.program('pkcs11-helper', '');
    const chunk = pathToFileURL(join(directory, 'chunks', 'chunk.cjs')).href;
    expect(findHelper({ resolve: nowhere, from: chunk })).toBe(path);
    expect(findHelper({ resolve: nowhere, from: pathToFileURL(join(directory, 'cli.cjs')).href })).toBe(path);
  });
  it('the one that a bundled program names', () => {
    expect(findHelper({ helperPath: HELPER, resolve: nowhere })).toBe(HELPER);
  });
  it('missed with a code, when a bundle forgot it', async () => {
    const error = await refusal(() => findHelper({ resolve: nowhere }));
    expect(error).toMatchObject({ code: 'ERR_PKCS11_HELPER', hint: expect.stringContaining('helperPath') as string });
    expect((await refusal(() => findHelper({ helperPath: '/nonexistent' }))).code).toBe('ERR_PKCS11_HELPER');
  });
});

describe('a bridge', () => {
  it('refuses a helper of another version', async () => {
    const path = stand.helper('other', '', { ready: '0.0.0' });
    expect(await refusal(connect(path))).toMatchObject({
      code: 'ERR_PKCS11_HELPER',
      message: expect.stringContaining('0.0.0') as string,
    });
  });

  it.each([
    ['ends at once', 'process.exit(3)', 'status 3'],
    ['cannot be read', 'this is not JavaScript', 'status 1'],
  ])('reports a helper that %s', async (name, code, words) => {
    const error = await refusal(connect(stand.program(name.replaceAll(' ', '-'), code)));
    expect(error.code).toBe('ERR_PKCS11_MODULE_CRASHED');
    expect(error.message).toContain(words);
  });

  it.each([
    ['null', 'null'],
    ['a number', '0'],
    ['a text', '"x"'],
    ['a list', '[]'],
    ['an answer to nothing', '{ answer: 1 }'],
    ['an answer to a text', '{ id: "1", answer: 1 }'],
    ['an answer that is none', '{ id, answer: 1 }'],
    ['an answer without a part', '{ id, answer: { manufacturer: "x", description: "x" } }'],
    ['an answer to another question', '{ id, answer: "AAAA" }'],
    ['an answer that nobody has asked for', '{ id: id + 1, answer: null }'],
    ['a failure that is none', '{ id, failure: null }'],
    ['a failure without a reason', '{ id, failure: { kind: "not-found" } }'],
    ['a failure without words', '{ id, failure: { kind: "error", error: { code: "ERR_SIGN" } } }'],
    ['a failure of a number', '{ id, failure: { kind: "cryptoki", function: 1, returnValue: 5 } }'],
    ['a failure with a megabyte of words', '{ id, failure: { kind: "unexpected", message: "x".repeat(1 << 20) } }'],
    ['that it is there, once more', `{ ready: ${JSON.stringify(VERSION)} }`],
  ])('outlives a helper that sends %s, and says that its module crashed', async (_name, message) => {
    const error = await refusal(connect(stand.helper('mad', `say(JSON.stringify(${message}) + '\\n')`)));
    expect(error.code).toBe('ERR_PKCS11_MODULE_CRASHED');
    expect(error.message).toBe('the helper process with the PKCS#11 module sent what is no answer during "open"');
  });

  it('takes an answer that comes byte by byte, and several in one piece', async () => {
    const answer = `{ manufacturer: 'é', description: '', version: { major: 1, minor: 2 } }`;
    const path = stand.helper(
      'slow',
      `if (operation === 'open') for (const byte of Buffer.from(JSON.stringify({ id, answer: ${answer} }) + '\\n')) say(Uint8Array.of(byte));
       else if (asked === 3) say([2, 3].map((id) => JSON.stringify({ id, answer: [] }) + '\\n').join(''))`,
    );
    const port = await connect(path)();
    expect(await Promise.all([port.ask('tokens', {}), port.ask('mechanisms', { slot: 1n })])).toEqual([[], []]);
    await port.close();
  });

  it('says at the next question that a helper was lost meanwhile, and opens another', async () => {
    const answer = `{ manufacturer: '', description: '', version: { major: 1, minor: 2 } }`;
    const path = stand.helper(
      'idle',
      `${NOTE_PID}; say(JSON.stringify({ id, answer: ${answer} }) + '\\n');
       require('node:fs').readSync(4, Buffer.alloc(1)); say('noise\\n'); wait()`,
    );
    const open = connect(path);
    const port = await open();
    const lost = stand.pid();
    // The helper that stands in writes once a PIN comes, which is no answer to the question.
    const error = await refusal(() => port.ask('login', { slot: 1n, pin: Buffer.from('1') }));
    expect(error.code).toBe('ERR_PKCS11_MODULE_CRASHED');
    expect((await refusal(() => port.ask('tokens', {}))).code).toBe('ERR_PKCS11_MODULE_CRASHED');
    await port.close();
    const next = await open();
    expect([isRunning(lost), stand.pid() === lost]).toEqual([false, false]);
    await next.close();
  });

  it('gives the helper no arguments of Node, no standard streams, and its channel alone', async () => {
    const out = join(directory, 'facts.json');
    const path = stand.program(
      'facts',
      `require('fs').writeFileSync(${JSON.stringify(out)}, JSON.stringify({
         execArgv: process.execArgv, argv: process.argv.slice(2), pin: process.env.ROLES_ANYWHERE_PKCS11_PIN ?? null,
         streams: [0, 1, 2].map((fd) => require('fs').readlinkSync('/proc/self/fd/' + fd)),
       })); process.exit(0);`,
    );
    await refusal(connect(path));
    expect(JSON.parse(readFileSync(out, 'utf8'))).toEqual({
      execArgv: [],
      argv: ['--channel'],
      pin: null,
      streams: ['/dev/null', '/dev/null', '/dev/null'],
    });
  });

  it('waits longer after each crash, up to a limit, and not before the first start', async () => {
    const pauses: number[] = [];
    const clock: Clock = {
      now: () => 0,
      monotonic: () => 0,
      setTimer(callback, delayMs) {
        pauses.push(delayMs);
        setImmediate(callback);
        return { cancel: () => undefined };
      },
    };
    const helperPath = stand.program('crash', 'process.exit(1)');
    const { connect: open } = createBridge({
      libraries: [],
      env: { ...process.env },
      helperPath,
      backoffMs: 30,
      clock,
    });
    for (let index = 0; index < 10; index += 1) await refusal(open);
    expect(pauses).toEqual([30, 60, 120, 240, 480, 960, 1920, 3000, 3000]);
  });
});

it('the helper program is not run by hand', async () => {
  const { status, stdout, stderr } = await runProgram(process.execPath, [HELPER]);
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toContain('this is a helper program');
});

it('a helper whose channel is no channel ends', async () => {
  const { status, stdout } = await runProgram('/bin/sh', [
    '-c',
    'exec "$@" 3<&-',
    'sh',
    process.execPath,
    HELPER,
    '--channel',
  ]);
  expect([status, stdout]).toEqual([0, '']);
});

function nowhere(): never {
  throw new Error('not found');
}

function resolve(specifier: string): string {
  return `/node_modules/${specifier}`;
}
