/** Files of settings: AWS's own, which other programs read too, and the command line. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { externalDataInterceptor, loadSharedConfigFiles } from '@smithy/core/config';
import { parseConfigured } from '../../../src/options/config/configured.ts';
import { ConfigFile } from '../../../src/options/config/file.ts';
import { sharedProfile } from '../../../src/options/config/shared-profile.ts';
import { joinWords, splitWords } from '../../../src/options/config/words.ts';
import { parseAny } from '../../../src/options/any-line.ts';
import { withBlock, withoutBlock } from '../../../src/output/profile-block.ts';
import { editProfile, removeFromProfile } from '../../../src/output/profile-edit.ts';
import { RolesAnywhereError } from '../../../src/platform/errors.ts';
import { PythonBatch } from '../harness/batch.ts';
import { type OpenTarget, check, textOf } from '../harness/target.ts';

type Profiles = Readonly<Record<string, Readonly<Record<string, string | Readonly<Record<string, string>>>>>>;

const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';

const CONFIG = `# a comment
[default]
region = eu-central-1
output=json

[profile a]
role_arn = arn:aws:iam::123456789012:role/A
rolesanywhere_certificate = "/etc/pki/a b.pem" ; note
rolesanywhere_trust_anchor_arn = arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/00000000-0000-0000-0000-000000000000
rolesanywhere_role = b c
services = s
s3 =
  max_concurrent_requests = 20
  addressing_style = path

[services s]
sts =
  endpoint_url = https://sts.example.com
[profile "b c"]
rolesanywhere_private_key: /etc/pki/b.key
`;
const CREDENTIALS = `[default]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = ${SECRET}
# >>> roles-anywhere a >>>
[a]
aws_access_key_id=ASIAOLD
aws_secret_access_key=${SECRET}
aws_session_token=t
# <<< roles-anywhere a <<<
`;
const WORDS = [
  '[default]\n',
  '[profile a]\n',
  '[a]\n',
  ' = ',
  '=',
  '\n ',
  '\n\t',
  '#',
  ';',
  ' ;',
  '[',
  ']',
  '\ufeff',
  '\r',
  '\u0085',
  '\u2028',
  '"',
  "'",
  '[DEFAULT]\n',
  '[profile __proto__]',
  '[profile.a]\n',
  '[profile.default]\n',
];

/** Headers and keys. */
const NAMES = /^\s*(?:\[.*|[\w.-]+\s*[=:])/gm;

function atLine(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    if (error instanceof RolesAnywhereError) {
      check(
        /, line \d+: | has no profile /.test(error.message),
        `an error about a file names the line: ${error.message}`,
      );
      return error;
    }
    throw error;
  }
}

/** Reads a file in every way that ours does. */
const config: OpenTarget = () => ({
  seeds: [CONFIG, CREDENTIALS],
  forms: ['text'],
  words: WORDS,
  secrets: [SECRET],
  names: NAMES,
  run(input) {
    const text = textOf(input);
    sharedProfile(text, 'a').get('region');
    sharedProfile(text, 'default').service('s', 'sts', 'endpoint_url');
    const words = splitWords(text);
    if (words !== undefined)
      check(
        JSON.stringify(splitWords(joinWords(words))) === JSON.stringify(words),
        'words that are joined split as they were',
      );
    const file = atLine(() => new ConfigFile({ path: 'config', text }));
    if (!(file instanceof ConfigFile)) return;
    for (const name of file.profiles()) atLine(() => file.profile(name).get('region'));
  },
});

/** As the AWS SDK for JavaScript reads the same text. */
const configSdk: OpenTarget = () => ({
  seeds: [CONFIG, CREDENTIALS],
  forms: ['text'],
  words: WORDS,
  async run(input) {
    const text = textOf(input);
    const file = atLine(() => new ConfigFile({ path: 'config', text }));
    if (!(file instanceof ConfigFile)) return;
    externalDataInterceptor.interceptFile('/fuzz', text);
    externalDataInterceptor.interceptFile('/none', '');
    const { configFile } = await loadSharedConfigFiles({
      configFilepath: '/fuzz',
      filepath: '/none',
      ignoreCache: true,
    });
    const theirs = configFile as Profiles;
    for (const name of file.profiles()) {
      // Others it does not find at all, so that there is nothing to compare.
      if (!/^[\w@+.%:/-]+$/.test(name)) continue;
      // It wants one blank behind `profile`, where botocore takes any number.
      if (!Object.hasOwn(theirs, name) && /^\s*\[[^\]]*\s\s/m.test(text)) continue;
      const section = atLine(() => file.profile(name));
      if (section instanceof Error) continue;
      for (const key of ['region', 'role_arn', 'output', 'rolesanywhere_certificate']) {
        const value = atLine(() => (section as ReturnType<ConfigFile['profile']>).get(key)?.value ?? '');
        if (value instanceof Error) continue;
        const their = Object.hasOwn(theirs, name) ? (theirs[name]?.[key] ?? '') : '';
        check(value === their, `[${name}] ${key} is ${JSON.stringify(value)}, to the SDK ${JSON.stringify(their)}`);
      }
    }
  },
});

const BOTOCORE = `
import json, sys
from botocore.configloader import load_config
from botocore.exceptions import ConfigParseError
path = sys.argv[1]
def read(text):
    with open(path, 'w', encoding='utf-8', newline='') as file:
        file.write(text)
    try:
        return load_config(path)['profiles']
    except ConfigParseError:
        return None
    except Exception as error:
        return {'error': {'error': repr(error)}}
for line in sys.stdin:
    print(json.dumps([read(text) for text in json.loads(line)]), flush=True)
`;

/** As botocore does: it refuses the same files as a whole, and finds the same values in all others. */
const configBotocore: OpenTarget = () => {
  if (spawnSync('/usr/bin/python3', ['-c', 'import botocore']).status !== 0) return 'botocore is not there';
  const work = mkdtempSync(join(tmpdir(), 'roles-anywhere-fuzz-botocore-'));
  process.on('exit', () => rmSync(work, { recursive: true, force: true }));
  const botocore = new PythonBatch<string, Profiles | null>(BOTOCORE, join(work, 'config'));
  return {
    seeds: [CONFIG, CREDENTIALS],
    forms: ['text'],
    words: WORDS,
    // Python's own parser takes the square of a line of blanks.
    largeBytes: 0,
    run(input) {
      const text = textOf(input);
      const file = atLine(() => {
        const read = new ConfigFile({ path: 'config', text });
        read.profiles();
        return read;
      });
      const refused = !(file instanceof ConfigFile);
      const values: [name: string, key: string, value: string][] = [];
      for (const name of file instanceof ConfigFile ? file.profiles() : []) {
        const section = atLine(() => (file as ConfigFile).profile(name));
        if (section instanceof Error) continue;
        for (const key of ['region', 'role_arn', 'output', 'rolesanywhere_certificate']) {
          const value = atLine(() => (section as ReturnType<ConfigFile['profile']>).get(key)?.value ?? '');
          if (!(value instanceof Error)) values.push([name, key, value as string]);
        }
      }
      botocore.ask(input, text, (theirs) => {
        check(
          refused === (theirs === null),
          refused ? 'a file that botocore reads is refused' : 'a file that botocore refuses is read',
        );
        for (const [name, key, value] of values) {
          const their = Object.hasOwn(theirs ?? {}, name) ? (theirs?.[name]?.[key] ?? '') : '';
          if (typeof their === 'string')
            check(
              value === their,
              `[${name}] ${key} is ${JSON.stringify(value)}, to botocore ${JSON.stringify(their)}`,
            );
        }
      });
    },
    settle: () => botocore.settle(),
  };
};

const SETTINGS = new Map([
  ['aws_access_key_id', 'ASIANEW'],
  ['aws_secret_access_key', 'new/+=secret'],
  ['aws_session_token', 'new/token=='],
]);

/** What is written into a file is found there by the SDK, and nothing else is changed. */
const credentialsFile: OpenTarget = () => ({
  largeBytes: 1 << 15,
  seeds: [CREDENTIALS, CONFIG, ''],
  forms: ['text'],
  words: [...WORDS, 'aws_access_key_id = ', 'aws_session_token = ', 'x_security_token_expires = '],
  secrets: [SECRET],
  names: NAMES,
  async run(input) {
    const text = textOf(input);
    const followers = new Map([['x_security_token_expires', '2026-11-29T00:00:00Z']]);
    for (const profile of ['default', 'a']) {
      const edited = editProfile(text, profile, { wanted: SETTINGS, followers }, '~/.aws/credentials');
      const before = await credentialsBySdk(text);
      const after = await credentialsBySdk(edited);
      for (const [name, value] of SETTINGS)
        check(after[profile]?.[name] === value, `${name} of [${profile}] is found: ${JSON.stringify(edited)}`);
      // A header that only some read as one is mended on the way, which changes what the others find.
      const plain = text
        .split('\n')
        .every((line) => !line.trim().startsWith('[') || /^\[[^\]]*\]$/.test(line.trimEnd()));
      for (const name of Object.keys(before))
        if (plain && name !== profile && name.trim() !== profile)
          check(
            JSON.stringify(before[name]) === JSON.stringify(after[name]),
            `[${name}] stays as it was: ${JSON.stringify(edited)}`,
          );
      const removed = removeFromProfile(edited, profile, { accessKeyId: 'ASIANEW', names: [...SETTINGS.keys()] }, 'f');
      check(removed !== undefined, 'what was written can be removed');
      const left = await credentialsBySdk(removed);
      check(left[profile]?.['aws_session_token'] === undefined, 'what is removed is not there');
      const again = editProfile(edited, profile, { wanted: SETTINGS, followers }, 'f');
      check(again === edited, 'what is written twice is as if it were written once');
    }
  },
});

async function credentialsBySdk(text: string): Promise<Profiles> {
  externalDataInterceptor.interceptFile('/fuzz', text);
  externalDataInterceptor.interceptFile('/none', '');
  const files = await loadSharedConfigFiles({ configFilepath: '/none', filepath: '/fuzz', ignoreCache: true });
  return files.credentialsFile as Profiles;
}

const BLOCK = {
  profile: 'a',
  settings: new Map([['credential_process', 'roles-anywhere credential-process']]),
  defaults: new Map([['region', 'us-east-1']]),
};

/** The block that init writes into a config file, and takes out again. */
const profileBlock: OpenTarget = () => ({
  largeBytes: 1 << 15,
  seeds: [CONFIG, CREDENTIALS, '', withBlock(CONFIG, BLOCK, 'f'), withBlock('', BLOCK, 'f')],
  forms: ['text'],
  words: WORDS,
  run(input) {
    const text = textOf(input);
    const edited = withBlock(text, BLOCK, '~/.aws/config');
    check(withBlock(edited, BLOCK, 'f') === edited, 'a block that is written twice is as if it were written once');
    const removed = withoutBlock(edited, 'a', 'f');
    check(removed !== undefined, `a block can be taken out again: ${JSON.stringify(edited)}`);
    check(withoutBlock(removed, 'a', 'f') === undefined, `and is gone then: ${JSON.stringify(removed)}`);
  },
});

/** Command lines, one argument a line, with a config file behind an empty line. */
const commandLine: OpenTarget = () => ({
  seeds: [
    `serve\n--role-arn\narn:aws:iam::123456789012:role/A\n--port=9911\n--config-profile=a\n\n${CONFIG}`,
    `credential-process\n--certificate\nc.pem\n--private-key\nk.pem\n--session-duration=900\n\n${CONFIG}`,
    `update\n--profile\np\n--role=a=arn:aws:iam::123456789012:role/B,certificate=x\n--once\n\n`,
    `assume-role\n--config-profile\na\n--external-id=${SECRET}\n--policy={"Statement":[]}\n\n${CONFIG}`,
    'exec\n--\nenv\n\n',
  ],
  forms: ['text'],
  words: [...WORDS, '--', '--help', '-h', '=true', '=false', '--config-profile=a\n'],
  async run(input) {
    const [line = '', text = ''] = textOf(input).split(/\n\n([\s\S]*)/);
    const tokens = line.split('\n');
    const env = { AWS_PROFILE: 'a', ROLES_ANYWHERE_REGION: text.slice(0, 20), HOME: '/nowhere' };
    const readConfig = (path: string): { path: string; text: string; exposed: boolean } => ({
      path,
      text,
      exposed: false,
    });
    const surroundings = { program: 'roles-anywhere', compat: false, env, shared: text, readConfig };
    const read = parseConfigured(tokens, surroundings);
    if (read === undefined) await parseAny(tokens, { program: 'roles-anywhere', compat: false });
  },
});

export const CONFIGURATION: Readonly<Record<string, OpenTarget>> = {
  config,
  'config-sdk': configSdk,
  'config-botocore': configBotocore,
  'credentials-file': credentialsFile,
  'profile-block': profileBlock,
  'command-line': commandLine,
};
