/** What a user of `init` does next: nothing but to start an AWS program, from wherever it is started. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { CLI, PKI, cleanEnv, runProgram } from '../support/cli.ts';
import type { CliResult } from '../support/cli.ts';
import { requireModule, requireTool } from '../support/tools.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Real clients, all of which have their credentials by their default chain. */
const CLIENTS: readonly { name: string; there: () => boolean; words: (endpoint: string) => readonly string[] }[] = [
  {
    name: 'the AWS CLI',
    there: () => requireTool('/usr/bin/aws'),
    words: (endpoint) => ['/usr/bin/aws', '--endpoint-url', endpoint, 'sts', 'get-caller-identity', '--output=json'],
  },
  {
    name: 'boto3',
    there: () => requireModule('boto3'),
    words: (endpoint) => ['/usr/bin/python3', here('matrix/programs/who-am-i-boto3.py'), endpoint],
  },
  {
    name: 'the AWS SDK for JavaScript',
    there: () => true,
    words: (endpoint) => [process.execPath, here('who-am-i.mjs'), endpoint],
  },
];

/** Places of program, files and home: ordinary ones, and such as a person may have; and what starts the program there. */
const WORLDS = [
  ['plain', 'node'],
  [`it's a "place" with $HOME, \`id\`; 100% & more\\`, 'node-that-is-nowhere'],
] as const;

let emulator: Emulator;
let root: string;
beforeAll(async () => {
  emulator = await startTestEmulator();
  root = mkdtempSync(join(tmpdir(), 'init-'));
});
afterAll(async () => {
  rmSync(root, { recursive: true });
  await emulator.close();
});

/** Installs a copy of the program, and gives its path. */
function install(folder: string, interpreter: string): string {
  cpSync(dirname(CLI), folder, { recursive: true });
  const program = join(folder, 'cli.cjs');
  const { mode } = statSync(program);
  const text = readFileSync(program, 'utf8').replace(/^#!.*\n/, `#!/usr/bin/env ${interpreter}\n`);
  writeFileSync(program, text, { mode });
  return program;
}

describe.each(WORLDS)(
  'after init, with all paths below %j, and a program that is started by %s',
  (place, interpreter) => {
    let home: string;
    let done: CliResult;
    beforeAll(async () => {
      home = join(root, place);
      mkdirSync(home, { recursive: true });
      const program = install(join(home, 'program'), interpreter);
      for (const name of ['ec-p256.crt.pem', 'ec-p256.key.pem', 'intermediate.pem'])
        writeFileSync(join(home, name), readFileSync(`${PKI}${name}`), { mode: 0o600 });
      done = await runProgram(
        process.execPath,
        [
          program,
          'init',
          '--yes',
          '--certificate=ec-p256.crt.pem',
          '--private-key=ec-p256.key.pem',
          '--intermediates=intermediate.pem',
          ...worldFlags(emulator),
        ],
        { env: { HOME: home }, cwd: home },
      );
    });

    it('the file is written, once the line gave credentials', () => {
      expect(done).toMatchObject({ status: 0, stdout: `${join(home, '.aws/config')}\n` });
      expect(done.stderr).toContain('the line gives credentials until');
      const [line] = /^credential_process = .*/m.exec(readFileSync(join(home, '.aws/config'), 'utf8')) ?? [''];
      expect(line.includes(process.execPath)).toBe(interpreter !== 'node');
    });

    describe.each(CLIENTS)('$name', ({ there, words }) => {
      it.runIf(there())('has credentials from a shell', async () => {
        const [file = '', ...args] = words(emulator.url);
        const env = cleanEnv({ HOME: home, AWS_EC2_METADATA_DISABLED: 'true' });
        const { status, stdout } = await runProgram(file, args, { env, cwd: tmpdir() });
        expect({ status, stdout }).toMatchObject({
          status: 0,
          stdout: expect.stringContaining('assumed-role/Workload/') as unknown,
        });
      });

      it.runIf(there())('has them with the environment of cron', async () => {
        const line = ['env', '-i', 'PATH=/usr/bin:/bin', `HOME=${home}`, ...words(emulator.url)];
        const { status, stdout } = await runProgram('/usr/bin/env', line.slice(1), { cwd: '/' });
        expect({ status, stdout }).toMatchObject({
          status: 0,
          stdout: expect.stringContaining('assumed-role/Workload/') as unknown,
        });
      });

      it.runIf(there())('has them without a home, from a file that AWS_CONFIG_FILE names', async () => {
        const line = [
          '-i',
          'PATH=/usr/bin:/bin',
          `AWS_CONFIG_FILE=${join(home, '.aws/config')}`,
          ...words(emulator.url),
        ];
        const { status, stdout } = await runProgram('/usr/bin/env', line, { cwd: '/' });
        expect({ status, stdout }).toMatchObject({
          status: 0,
          stdout: expect.stringContaining('assumed-role/Workload/') as unknown,
        });
      });
    });
  },
);
