/** How a line is read: the grammar of Go's pflag and cobra. */
import type { Line } from '../support/compare.ts';
import { ARNS, EC, ENDPOINT, vend } from './words.ts';

const joined = [...ARNS, ...EC, ...ENDPOINT].reduce<string[]>(
  (words, word, index) => (index % 2 === 0 ? [...words, word] : [...words.slice(0, -1), `${words.at(-1)}=${word}`]),
  [],
);
const CONFLICTS = [
  ['--cert-selector', 'Key=x509Subject,Value=CN=web'],
  ['--system-store-name', 'MY'],
  ['--use-latest-expiring-certificate'],
  ['--use-latest-expiring-certificate=false'],
  ['--pkcs8-password', 'a', '--tpm-key-password', 'b'],
  ['--no-tpm-key-password', '--tpm-key-password', 'b'],
  ['--tpm-key-password', 'b', '--reuse-pin'],
];

export const GRAMMAR_LINES: readonly Line[] = [
  { name: 'takes values behind an equals sign', args: ['credential-process', ...joined] },
  { name: 'takes flags before the command', args: ['--region=eu-west-1', ...vend()] },
  { name: 'takes a flag with its value before the command', args: ['--region', 'eu-west-1', ...vend()] },
  { name: 'takes the last of several', args: vend('--session-duration', '900', '--session-duration', '1800') },
  { name: 'takes the last of several switches', args: vend('--debug', '--debug=false') },
  { name: 'takes an argument that belongs to no flag', args: vend('stray') },
  { name: 'takes arguments behind --', args: vend('--', '--debug') },
  { name: 'takes a word behind a switch as an argument', args: vend('--with-proxy', 'false') },
  { name: 'takes a dash as an argument', args: vend('-') },
  {
    name: 'meets a flag behind a backslash and a blank',
    args: vend(' --region', 'eu-west-1'),
    differs: { by: 'broken-line', in: 'ours refuses' },
  },
  { name: 'takes --no-verify-ssl', args: vend('--no-verify-ssl') },
  { name: 'takes --help=false', args: vend('--help=false') },
  { name: 'takes --no-tpm-key-password=false', args: vend('--no-tpm-key-password=false') },
  ...['true', '1', 't', 'T', 'TRUE', 'True', 'false', '0', 'f', 'F', 'FALSE', 'False'].map((word) => ({
    name: `reads the switch --reuse-pin=${word}`,
    args: vend(`--reuse-pin=${word}`),
  })),
  ...['yes', 'on', 'tRUE', ''].map((word) => ({
    name: `refuses the switch --reuse-pin=${word}`,
    args: vend(`--reuse-pin=${word}`),
  })),
  ...[
    '--unknown',
    '--Region=x',
    '--session_duration=900',
    '-region',
    '-d',
    '--no-debug',
    '--deb',
    '---debug',
    '--=x',
  ].map((flag) => ({ name: `refuses ${flag}`, args: vend(flag) })),
  { name: 'refuses a flag without its value', args: vend('--region') },
  {
    name: 'takes a value that begins with a dash',
    args: vend('--region', '--debug'),
    differs: { by: 'early-checks', in: 'ours refuses' },
  },
  { name: 'refuses a flag of another command', args: vend('--port', '1') },
  ...CONFLICTS.map((flags) => ({ name: `refuses ${flags.join(' ')}`, args: vend(...flags) })),
  ...['--certificate', '--trust-anchor-arn', '--profile-arn', '--role-arn', '--private-key'].map((flag) => {
    const whole = vend();
    const at = whole.indexOf(flag);
    const differs = flag === '--role-arn' ? ({ by: 'early-checks', in: 'ours refuses' } as const) : undefined;
    return { name: `meets a line without ${flag}`, args: [...whole.slice(0, at), ...whole.slice(at + 2)], differs };
  }),
  { name: 'prints the version', args: ['version'], differs: { by: 'version', in: ['stdout'] } },
  { name: 'prints the version for -v', args: ['-v'], differs: { by: 'own-flags', in: 'theirs refuses' } },
  { name: 'prints the version for --version', args: ['--version'], differs: { by: 'own-flags', in: 'theirs refuses' } },
  {
    name: 'takes the flag of a command before it',
    args: ['--debug', 'version'],
    differs: { by: 'own-flags', in: 'theirs refuses' },
  },
  {
    name: 'prints the version for one more argument',
    args: ['version', 'extra'],
    differs: { by: 'version', in: ['stdout'] },
  },
  { name: 'prints help without arguments', args: [], differs: { by: 'help-text', in: ['stdout'] } },
  { name: 'prints help for help', args: ['help'], differs: { by: 'help-text', in: ['stdout'] } },
  { name: 'prints help for --help', args: ['--help'], differs: { by: 'help-text', in: ['stdout'] } },
  { name: 'prints help for -h', args: ['-h'], differs: { by: 'help-text', in: ['stdout'] } },
  {
    name: 'prints help for a command',
    args: ['credential-process', '--help'],
    differs: { by: 'help-text', in: ['stdout'] },
  },
  {
    name: 'prints help for help with a command',
    args: ['help', 'serve'],
    differs: { by: 'help-text', in: ['stdout'] },
  },
  {
    name: 'prints help for -- before the command',
    args: ['--', 'credential-process'],
    differs: { by: 'help-text', in: ['stdout'] },
  },
  { name: 'refuses an unknown command', args: ['bogus'] },
  {
    name: 'meets help for an unknown command',
    args: ['help', 'bogus'],
    differs: { by: 'help-for-nothing', in: 'ours refuses' },
  },
  ...['bash', 'zsh', 'fish', 'powershell'].map((shell) => ({
    name: `prints the completion of ${shell}`,
    args: ['completion', shell],
    differs: { by: 'completion', in: ['stdout'] } as const,
  })),
  {
    name: 'meets completion without a shell',
    args: ['completion'],
    differs: { by: 'help-for-nothing', in: 'ours refuses' },
  },
  ...[
    '',
    'nonsense',
    'Key=x509Subject',
    'Key=x509Serial,Value=1 Key=x509Serial,Value=2',
    'file://{files}/selector-bad.json',
  ].map((selector) => ({
    name: `refuses the selector "${selector}"`,
    args: ['read-certificate-data', '--cert-selector', selector],
  })),
];
