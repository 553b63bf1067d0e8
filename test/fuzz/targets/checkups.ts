/** What doctor and trust-policy read: lines of profiles as their readers take them, reports, roots, certificates whose names go into policies. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { commandLine } from '../../../src/commands/init/program.ts';
import { awsCli } from '../../../src/commands/trust-policy/aws-cli.ts';
import { cdk } from '../../../src/commands/trust-policy/cdk.ts';
import { cloudFormation } from '../../../src/commands/trust-policy/cloudformation.ts';
import type { Anchor } from '../../../src/commands/trust-policy/setup.ts';
import { terraform } from '../../../src/commands/trust-policy/terraform.ts';
import { checkEnvironment } from '../../../src/doctor/environment.ts';
import { Notebook } from '../../../src/doctor/notebook.ts';
import { checkOptions, listSettings } from '../../../src/doctor/options.ts';
import { checkProfile } from '../../../src/doctor/profile.ts';
import { jsonReport, redactor, textReport } from '../../../src/doctor/report.ts';
import { differenceInCmd, differenceInShell, splitLikePython, splitLikeWindows } from '../../../src/doctor/words.ts';
import { certificatesIn, readCaBundle } from '../../../src/http/ca-bundle.ts';
import { subjectText } from '../../../src/identity/verdicts.ts';
import { parseConfigured } from '../../../src/options/config/configured.ts';
import { RolesAnywhereError } from '../../../src/platform/errors.ts';
import { readCertificate } from '../../../src/x509/certificate.ts';
import { DerError } from '../../../src/x509/der.ts';
import { tellingTags, trustPolicy } from '../../../src/x509/trust-policy.ts';
import { PythonBatch } from '../harness/batch.ts';
import { type OpenTarget, check, files, textOf } from '../harness/target.ts';

const PKI = 'certs-dev/out';
const SECRET = 'correct-horse-9';
const ANCHOR = 'arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/11111111-1111-1111-1111-111111111111';
const LINES = [
  `/usr/bin/roles-anywhere credential-process --certificate '/etc/pki/a b.pem' --private-key "/etc/pki/k.key"`,
  String.raw`aws_signing_helper credential-process --certificate C:\\pki\\a.pem --private-key "C:\\a b\\k.key"`,
  String.raw`"C:\Program Files\roles-anywhere\roles-anywhere.exe" credential-process --role-arn x`,
  `sh -c 'roles-anywhere credential-process --config-profile a' # note`,
  'roles-anywhere credential-process --certificate ~/pki/a.pem --private-key $HOME/k.key',
];
const LARGEST_OF_SHELL = 1 << 12;
const QUOTING = [
  '"',
  "'",
  '\\',
  '\\"',
  "'\\''",
  ' ',
  '\t',
  '$',
  '$HOME',
  '${HOME}',
  '~/',
  '#',
  ' #',
  '`',
  '*',
  '{a,b}',
  '{1..3}',
  '{',
  '}',
  '!',
  '%A%',
  '^',
];

const ORACLE = `
import json, shlex, subprocess, sys
try:
    from botocore.compat import compat_shell_split
except ImportError:
    compat_shell_split = None
def split(line, platform):
    try:
        if platform == 'linux':
            return shlex.split(line)
        return compat_shell_split(line, platform) if compat_shell_split else 'none'
    except ValueError:
        return None
def read(line, shell):
    found = {'python': split(line, 'linux'), 'windows': split(line, 'win32')}
    if shell:
        # As sh, restricted, and without programs: should it be more than words after all.
        run = subprocess.run(['/bin/bash', '--posix', '--restricted', '-c', "printf '%s\\\\0' " + line], env={'PATH': '/nowhere'},
                             stdin=subprocess.DEVNULL, capture_output=True, timeout=10)
        found['shell'] = run.stdout.decode('utf-8', 'replace').split('\\0')[:-1] if run.returncode == 0 else None
    return found
for given in sys.stdin:
    print(json.dumps([read(line, shell) for line, shell in json.loads(given)]), flush=True)
`;

interface Theirs {
  readonly python: readonly string[] | null;
  readonly windows: readonly string[] | 'none' | null;
  readonly shell?: readonly string[] | null;
}

/** A line as Python, botocore on Windows and a shell take it apart. */
const processLine: OpenTarget = () => {
  if (spawnSync('/usr/bin/python3', ['--version']).status !== 0) return 'Python is not there';
  const python = new PythonBatch<readonly [line: string, shell: boolean], Theirs>(ORACLE);
  return {
    seeds: LINES,
    forms: ['text'],
    words: QUOTING,
    // The longest argument that Linux takes is four times that.
    largeBytes: 1 << 15,
    settle: () => python.settle(),
    run(input) {
      const line = textOf(input);
      const ours = splitLikePython(line);
      // What a file can hold as one value, and a shell can be given.
      const isValue = !/[\0\r\n\ufffd]/.test(line) && 'words' in ours && ours.words.length > 0;
      const shell = isValue && differenceInShell(line) === undefined && !/^[A-Za-z_]\w*=/.test(ours.words[0] ?? '');
      const windows = splitLikeWindows(line);
      python.ask(input, [line, shell && isAskedOfShell(input)], (theirs) => {
        check(
          told(ours) === JSON.stringify(theirs.python),
          `${JSON.stringify(line)}: ${told(ours)}, to Python ${JSON.stringify(theirs.python)}`,
        );
        if (theirs.shell !== undefined)
          check(
            told(ours) === JSON.stringify(theirs.shell),
            `${JSON.stringify(line)}: ${told(ours)}, to a shell ${JSON.stringify(theirs.shell)}`,
          );
        if (theirs.windows !== 'none')
          check(
            told(windows) === JSON.stringify(theirs.windows),
            `${JSON.stringify(line)}: ${told(windows)}, to botocore on Windows ${JSON.stringify(theirs.windows)}`,
          );
      });
      differenceInCmd(line);
      if (!('words' in ours) || !isValue) return;
      // What init writes of words, both read as those words.
      const written = attempt(() => commandLine(ours.words, 'linux'));
      if (written === undefined) return;
      check(told(splitLikePython(written)) === told(ours), `written as ${written}`);
      check(differenceInShell(written) === undefined, `written as ${written}, which a shell reads otherwise`);
    },
  };
};

/**
 * One line in eight, whichever they are: a shell has to be started for each. By its bytes, so that a find is one again. None of
 * those that are large: bash takes the square of the number of braces.
 */
function isAskedOfShell(input: Uint8Array): boolean {
  return input.length <= LARGEST_OF_SHELL && (createHash('sha256').update(input).digest()[0] ?? 0) % 8 === 0;
}

function told(reading: ReturnType<typeof splitLikePython>): string {
  return JSON.stringify('words' in reading ? reading.words : null);
}

function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (error instanceof RolesAnywhereError) return undefined;
    throw error;
  }
}

const PROFILE = (line: string): string =>
  `[default]\nregion = eu-central-1\ncredential_process = ${line}\naws_secret_access_key = ${SECRET}\nrolesanywhere_pkcs8_password = ${SECRET}\n`;

/** The report on a config file: whole, inert, and without what is secret in it. */
const doctorReport: OpenTarget = () => {
  const folder = mkdtempSync(join(tmpdir(), 'roles-anywhere-fuzz-doctor-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'config');
  const program = join(folder, 'roles-anywhere');
  writeFileSync(program, '#!/usr/bin/env node\n', { mode: 0o755 });
  const env = {
    AWS_CONFIG_FILE: path,
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none'),
    HOME: folder,
    PATH: `${folder}:/usr/bin`,
  };
  const surroundings = {
    env,
    platform: 'linux' as const,
    barePath: '/usr/bin:/bin',
    commandLine: (words: readonly string[]) => commandLine(words, 'linux'),
  };
  const password = `roles-anywhere credential-process --pkcs8-password ${SECRET} --role-arn arn:aws:iam::123456789012:role/A`;
  return {
    // It says much of each word.
    largeBytes: 1 << 15,
    seeds: [...LINES, password, `${program} credential-process --proxy=http://user:${SECRET}@proxy.example:3128`].map(
      PROFILE,
    ),
    forms: ['text'],
    words: [...QUOTING, '\ncredential_process = ', '[default]\n', '--pkcs8-password=', '\u001b[2J', '\u202e'],
    run(input) {
      const text = textOf(input);
      writeFileSync(path, input);
      const notes = new Notebook();
      const line = checkProfile('default', surroundings, true, notes);
      if (line?.tokens !== undefined) {
        const { tokens, compat } = line;
        notes.try('options', () => {
          const shared = { program: 'roles-anywhere', compat, env, shared: text };
          const configured = parseConfigured(tokens, shared);
          if (configured === undefined || !('flags' in configured)) return;
          const setUp = { flags: configured.flags as never, settings: configured.settings };
          listSettings(setUp, notes);
          checkOptions(setUp, env, notes);
        });
      }
      checkEnvironment(env, 'default', notes);
      for (const redact of [undefined, redactor({ role: ['A'], profile: ['default'] })]) {
        const report = textReport(notes, { subject: text.replaceAll(SECRET, '').slice(0, 100), redact });
        // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
        const [control] = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/.exec(report) ?? [];
        check(control === undefined, `a report with ${JSON.stringify(control)}`);
        const json = jsonReport(notes, { subject: 'fuzz', redact });
        check(typeof JSON.parse(json) === 'object', 'a report in JSON is an object');
        check(!(isWhole(text) && (report + json).includes(SECRET)), `a report with a secret: ${report}`);
      }
    },
  };
};

/** Whether each secret stands where it is one: behind a flag or a key that says so. */
function isWhole(text: string): boolean {
  const places = text.split(SECRET).slice(0, -1);
  return (
    places.length > 0 &&
    places.every((before) =>
      /(?:aws_secret_access_key = |rolesanywhere_pkcs8_password = | --pkcs8-password[ =])$/.test(before),
    )
  );
}

/** Roots in a file: what is read is whole, each of them. */
const caBundle: OpenTarget = () => {
  const folder = mkdtempSync(join(tmpdir(), 'roles-anywhere-fuzz-roots-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'roots.pem');
  const [root = '', other = ''] = ['root.pem', 'intermediate.pem'].map((name) =>
    readFileSync(`${PKI}/${name}`, 'utf8'),
  );
  return {
    seeds: [root, other, `${root}# a note\n${other}`, root.replaceAll('\n', '\r\n')],
    forms: ['pem', 'text'],
    maxLength: 8192,
    words: ['-----BEGIN CERTIFICATE-----\n', '-----END CERTIFICATE-----\n', '-----BEGIN TRUSTED CERTIFICATE-----\n'],
    run(input) {
      writeFileSync(path, input);
      const found = certificatesIn(path);
      let text: string;
      try {
        text = readCaBundle(path);
      } catch (error) {
        if (error instanceof RolesAnywhereError)
          check(error.code === 'ERR_CA_BUNDLE' && error.message.includes(path), `names the file: ${error.message}`);
        throw error;
      }
      check(text === `${found.join('\n')}\n`, 'roots are given on whole, and nothing besides');
      for (const block of found)
        check(/^-----BEGIN .*-----(?:\n[A-Za-z0-9+/=]{1,64})+\n-----END .*-----$/.test(block), 'as OpenSSL reads them');
      check(found.length > 0, 'roots that are taken hold a certificate');
      const begun = text.match(/-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/g) ?? [];
      check(begun.length === found.length, `${begun.length} begin, and ${found.length} are whole`);
    },
  };
};

/** A trust policy of any certificate, in every language that it is written in. */
const policyOfCertificate: OpenTarget = () => ({
  seeds: files(PKI, /\.crt\.der$/).slice(0, 3),
  forms: ['der'],
  expects: (error) => error instanceof DerError,
  run(input) {
    const certificate = readCertificate(input, '--certificate leaf.pem');
    const { tags } = tellingTags(certificate);
    const anchors: Anchor[] = [
      { kind: 'existing', arn: ANCHOR, region: 'us-east-1' },
      { kind: 'bundle', pem: '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n' },
    ];
    for (const { value } of tags) check(/^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u.test(value), `a tag of STS: ${value}`);
    const policy = JSON.stringify(trustPolicy(tags, ANCHOR));
    for (const anchor of anchors) {
      const setup = { name: 'workload', subject: subjectText(certificate), anchor, tags };
      const template = cloudFormation(setup);
      for (const [language, text] of [
        ['the CLI', awsCli(setup)],
        ['CDK', cdk(setup)],
        ['CloudFormation', template],
        ['Terraform', terraform(setup)],
      ] as const) {
        // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
        const [control] = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/.exec(text) ?? [];
        check(control === undefined, `what is for ${language} has ${JSON.stringify(control)}`);
      }
      const { Resources } = parse(template, { version: '1.1' }) as {
        Resources: { Role: { Properties: { AssumeRolePolicyDocument: unknown } } };
      };
      const { AssumeRolePolicyDocument: document } = Resources.Role.Properties;
      if (anchor.kind === 'existing')
        check(JSON.stringify(document) === policy, `the policy of the template is ${JSON.stringify(document)}`);
    }
  },
});

export const CHECKUPS: Readonly<Record<string, OpenTarget>> = {
  'process-line': processLine,
  'doctor-report': doctorReport,
  'ca-bundle': caBundle,
  'trust-policy': policyOfCertificate,
};
