import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { Clock } from '../../../src/platform/clock.ts';
import { createBridge, helperEnvironment } from '../../../src/identity/pkcs11/bridge.ts';
import type { Connect } from '../../../src/identity/pkcs11/port.ts';
import { findHelper } from '../../../src/identity/pkcs11/helper-path.ts';
import { VERSION } from '../../../src/platform/version.ts';
import { refusal } from '../../support/refusal.ts';
import { HELPER } from '../../support/softhsm.ts';
import { runProgram } from '../../support/cli.ts';

const directory = mkdtempSync(join(tmpdir(), 'bridge-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** A helper program that does what the test wants. */
function helper(name: string, code: string): string {
  const path = join(directory, `${name}.cjs`);
  writeFileSync(path, code);
  return path;
}

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
});

describe('the helper program is', () => {
  it("the package's own, after an npm install", () => {
    expect(findHelper({ resolve })).toBe('/node_modules/roles-anywhere/pkcs11-helper');
    expect(existsSync(findHelper())).toBe(true);
  });
  it('the one beside a copy of the folder that the package is in', () => {
    const path = helper('pkcs11-helper', '');
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
    const path = helper('other', `process.on('message', () => {}); process.send({ ready: '0.0.0' });`);
    expect(await refusal(connect(path))).toMatchObject({
      code: 'ERR_PKCS11_HELPER',
      message: expect.stringContaining('0.0.0') as string,
    });
  });

  it.each([
    ['ends at once', 'process.exit(3)', 'status 3'],
    ['cannot be read', 'this is not JavaScript', 'status 1'],
  ])('reports a helper that %s', async (name, code, words) => {
    const error = await refusal(connect(helper(name.replaceAll(' ', '-'), code)));
    expect(error.code).toBe('ERR_PKCS11_MODULE_CRASHED');
    expect(error.message).toContain(words);
  });

  it.each([
    'null',
    '0',
    '"x"',
    '[]',
    '{ answer: 1 }',
    '{ id: "1", answer: 1 }',
    '{ id, failure: null }',
    '{ id, failure: { kind: "not-found" } }',
    '{ id, failure: { kind: "error", error: { code: "ERR_SIGN" } } }',
    '{ id, failure: { kind: "cryptoki", function: 1, returnValue: 5 } }',
  ])('outlives a helper that sends %s, and says that its module crashed', async (message) => {
    const path = helper(
      'mad',
      `process.on('message', ({ id }) => process.send(${message})); process.send({ ready: ${JSON.stringify(VERSION)} });`,
    );
    const error = await refusal(connect(path));
    expect(error.code).toBe('ERR_PKCS11_MODULE_CRASHED');
    expect(error.message).toContain('sent what is no answer');
  });

  it('gives the helper no arguments of Node, no standard streams, and the channel alone', async () => {
    const out = join(directory, 'facts.json');
    const path = helper(
      'facts',
      `require('fs').writeFileSync(${JSON.stringify(out)}, JSON.stringify({
         execArgv: process.execArgv, argv: process.argv.slice(2), pin: process.env.ROLES_ANYWHERE_PKCS11_PIN ?? null,
         streams: [0, 1, 2].map((fd) => require('fs').readlinkSync('/proc/self/fd/' + fd)),
       })); process.exit(0);`,
    );
    await refusal(connect(path));
    expect(JSON.parse(readFileSync(out, 'utf8'))).toEqual({
      execArgv: [],
      argv: [],
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
    const helperPath = helper('crash', 'process.exit(1)');
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

function nowhere(): never {
  throw new Error('not found');
}

function resolve(specifier: string): string {
  return `/node_modules/${specifier}`;
}

/** Opens a port by a helper program. */
function connect(helperPath: string): Connect {
  return createBridge({ libraries: ['/nonexistent.so'], env: { ...process.env }, helperPath, backoffMs: 1 }).connect;
}
