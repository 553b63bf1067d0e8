/**
 * What every client of the matrix meets: a network of its own (a Linux network
 * namespace with the loopback and 169.254.169.254, and no way out), an
 * emulator, and `serve`. So clients that have EC2's address built in are asked
 * too, and none can reach anything else.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { captureOutput } from '../../support/capture.ts';

/** The checkout: both vitest and `npm run` start there. */
const ROOT = process.cwd();
const CLI = join(ROOT, 'dist/cli.cjs');
const PKI = join(ROOT, 'certs-dev/out/');

/** EC2's own address, which many clients have built in. */
export const EC2_ADDRESS = '169.254.169.254';

const PORT = 9911;

/** How long a client may take. */
const TIMEOUT_MS = 60_000;

/** Ways to get credentials, as the page names them. */
export const WAYS = ['credential_process', 'container', 'IMDS'] as const;

export type Way = (typeof WAYS)[number];

export interface Outcome {
  /** Exit status, or the signal that ended it. */
  readonly status: number | string;
  readonly stdout: string;
  readonly stderr: string;
  /** Of the services' verdicts on what it asked, those for requests that were signed by the role's session. */
  readonly proven: readonly string[];
  /** The other verdicts. */
  readonly other: readonly string[];
}

export interface Request {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Whether IMDS is at EC2's address too: otherwise nothing is, and a client that finds IMDS was told where it is. */
  readonly ec2Address?: boolean | undefined;
}

export interface World {
  /** The emulator's. */
  readonly endpoint: string;
  /** The name of the role. */
  readonly role: string;
  /** The container endpoint's token. */
  readonly token: string;
  /** The address of IMDS. */
  readonly imds: string;
  /** A configuration whose credential_process line has no quotes. */
  readonly unquoted: string;
  readonly rcloneConfig: string;
  readonly s3cmdConfig: string;
  /** A folder with a configuration whose state is in S3. */
  readonly terraform: string;
  /** A home directory of the clients' own. */
  readonly home: string;
  /** What points a client to one of the ways. */
  environment(way: Way): Readonly<Record<string, string>>;
  /** Runs a client to its end. */
  run(request: Request): Promise<Outcome>;
  close(): Promise<void>;
}

interface Verdict {
  readonly path: string;
  readonly accepted: boolean;
  readonly code?: string;
  readonly reason: string;
}

/** Whether this user may make network namespaces, as root or where user namespaces are for all. */
export function canIsolate(): boolean {
  return spawnSync('unshare', [...namespaces(), 'ip', 'link', 'set', 'lo', 'up'], { stdio: 'ignore' }).status === 0;
}

function namespaces(): string[] {
  return process.getuid?.() === 0 ? ['--net'] : ['--user', '--map-root-user', '--net'];
}

/** Starts all of it. */
export async function startWorld(): Promise<World> {
  const home = mkdtempSync(join(tmpdir(), 'ra-clients-'));
  const children: ChildProcess[] = [];
  const start = async (file: string, args: readonly string[], ready: string): Promise<string> => {
    const { child, line } = await startProcess(file, args, { HOME: home, XDG_RUNTIME_DIR: home }, ready);
    children.push(child);
    return line;
  };
  const close = async (): Promise<void> => {
    for (const child of children.toReversed()) await end(child);
    rmSync(home, { recursive: true, force: true });
  };
  try {
    // It ends with its standard input, and so with this process at the latest.
    const script = `ip link set lo up && ip addr add ${EC2_ADDRESS}/32 dev lo && echo ready && exec cat`;
    await start('unshare', [...namespaces(), 'sh', '-c', script], 'ready');
    const enter = ['--preserve-credentials', ...namespaces().filter((flag) => flag !== '--map-root-user')];
    const inside = [...enter, '--target', String(children[0]?.pid), '--'];
    const startInside = (args: readonly string[], ready: string): Promise<string> =>
      start('nsenter', [...inside, process.execPath, CLI, ...args], ready);

    const verdicts = join(home, 'verdicts.jsonl');
    const emulatorFlags = ['--trust-anchor', `${PKI}root.pem`, '--port', '0', '--log', verdicts];
    const emulator = JSON.parse(await startInside(['emulator', ...emulatorFlags], '"url"')) as Record<string, string>;
    const endpoint = emulator['url'] ?? '';
    const role = (emulator['roleArn'] ?? '').replace(/^.*\//, '');
    const named = {
      certificate: `${PKI}ec-p256.crt.pem`,
      'private-key': `${PKI}ec-p256.key.pem`,
      intermediates: `${PKI}intermediate.pem`,
      endpoint,
      'trust-anchor-arn': emulator['trustAnchorArn'] ?? '',
      'profile-arn': emulator['profileArn'] ?? '',
      'role-arn': emulator['roleArn'] ?? '',
    };
    const flags = Object.entries(named).flatMap(([name, value]) => [`--${name}`, value]);
    const tokenFile = join(home, 'token');
    const serveFlags = ['--port', String(PORT), '--imds-address', EC2_ADDRESS, '--token-file', tokenFile];
    await startInside(['serve', ...flags, ...serveFlags], 'AWS_CONTAINER_CREDENTIALS_FULL_URI');
    const token = readFileSync(tokenFile, 'utf8');

    const words = flags.join(' ');
    // The SDK for Go v2 takes away the quotes of a line that begins and ends with one.
    let hasEc2Address = true;
    const config = writeConfig(home, 'config', `"${process.execPath}" "${CLI}" credential-process ${words}`);
    const unquoted = writeConfig(home, 'unquoted', `${process.execPath} ${CLI} credential-process ${words}`);
    const imds = `http://127.0.0.1:${PORT}`;
    const environments: Readonly<Record<Way, Record<string, string>>> = {
      credential_process: { AWS_CONFIG_FILE: config, AWS_EC2_METADATA_DISABLED: 'true' },
      container: {
        AWS_CONTAINER_CREDENTIALS_FULL_URI: `${imds}/credentials`,
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: tokenFile,
        AWS_EC2_METADATA_DISABLED: 'true',
      },
      IMDS: { AWS_EC2_METADATA_SERVICE_ENDPOINT: imds },
    };
    const common = {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      LANG: 'C.UTF-8',
      HOME: home,
      TMPDIR: home,
      AWS_REGION: 'us-east-1',
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_ENDPOINT_URL: endpoint,
      RESTIC_PASSWORD: 'x',
      CI: '1',
      CDK_DISABLE_CLI_TELEMETRY: 'true',
      CHECKPOINT_DISABLE: '1',
      AWS_ECR_DISABLE_CACHE: '1',
    };
    return {
      endpoint,
      role,
      token,
      imds,
      unquoted,
      home,
      ...writeFiles(home, endpoint),
      environment: (way) => environments[way],
      async run({ file, args, env = {}, ec2Address = false }) {
        if (ec2Address !== hasEc2Address) {
          setEc2Address(inside, ec2Address);
          hasEc2Address = ec2Address;
        }
        const before = readVerdicts(verdicts).length;
        const child = spawn('nsenter', [...inside, file, ...args], {
          cwd: home,
          env: { ...common, ...env },
          stdio: ['ignore', 'pipe', 'pipe'],
          // Of a group of its own, so that what it starts ends with it when it takes too long.
          detached: true,
        });
        const timer = setTimeout(() => {
          if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
        }, TIMEOUT_MS);
        const output = { stdout: '', stderr: '' };
        child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
        child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
        const [status, signal] = (await once(child, 'close')) as [number | null, string | null];
        clearTimeout(timer);
        const asked = readVerdicts(verdicts).slice(before);
        return {
          status: status ?? signal ?? 1,
          ...output,
          proven: asked.filter((verdict) => isProof(verdict, role)).map(({ reason }) => reason),
          other: asked.filter((verdict) => !isProof(verdict, role)).map(({ reason }) => reason),
        };
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Adds EC2's address, or takes it away: who listens there goes on when it is back. */
function setEc2Address(inside: readonly string[], there: boolean): void {
  const args = ['ip', 'addr', there ? 'add' : 'del', `${EC2_ADDRESS}/32`, 'dev', 'lo'];
  execFileSync('nsenter', [...inside, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
}

function writeConfig(home: string, name: string, line: string): string {
  const file = join(home, name);
  writeFileSync(file, `[default]\nregion = us-east-1\ncredential_process = ${line}\n`, { mode: 0o600 });
  return file;
}

/** Configuration of those who take the endpoint from no variable and no argument. */
function writeFiles(home: string, endpoint: string): Pick<World, 'rcloneConfig' | 's3cmdConfig' | 'terraform'> {
  const { host } = new URL(endpoint);
  const rcloneConfig = join(home, 'rclone.conf');
  writeFileSync(
    rcloneConfig,
    `[emulator]\ntype = s3\nprovider = Other\nenv_auth = true\nregion = us-east-1\nendpoint = ${endpoint}\n`,
  );
  const s3cmdConfig = join(home, 's3cfg');
  writeFileSync(s3cmdConfig, `[default]\nhost_base = ${host}\nhost_bucket = ${host}\nuse_https = False\n`);
  mkdirSync(join(home, 'mount'));
  const terraform = join(home, 'terraform');
  mkdirSync(terraform);
  const endpoints = `{ s3 = "${endpoint}", sts = "${endpoint}" }`;
  writeFileSync(
    join(terraform, 'main.tf'),
    `terraform {\n  backend "s3" {\n    bucket = "bucket"\n    key = "state"\n    region = "us-east-1"\n    use_path_style = true\n    endpoints = ${endpoints}\n  }\n}\n`,
  );
  return { rcloneConfig, s3cmdConfig, terraform };
}

function readVerdicts(file: string): Verdict[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Verdict);
}

/** The emulator answers these after it has found whose session it is: an accepted call, or one that it does not have. */
function isProof({ path, accepted, code, reason }: Verdict, role: string): boolean {
  if (path.startsWith('/sessions')) return false;
  return accepted ? reason.includes(`:assumed-role/${role}/`) : code === 'NotImplemented' || NOT_EMULATED.test(reason);
}

/** Of a service that is not emulated: key id and session token were found, the signature was not looked at. */
const NOT_EMULATED = /^the credential scope is of service \w+, not sts$/;

async function startProcess(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  ready: string,
): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(file, args, { env: { PATH: process.env['PATH'], ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    captureOutput(text);
    errors += text;
  });
  const line = await new Promise<string>((resolve, reject) => {
    let lines = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      lines += text;
      const found = lines
        .split('\n')
        .slice(0, -1)
        .find((whole) => whole.includes(ready));
      if (found !== undefined) resolve(found);
    });
    child.on('error', reject);
    child.on('close', () => reject(new Error(`${[file, ...args].join(' ')} did not start:\n${errors}`)));
  });
  return { child, line };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.stdin?.end();
  child.kill('SIGTERM');
  await closed;
}
