/** Standard error of the built `serve`, from its first line to a failure to start. */
import { expect, it } from 'vitest';
import { runCli } from '../support/cli.ts';

const ARNS = [
  [
    '--trust-anchor-arn',
    'arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/11111111-1111-1111-1111-111111111111',
  ],
  ['--profile-arn', 'arn:aws:rolesanywhere:us-east-1:123456789012:profile/22222222-2222-2222-2222-222222222222'],
  ['--role-arn', 'arn:aws:iam::123456789012:role/Demo'],
].flat();

/** Warns of the variable and of a flag, and then cannot start. */
const start = (...flags: string[]) =>
  runCli(['serve', ...ARNS, '--certificate', '/nonexistent', '--port', '0', '--hop-limit', '1', ...flags], {
    env: { ROLES_ANYWHERE_CERTIFICAT: 'x' },
  });

it.each([[[]], [['--log-format', 'json']]])(
  'is JSON where the log is, warnings and the last error too: %j',
  async (flags) => {
    const { status, stderr } = await start(...flags);
    expect(status).toBe(3);
    const lines = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map(({ level, code }) => [level, code])).toEqual([
      ['warn', undefined],
      ['warn', undefined],
      ['error', 'ERR_FILE_NOT_FOUND'],
    ]);
    for (const line of lines) expect(line).toMatchObject({ time: expect.any(String), message: expect.any(String) });
    expect(lines[2]).toHaveProperty('hint');
  },
);

it('is text where text is asked for', async () => {
  const { stderr } = await start('--log-format', 'text');
  expect(stderr).toMatch(
    /^\S+Z warn {2}.*\n\S+Z warn {2}.*\nroles-anywhere: error: .* \[ERR_FILE_NOT_FOUND\]\nhint: .*\n$/,
  );
});
