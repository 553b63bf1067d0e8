import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KEY_KINDS, type KeyKind } from '../../../../certs-dev/authority.ts';
import type { Emulator } from '../../../../src/emulator/emulator.ts';
import { cleanEnv } from '../../../support/cli.ts';
import { requireTool } from '../../../support/tools.ts';
import { ARNS, certificatePem, makeAuthority, makeClient, startWith } from '../../support/world.ts';

const SCRIPT = fileURLToPath(new URL('../../support/create-session.sh', import.meta.url));
const TOOLS = ['bash', 'openssl', 'curl', 'sha256sum', 'od'].every((tool) => requireTool(tool));
const DATE = '20300615T120000Z';

describe.skipIf(!TOOLS)('requests signed by openssl', () => {
  let dir: string;
  let emulator: Emulator;
  let intermediate: Awaited<ReturnType<typeof makeAuthority>>;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'roles-anywhere-emulator-'));
    const root = await makeAuthority('root');
    intermediate = await makeAuthority('intermediate', { issuer: root });
    emulator = await startWith(root);
    write('chain.pem', certificatePem(intermediate.certificate));
  });
  afterAll(async () => {
    await emulator.close();
    rmSync(dir, { recursive: true });
  });

  function write(name: string, text: string): void {
    writeFileSync(join(dir, name), text, { mode: 0o600 });
  }

  async function createSession({
    kind,
    serial = '5a',
    date = DATE,
    place = 'query',
    key = 'key.pem',
  }: {
    kind: KeyKind;
    serial?: string | undefined;
    date?: string | undefined;
    place?: 'query' | 'body' | undefined;
    key?: string | undefined;
  }): Promise<{ status: number; body: unknown }> {
    const client = await makeClient(intermediate, { kind, serialNumber: serial });
    write('leaf.pem', certificatePem(client.certificate));
    write('key.pem', client.key.export({ type: 'pkcs8', format: 'pem' }).toString());
    const files = ['leaf.pem', key, 'chain.pem'].map((name) => join(dir, name));
    const args = [emulator.url, 'us-east-1', date, ...files, ARNS.trustAnchorArn, ARNS.profileArn, ARNS.roleArn, place];
    const { stdout } = await promisify(execFile)(SCRIPT, args, { env: cleanEnv() });
    const end = stdout.lastIndexOf('\n');
    return { status: Number(stdout.slice(end)), body: JSON.parse(stdout.slice(0, end)) };
  }

  it.each(KEY_KINDS)('are accepted from a key of kind %s', async (kind) => {
    const { status, body } = await createSession({ kind });
    expect({ status, reason: emulator.verdicts.at(-1)?.reason }).toMatchObject({ status: 201 });
    expect(body).toMatchObject({
      credentialSet: [{ credentials: { expiration: '2030-06-15T13:00:00Z' }, sourceIdentity: 'CN=Alice' }],
    });
  });

  it.each(['01', '0080', 'f0e1d2c3b4a5968778695a4b3c2d1e0f00112233'])(
    'are accepted with serial number %s',
    async (serial) => {
      const { status } = await createSession({ kind: 'ec-p256', serial });
      expect({ status, reason: emulator.verdicts.at(-1)?.reason }).toMatchObject({ status: 201 });
    },
  );

  it('are accepted with the ARNs in the body', async () => {
    const { status } = await createSession({ kind: 'ec-p384', place: 'body' });
    expect({ status, reason: emulator.verdicts.at(-1)?.reason }).toMatchObject({ status: 201 });
  });

  it("are refused when the key is not the certificate's", async () => {
    const other = await makeClient(intermediate);
    write('other.pem', other.key.export({ type: 'pkcs8', format: 'pem' }).toString());
    const { status, body } = await createSession({ kind: 'ec-p256', key: 'other.pem' });
    expect({ status, body }).toEqual({ status: 403, body: { message: 'Invalid signature' } });
    expect(emulator.verdicts.at(-1)?.expected).toContain('POST\n/sessions\nprofileArn=arn%3Aaws%3Arolesanywhere');
  });

  it.each(['20300615T120501Z', '20300615T115459Z'])('are refused when they are of %s', async (date) => {
    const { status } = await createSession({ kind: 'ec-p256', date });
    expect(status).toBe(403);
    expect(emulator.verdicts.at(-1)?.reason).toMatch(/x-amz-date is 30\d seconds/);
  });

  it('are accepted at the edge of the window', async () => {
    const { status } = await createSession({ kind: 'ec-p256', date: '20300615T120500Z' });
    expect(status).toBe(201);
  });
});
