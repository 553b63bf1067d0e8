/** `update --once`: what is left of the credentials file. */
import type { DifferenceId } from '../../../scripts/differences.ts';
import type { Aspect, Line } from '../support/compare.ts';
import { ARNS, EC, ENDPOINT } from './words.ts';

const once = (...more: string[]): string[] => ['update', '--once', ...ARNS, ...EC, ...ENDPOINT, ...more];
const OLD = 'aws_access_key_id = OLD\naws_secret_access_key = OLD\naws_session_token = OLD\n';

/** A line about a file that both write, and write alike but for a difference. */
function line(name: string, file: string | undefined, by?: DifferenceId, aspects: readonly Aspect[] = ['file']): Line {
  return {
    name: `update: ${name}`,
    args: once(),
    file: file ?? null,
    differs: by === undefined ? undefined : { by, in: aspects },
  };
}

export const UPDATE_LINES: readonly Line[] = [
  line('the three keys are replaced in their places', `[a]\nx = 1\n[default]\n${OLD}[b]\ny = 2\n`),
  line('comments and other keys stay', `# one\n[default]\n# two\n${OLD}region = x\n\n; three\n[b]\ny = 2\n`),
  line(
    'keys in another order',
    `[default]\naws_session_token=a\naws_secret_access_key=b\naws_access_key_id=c\n[b]\ny = 2\n`,
  ),
  {
    ...line('another profile', `[default]\n${OLD}[work]\n${OLD}[b]\ny = 2\n`),
    args: once('--profile', 'work'),
    env: { AWS_PROFILE: 'nothing-here' },
    differs: { by: 'sdk-trifles', in: 'theirs refuses' },
  },
  { ...line('a refusal leaves the file', `[default]\n${OLD}[b]\n`), answer: '403' },
  line('a file that is not there', undefined, 'update-places'),
  line('a new section', '[a]\nx = 1\n', 'update-places'),
  line('a key that was not there', '[default]\naws_access_key_id = OLD\nregion = x\n\n[b]\n', 'update-half-key', [
    'outcome',
    'requests',
    'file',
  ]),
  line('the last line of the last section', `[default]\n${OLD}region = x\n`, 'update-last-line'),
  line('a header in the last line', '[a]\nx = 1\n[default]', 'update-last-line'),
  line('a line of 70 kB', `[default]\n${OLD}[a]\nx = ${'x'.repeat(70_000)}\ny = 1\n`, 'update-long-line'),
  line('CR LF', `[default]\n${OLD}[b]\ny = 2\n`.replaceAll('\n', '\r\n'), 'update-line-ends'),
  line('a comment behind the header', `[default] # mine\n${OLD}[b]\ny = 2\n`, 'update-header'),
  line('a key that begins like another', `[default]\n${OLD}aws_session_token_old = x\n[b]\ny = 2\n`, 'update-keys'),
  line('the older token', `[default]\n${OLD}aws_security_token = OLD\n[b]\ny = 2\n`, 'update-older-token'),
  {
    ...line('a section twice', `[default]\n${OLD}[b]\ny = 2\n[b]\n`),
    differs: { by: 'update-refused-file', in: 'ours refuses' },
  },
  {
    ...line('a name that tools read differently', `[default]\n${OLD}[b]\ny = 2\n`),
    args: once('--profile', 'DEFAULT'),
    differs: { by: 'update-names', in: 'ours refuses' },
  },
  {
    ...line('no home', `[default]\n${OLD}[b]\ny = 2\n`),
    env: { HOME: '' },
    differs: { by: 'update-home', in: 'theirs refuses' },
  },
];
