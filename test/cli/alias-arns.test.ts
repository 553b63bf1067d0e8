import { describe, expect, it } from 'vitest';
import { INSTALLED, PKI, runCli, runProgram } from '../support/cli.ts';
import { scriptedServer } from '../support/scripted-server.ts';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const SERVICE = 'arn:aws:rolesanywhere:eu-west-1:123456789012';

/** A line whose service refuses whatever it is asked, and the query of what it was asked. */
async function vend(resources: { anchor: string; profile: string }, asHelper = false) {
  const server = await scriptedServer((response) => {
    response.writeHead(404, { 'x-amzn-errortype': 'ResourceNotFoundException' });
    response.end('{"message":"no such resource"}');
  });
  const args = [
    ['credential-process', '--certificate', `${PKI}ec-p256.crt.pem`, '--private-key', `${PKI}ec-p256.key.pem`],
    ['--trust-anchor-arn', `${SERVICE}:${resources.anchor}`, '--profile-arn', `${SERVICE}:${resources.profile}`],
    ['--role-arn', 'arn:aws:iam::123456789012:role/Demo', '--endpoint', server.url],
  ].flat();
  const dir = mkdtempSync(join(tmpdir(), 'ra-alias-'));
  try {
    const helper = join(dir, 'aws_signing_helper');
    symlinkSync(INSTALLED, helper);
    const { status, stderr } = asHelper ? await runProgram(helper, args, { env: NODE_FIRST }) : await runCli(args);
    const { searchParams } = new URL(server.requests[0]?.url ?? '/', server.url);
    return { status, stderr, anchor: searchParams.get('trustAnchorArn'), profile: searchParams.get('profileArn') };
  } finally {
    rmSync(dir, { recursive: true });
    await server.close();
  }
}

/** The Node of this run for what a link leads to. */
const NODE_FIRST = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` };

describe('ARNs of aliases', () => {
  it.each([false, true])('are sent as they are (under the name of AWS helper: %s)', async (asHelper) => {
    const resources = { anchor: 'alias/trust-anchor/home/a', profile: 'alias/profile/Deploy' };
    const { status, stderr, anchor, profile } = await vend(resources, asHelper);
    expect([status, anchor, profile]).toEqual([
      4,
      `${SERVICE}:alias/trust-anchor/home/a`,
      `${SERVICE}:alias/profile/Deploy`,
    ]);
    expect(stderr).not.toContain('is sent as it is');
  });
});

describe('an ARN of a form that this version does not know', () => {
  it.each([false, true])(
    'is for the service to refuse, with a warning under our own name alone (%s)',
    async (asHelper) => {
      const { status, stderr, profile } = await vend(
        { anchor: 'alias/trust-anchor/a', profile: 'profile/v2/x' },
        asHelper,
      );
      expect([status, profile]).toEqual([4, `${SERVICE}:profile/v2/x`]);
      expect(stderr.includes('--profile-arn: this version knows no ARN of the form')).toBe(!asHelper);
    },
  );
});
