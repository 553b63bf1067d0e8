import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, it } from 'vitest';
import { EXTERNAL_ID, FIRST, startChainEmulator } from '../support/chain-world.ts';
import { cleanEnv, PKI, PROGRAM, runCli } from '../support/cli.ts';
import { worldFlags } from '../support/vending.ts';

let child: ChildProcess | undefined;
afterEach(async () => {
  if (child === undefined || child.exitCode !== null) return;
  const ended = once(child, 'exit');
  child.kill();
  await ended;
});

/** The variables that `serve` prints for a shell. */
async function environmentOf(started: ChildProcess): Promise<Record<string, string>> {
  let text = '';
  for await (const chunk of started.stdout ?? []) {
    text += String(chunk);
    if (text.includes('AWS_CONTAINER_AUTHORIZATION_TOKEN=') && text.endsWith('\n')) break;
  }
  const lines = [...text.matchAll(/(?:export )?(AWS_\w+)='?([^'\n]*)'?/g)];
  return Object.fromEntries(lines.map(([, name = '', value = '']) => [name, value]));
}

it('serve gives the credentials of the last role of a chain', async () => {
  const emulator = await startChainEmulator();
  try {
    const identity = ['--certificate', `${PKI}ec-p256.crt.pem`, '--private-key', `${PKI}ec-p256.key.pem`];
    const chain = [
      '--intermediates',
      `${PKI}intermediate.pem`,
      ...worldFlags(emulator),
      '--sts-endpoint',
      emulator.url,
    ];
    const hop = ['--assume-role-arn', FIRST, '--external-id', EXTERNAL_ID, '--assume-role-session-name', 'served'];
    const serve = ['serve', '--port', '0', '--no-imds', '--print-token', '--shell', 'sh'];
    child = spawn(PROGRAM[0], [...PROGRAM.slice(1), ...serve, ...identity, ...chain, ...hop], {
      env: cleanEnv({ XDG_RUNTIME_DIR: '/tmp' }),
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const env = await environmentOf(child);
    const url = env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '';
    const headers = { authorization: env['AWS_CONTAINER_AUTHORIZATION_TOKEN'] ?? '' };
    const answer = (await (await fetch(url, { headers })).json()) as Record<string, unknown>;
    expect(answer).toMatchObject({ RoleArn: FIRST, AccountId: FIRST.split(':')[4] });
    // What is served is good for another hop, of a role that lets its own account in.
    const source = ['--source', 'container', '--region', 'us-east-1', '--sts-endpoint', emulator.url];
    const next = ['--assume-role-arn', emulator.roleArns[0] ?? ''];
    expect(await runCli(['assume-role', ...source, ...next], { env })).toMatchObject({ stderr: '', status: 0 });
    const calls = emulator.verdicts.map(({ reason }) => reason);
    expect(calls.some((reason) => reason.includes('First/served'))).toBe(true);
  } finally {
    await emulator.close();
  }
});
