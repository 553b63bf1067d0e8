/** What is written to credentials files, and what they become. */
export const CREDENTIALS = { accessKeyId: 'ASIANEW', secretAccessKey: 'new/+=secret', sessionToken: 'new/token==' };
export const KEYS =
  'aws_access_key_id = ASIANEW\naws_secret_access_key = new/+=secret\naws_session_token = new/token==\n';

export const OLD = 'aws_access_key_id = OLD\naws_secret_access_key = OLD\naws_session_token = OLD\n';
export const EDITS: readonly [string, string, string][] = [
  ['an empty file', '', `[dev]\n${KEYS}`],
  ['a section that is there', `[a]\nx = 1\n[dev]\n${OLD}[b]\ny = 2\n`, `[a]\nx = 1\n[dev]\n${KEYS}[b]\ny = 2\n`],
  ['another section only, without an end of its last line', '[a]\nx = 1', `[a]\nx = 1\n\n[dev]\n${KEYS}`],
  // three that aws_signing_helper update gets wrong
  ['the last section with another key last', `[dev]\n${OLD}region = x`, `[dev]\n${KEYS}region = x\n`],
  ['a bare header after it', `[dev]\n${OLD}[other]`, `[dev]\n${KEYS}[other]\n`],
  ['a header in the last line', '[a]\nx = 1\n[dev]', `[a]\nx = 1\n[dev]\n${KEYS}`],
  ['a line of 70 kB', `[a]\nx = ${'x'.repeat(70_000)}\n[dev]\n`, `[a]\nx = ${'x'.repeat(70_000)}\n[dev]\n${KEYS}`],
  ['CRLF', '[dev]\r\nregion = x\r\n', `[dev]\r\n${KEYS.replaceAll('\n', '\r\n')}region = x\r\n`],
  ['a comment behind the header', `[dev] # mine\n${OLD}`, `[dev] # mine\n${KEYS}`],
  ['a comment without a space', `[dev]# mine\n${OLD}`, `[dev] # mine\n${KEYS}`],
  ['spaces in the brackets', `[ dev ]\n${OLD}region=x\n`, `[dev]\n${KEYS}region=x\n`],
  ['spaces before the header', `  [dev]\n${OLD}`, `  [dev]\n${KEYS}`],
  [
    'indented keys',
    '[dev]\n  region = x\n  s3 =\n    y = 1\n',
    `[dev]\n${KEYS.replaceAll(/^(?=.)/gm, '  ')}  region = x\n  s3 =\n    y = 1\n`,
  ],
  [
    'an indented header after it',
    '[dev]\n  [b]\n  y = 2\n',
    `[dev]\n${KEYS.replaceAll(/^(?=.)/gm, '  ')}  [b]\n  y = 2\n`,
  ],
  ['a token that botocore prefers', `[dev]\n${OLD}aws_security_token = OLD\n`, `[dev]\n${KEYS}`],
  ['keys in upper case, and with a colon', '[dev]\nAWS_ACCESS_KEY_ID: OLD\n', `[dev]\n${KEYS}`],
  [
    'a value of several lines',
    `[dev]\n${OLD}  more\n\n  more\n# kept\nregion = x\n`,
    `[dev]\n${KEYS}\n# kept\nregion = x\n`,
  ],
  [
    'keys in another order',
    '[dev]\naws_session_token=a\nregion = x\naws_access_key_id=b\n',
    '[dev]\naws_session_token = new/token==\nregion = x\naws_access_key_id = ASIANEW\naws_secret_access_key = new/+=secret\n',
  ],
  ['a nested block last', '[dev]\ns3 =\n  y = 1\n', `[dev]\n${KEYS}s3 =\n  y = 1\n`],
  ['what is not ASCII', '# é ☃ \u00a0\n[dév]\nx = ☃\n', `# é ☃ \u00a0\n[dév]\nx = ☃\n\n[dev]\n${KEYS}`],
];
