/** What a person at a terminal is told of waits by the built program: whatever takes longer than a second has a name. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HOUR_MS } from '../../certs-dev/authority.ts';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { identityFlags } from '../clients/serve-process.ts';
import { makeCa, writeIdentity } from '../renewal/support/ca.ts';
import type { TestFiles } from '../renewal/support/ca.ts';
import { PROGRAM, runCli, runProgram } from '../support/cli.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import { type FaultyModule, faultyToken } from '../support/faulty-module.ts';
import { scriptedServer } from '../support/scripted-server.ts';
import { PIN, type SoftHsm, hasSoftHsm } from '../support/softhsm.ts';
import { runOnTerminal } from '../support/terminal.ts';
import { requireTool } from '../support/tools.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';
import { refuse, startWorkloadApi } from '../support/workload-api.ts';

const SLOW_MS = 1900;
const SRC = fileURLToPath(new URL('../../src/', import.meta.url));

/** Every file that waits for somebody else, and what is said meanwhile; or why nothing is. */
const WAITS: Readonly<Record<string, string>> = {
  'commands/connection.ts': 'HOST to answer; the next attempt',
  'commands/chain.ts': 'the code of --mfa-command',
  'commands/kept-session.ts': 'another process to get the same credentials',
  'commands/update/hook.ts': 'the program of --on-update',
  'http/proxied.ts': 'the proxy HOST to lead to HOST',
  'identity/pkcs11/bridge.ts': 'the PKCS#11 module to load, and each thing that it is asked for',
  'identity/pkcs11/pin-guard.ts': 'another process to present its PIN to the token',
  'identity/spiffe/stream.ts': 'the SPIFFE Workload API at PLACE to answer',
  'identity/spiffe/workload-api.ts': 'the SPIFFE Workload API at PLACE to answer',
  'identity/tpm/access.ts': 'the TPM at PLACE',
  'output/credentials-file.ts': 'the lock of FILE; whoever writes FILE at this moment',
  'platform/files.ts': 'what comes through standard input or a pipe',
  'renewal/issuers/command.ts': 'the command NAME',
  'sources/credential-process.ts': 'the credential_process of profile NAME',
};
const UNNAMED: Readonly<Record<string, string>> = {
  'platform/waits.ts': 'says it',
  'begin.ts': 'a full pipe: whoever reads it knows',
  'cli.ts': 'the same',
  'aws/retry.ts': 'named by commands/connection.ts',
  'commands/browser.ts': 'waits for the start alone',
  'commands/exec/child.ts': 'the terminal is the child’s',
  'commands/init/program.ts': 'starts this program for its version',
  'credentials/cache/lock.ts': 'named by commands/kept-session.ts',
  'identity/containers/pkcs12-kdf.ts': 'lets others have their turn',
  'identity/pkcs11/helper.ts': 'its parent says it',
  'identity/tpm/connect.ts': 'named by identity/tpm/access.ts',
  'identity/tpm/device-file.ts': 'named by identity/tpm/access.ts',
  'identity/tpm/sender.ts': 'named by identity/tpm/access.ts',
  'identity/tpm/tpm.ts': 'named by identity/tpm/access.ts',
  'platform/file-lock.ts': 'named by output/credentials-file.ts',
  'server/systemd.ts': 'a manager starts it, not a person',
  'sources/token-providers.ts': 'named by commands/chain.ts; others ask a person',
};

describe('the list of waits', () => {
  it('has every file that starts a program, polls, or says what it waits for', () => {
    const waiting =
      /\b(?:spawn|fork|execFile|awaited|beginWait|Atomics\.wait)\(|node:timers\/promises|\b(?:LEAST_)?POLL_MS\b|\bpollMs\b/;
    const found = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
      .map((file) => file.replaceAll('\\', '/'))
      .filter((file) => file.endsWith('.ts') && !/^(?:emulator|console\/page)\//.test(file))
      .filter((file) => waiting.test(readFileSync(join(SRC, file), 'utf8')));
    // It polls for files that others write, and nobody waits for that.
    const known = [...Object.keys(WAITS), ...Object.keys(UNNAMED), 'identity/reload.ts'];
    expect(found.toSorted()).toEqual(known.toSorted());
  });

  it('has a name said by each of the first', () => {
    for (const file of Object.keys(WAITS))
      expect(readFileSync(join(SRC, file), 'utf8')).toMatch(/\b(?:awaited|beginWait|tellOfBlockingWait)\(/);
  });
});

/** Runs a line on a terminal and on pipes at once. */
async function expectNamed(
  words: string | RegExp,
  line: readonly string[],
  env: Record<string, string> = {},
): Promise<void> {
  const [{ stdout }, { stderr }] = await Promise.all([
    runOnTerminal([...PROGRAM, ...line], [], env),
    runCli(line, { env }),
  ]);
  const said = stdout.split('\n').filter((text) => text.includes('waiting for '));
  const isNamed = (text: string): boolean =>
    typeof words === 'string' ? text.endsWith(`waiting for ${words} (1 s)`) : words.test(text);
  // With all that was shown, in case that it fails.
  expect({ stdout, isNamed: said.some(isNamed) }).toEqual({ stdout, isNamed: true });
  expect(stderr).not.toContain('waiting for ');
}

describe.skipIf(!requireTool('python3'))(
  'on a terminal, a wait of more than a second is named, and on a pipe it is not:',
  () => {
    let emulator: Emulator;
    let folder: string;
    beforeAll(async () => {
      emulator = await startTestEmulator();
    });
    afterAll(() => emulator.close());
    const servers: { close(): Promise<void> }[] = [];
    const opened = <T extends { close(): Promise<void> }>(server: T): T => {
      servers.push(server);
      return server;
    };
    afterEach(async () => {
      for (const server of servers.splice(0)) await server.close();
    });
    beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'waits-'))));
    afterEach(() => rmSync(folder, { recursive: true }));

    const vending = (...more: readonly string[]): string[] => [...identityFlags(emulator), ...more];

    it.each([
      ['credential-process', []],
      ['exec', ['--server', '--', 'true']],
      ['update', ['--once', '--profile', 'waits']],
    ])('the service, by %s', async (command, more) => {
      const server = opened(
        await scriptedServer((response) => setTimeout(() => response.writeHead(403).end(), SLOW_MS)),
      );
      const line = vending('--endpoint', server.url, ...more);
      const env = { AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials') };
      await expectNamed(`${new URL(server.url).host} to answer`, [command, ...line], env);
    });

    it('the next attempt', async () => {
      const server = opened(await scriptedServer((response) => response.writeHead(503, { 'retry-after': '2' }).end()));
      const line = ['credential-process', ...vending('--endpoint', server.url, '--max-attempts', '2')];
      await expectNamed(/waiting for the next attempt, after: .* \(1 s\)/, line);
    });

    it('a proxy', async () => {
      const proxy = opened(await startConnectProxy({ silent: true }));
      const through = ['--proxy', `http://127.0.0.1:${proxy.port}`, '--connect-timeout', '2', '--max-attempts', '1'];
      const line = ['credential-process', ...vending('--endpoint', 'https://rolesanywhere.test', ...through)];
      const words = `the proxy 127.0.0.1:${proxy.port} to lead to rolesanywhere.test`;
      await expectNamed(words, line);
    });

    it('the credential_process of a profile', async () => {
      const file = join(folder, 'config');
      writeFileSync(file, '[profile slow]\ncredential_process = sh -c "sleep 1.9; exit 1"\n');
      const line = [
        'whoami',
        '--source',
        'profile',
        '--source-profile',
        'slow',
        '--region',
        'us-east-1',
        '--sts-endpoint',
        emulator.url,
      ];
      await expectNamed('the credential_process of profile "slow"', line, { AWS_CONFIG_FILE: file });
    });

    it('the lock of the credentials file', async () => {
      const file = join(folder, 'credentials');
      writeFileSync(`${file}.lock`, 'another\n');
      setTimeout(() => rmSync(`${file}.lock`), 3000);
      const line = ['update', '--once', ...vending()];
      await expectNamed(`the lock of ${file}`, line, { AWS_SHARED_CREDENTIALS_FILE: file });
    });

    it('the program of --on-update', async () => {
      const line = ['update', '--once', ...vending('--on-update', 'sleep 1.9')];
      const env = { AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials') };
      await expectNamed('the program of --on-update, for profile default', line, env);
    });

    it.each([
      ['standard input', '-', '- (standard input)', 'sleep 1.9 | exec "$@"'],
      ['a pipe that a shell makes', '/dev/fd/7', '/dev/fd/7', 'sleep 1.9 | exec "$@" 7<&0 0</dev/null'],
    ])('%s', async (_what, value, name, script) => {
      const line = ['sh', '-c', script, 'sh', ...PROGRAM, 'sign-string', '--private-key', value] as const;
      const [{ stdout }, { stderr }] = await Promise.all([runOnTerminal(line, []), runProgram(line[0], line.slice(1))]);
      expect(stdout).toContain(`waiting for --private-key ${name} (1 s)`);
      expect(stderr).not.toContain('waiting for ');
    });

    it('a TPM', async () => {
      const silent = createServer((socket) => {
        socket.on('error', () => undefined);
        setTimeout(() => socket.destroy(), SLOW_MS);
      });
      await new Promise<void>((listening) => silent.listen(0, '127.0.0.1', listening));
      const { port } = silent.address() as AddressInfo;
      const where = `127.0.0.1:${port}`;
      const line = ['sign-string', '--private-key', 'handle:0x81000001'];
      const env = { TPM2TOOLS_TCTI: `swtpm:host=127.0.0.1,port=${port}` };
      await expectNamed(`the TPM at ${where}`, line, env).finally(() => silent.close());
    });

    it.each([
      ['an X.509-SVID', () => ['credential-process', ...worldFlags(emulator), '--certificate', 'spiffe:']],
      [
        'an X.509-SVID that is followed',
        () => ['exec', ...worldFlags(emulator), '--certificate', 'spiffe:', '--server', '--', 'true'],
      ],
      [
        'a JWT-SVID',
        () => [
          'web-identity',
          '--web-identity-token=spiffe:?audience=sts.amazonaws.com',
          '--region=us-east-1',
          '--role-arn=arn:aws:iam::123456789012:role/Federated',
          `--sts-endpoint=${emulator.url}`,
        ],
      ],
    ])('the Workload API, for %s', async (_what, line) => {
      const api = opened(await startWorkloadApi((question) => setTimeout(() => refuse(question, 7, 'no'), SLOW_MS)));
      const env = { SPIFFE_ENDPOINT_SOCKET: api.address };
      await expectNamed(/waiting for the SPIFFE Workload API at .* to answer \(1 s\)/, line(), env);
    });

    describe('in a renewal', () => {
      let files: TestFiles;
      beforeAll(async () => {
        files = await writeIdentity(await makeCa(), { lifeMs: HOUR_MS });
      });
      afterAll(() => rmSync(files.folder, { recursive: true }));
      const renew = (...more: readonly string[]): string[] => [
        'renew',
        '--force',
        `--certificate=${files.certificate}`,
        `--private-key=${files.privateKey}`,
        ...more,
      ];

      it('the command', async () => {
        await expectNamed('the command sh', renew('--renew-command', "sh -c 'sleep 1.9; exit 1'"));
      });

      it('the issuer', async () => {
        const silent = createServer((socket) => {
          socket.on('error', () => undefined);
          setTimeout(() => socket.destroy(), SLOW_MS);
        });
        await new Promise<void>((listening) => silent.listen(0, '127.0.0.1', listening));
        const { port } = silent.address() as AddressInfo;
        const line = renew('--renew-from', `est:https://127.0.0.1:${port}`);
        await expectNamed(`127.0.0.1:${port} to answer`, line).finally(() => silent.close());
      });
    });

    describe.skipIf(!hasSoftHsm() || !requireTool('gcc'))('of a PKCS#11 token', () => {
      let hsm: SoftHsm;
      let faulty: FaultyModule;
      beforeAll(async () => {
        ({ hsm, faulty } = await faultyToken());
      });
      afterAll(() => hsm.remove());
      afterEach(() => faulty.behave());
      const uri = `pkcs11:token=main;object=p256?pin-value=${PIN}`;
      const line = (): string[] => [
        'credential-process',
        ...worldFlags(emulator),
        `--certificate=${uri}`,
        `--pkcs11-lib=${faulty.path}`,
      ];

      it.each([
        ['initialize', 'the PKCS#11 module to load'],
        ['login', 'the PKCS#11 token to take the PIN'],
        ['value', 'the PKCS#11 token to list its certificates'],
        ['mechanisms', 'the PKCS#11 token to tell what it can do'],
        ['sign', 'the PKCS#11 token to sign: it may want to be touched'],
      ])('%s', async (place, words) => {
        faulty.behave(`${place}=slower`);
        await expectNamed(words, line(), hsm.env);
      });

      it('the turn of another process', async () => {
        faulty.behave('login=slower');
        faulty.forget();
        const first = runCli(line(), { env: hsm.env });
        while (faulty.count('C_Login') === 0) await new Promise((resolve) => setTimeout(resolve, 10));
        const { stdout } = await runOnTerminal([...PROGRAM, ...line()], [], hsm.env);
        expect(stdout).toContain('waiting for another process to present its PIN to the token (1 s)\n');
        expect((await first).stderr).not.toContain('waiting for ');
      });
    });

    it('but never that a child of exec has not ended', async () => {
      const { status, stdout } = await runOnTerminal([...PROGRAM, 'exec', ...vending(), '--', 'sleep', '2.2'], []);
      expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    });
  },
);
