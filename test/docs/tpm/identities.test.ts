// docs/identities.md, "From an empty TPM to credentials" and "Bound to the state of the machine": what it says, done.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../../src/emulator/emulator.ts';
import { cleanEnv, COMMAND_LINE, runProgram } from '../../support/cli.ts';
import { requireTool } from '../../support/tools.ts';
import { Simulator, hasSimulator, runTool } from '../../support/tpm/simulator.ts';
import { startTestEmulator } from '../../support/vending.ts';

const page = readFileSync(new URL('../../../docs/identities.md', import.meta.url), 'utf8');

/** The blocks that are marked to be run, in the page's order. */
const BLOCKS = [...page.matchAll(/<!-- run -->\n```sh\n([\s\S]*?)```/g)].map(([, commands]) => commands ?? '');

describe.skipIf(!hasSimulator())('the commands of docs/identities.md about TPMs', () => {
  let folder: string;
  let tpm: Simulator;
  let emulator: Emulator;
  let env: Record<string, string>;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tpm-docs-'));
    mkdirSync(join(folder, 'bin'));
    // As an installed package has it.
    writeFileSync(join(folder, 'bin', 'roles-anywhere'), `#!/bin/sh\nexec ${COMMAND_LINE} "$@"\n`);
    chmodSync(join(folder, 'bin', 'roles-anywhere'), 0o755);
    tpm = await new Simulator('tcp').start();
    env = cleanEnv({ ...tpm.env, HOME: folder, PATH: `${join(folder, 'bin')}:/usr/local/bin:/usr/bin:/bin:/usr/sbin` });
  });
  afterAll(async () => {
    await emulator.close();
    await tpm.remove();
    rmSync(folder, { recursive: true });
  });

  it('lead from an empty TPM to credentials, with a PCR policy too', async () => {
    expect(BLOCKS.length).toBe(5);
    const outputs: string[] = [];
    for (const block of BLOCKS) {
      if (existsSync(join(folder, 'ca.pem')) && env['TRUST_ANCHOR_ARN'] === undefined) {
        emulator = await startTestEmulator({
          trustAnchors: [{ certificates: readFileSync(join(folder, 'ca.pem'), 'utf8') }],
        });
        env['ROLES_ANYWHERE_ENDPOINT'] = emulator.url;
        env['TRUST_ANCHOR_ARN'] = emulator.trustAnchorArns[0] ?? '';
        env['PROFILE_ARN'] = emulator.profileArns[0] ?? '';
        env['ROLE_ARN'] = emulator.roleArns[0] ?? '';
      }
      outputs.push(await runTool('sh', ['-ec', block], { cwd: folder, env }));
    }
    // The last one prints credentials.
    expect(JSON.parse(outputs.at(-1) ?? '')).toMatchObject({ Version: 1 });
    // As an SDK would run it.
    const config = readFileSync(join(folder, '.aws', 'config'), 'utf8');
    const line = /credential_process = (.*)/.exec(config)?.[1] ?? '';
    expect(JSON.parse(await runTool('sh', ['-ec', line], { cwd: folder, env }))).toMatchObject({ Version: 1 });
    expect(await tpm.leftovers()).toEqual([]);
  }, 60_000);

  it.skipIf(!requireTool('aws'))(
    'make a profile that the AWS CLI works with',
    async () => {
      const result = await runProgram(
        'aws',
        ['--endpoint-url', emulator.url, 'sts', 'get-caller-identity', '--profile', 'tpm'],
        {
          env: { ...env, AWS_DEFAULT_REGION: emulator.region },
        },
      );
      expect([result.status, result.stderr]).toEqual([0, '']);
      expect(result.stdout).toContain('assumed-role');
    },
    60_000,
  );
});
