import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { INSTALLED, PKI, runProgram, type CliResult } from '../support/cli.ts';
import { requireTool } from '../support/tools.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';
import { awsHome, type AwsHome } from './config-file.ts';

/** Debian's, and whatever newer one the PATH finds first. */
const CLIS = [...new Set(['/usr/bin/aws', ...newer()])].filter((aws) => requireTool(aws));

function newer(): string[] {
  const found = (process.env['PATH'] ?? '').split(':').map((dir) => join(dir, 'aws'));
  return found.filter((aws) => aws !== '/usr/bin/aws' && aws !== '/bin/aws' && isThere(aws)).slice(0, 1);
}

function isThere(path: string): boolean {
  try {
    return requireTool(path);
  } catch {
    return false;
  }
}

let emulator: Emulator;
const homes: AwsHome[] = [];

beforeAll(async () => {
  emulator = await startTestEmulator();
});
afterAll(async () => {
  for (const made of homes) made.remove();
  await emulator.close();
});

/** A home whose profile calls the program by its old name, through a link as `roles-anywhere link` makes one. */
function home(certificate: (dir: string) => string): AwsHome {
  const made = awsHome((dir) => {
    const link = join(dir, 'aws_signing_helper');
    symlinkSync(INSTALLED, link);
    return [
      `"${link}" credential-process`,
      `--certificate ${certificate(dir)} --private-key ${PKI}ec-p256.key.pem`,
      `--intermediates ${PKI}intermediate.pem`,
      ...worldFlags(emulator),
    ].join(' ');
  });
  homes.push(made);
  return made;
}

function whoAmI(aws: string, { env }: AwsHome): Promise<CliResult> {
  // Debian's AWS CLI knows no endpoint variables.
  return runProgram(aws, ['--endpoint-url', emulator.url, 'sts', 'get-caller-identity', '--output', 'json'], {
    env: { ...env, PATH: `${process.execPath.replace(/\/[^/]*$/, '')}:/usr/bin:/bin` },
  });
}

describe.each(CLIS)('%s', (aws) => {
  it('says its version', async () => {
    const { stdout, stderr } = await runProgram(aws, ['--version']);
    console.log(`${aws}: ${(stdout + stderr).trim()}`);
    expect(stdout + stderr).toMatch(/^aws-cli\/\d/);
  });

  it('gets its credentials from credential_process and proves them', async () => {
    const { status, stdout, stderr } = await whoAmI(
      aws,
      home(() => `${PKI}ec-p256.crt.pem`),
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const identity = JSON.parse(stdout) as { Arn: string };
    expect(identity.Arn).toMatch(/^arn:aws:sts::123456789012:assumed-role\/Workload\//);
  });

  it('passes on an argument with spaces, quoted as AWS documents it', async () => {
    const { status, stderr } = await whoAmI(
      aws,
      home((dir) => {
        const folder = join(dir, 'with some spaces');
        mkdirSync(folder);
        copyFileSync(`${PKI}ec-p256.crt.pem`, join(folder, 'my certificate.pem'));
        return `"${join(folder, 'my certificate.pem')}"`;
      }),
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('shows the reason when there are no credentials', async () => {
    const { status, stderr } = await whoAmI(
      aws,
      home((dir) => `"${join(dir, 'none.pem')}"`),
    );
    expect(status).not.toBe(0);
    expect(stderr).toContain('ERR_FILE_NOT_FOUND');
  });
});
