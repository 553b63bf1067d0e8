/** One line, run by both programs: what each did, in the terms in which they are compared. */
import { execFile } from 'node:child_process';
import { createHash, verify, X509Certificate, type KeyObject } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DifferenceId } from '../../../scripts/differences.ts';
import type { Authority } from '../../http/support/pki.ts';
import { captureOutput, captureSecrets } from '../../support/capture.ts';
import { cleanEnv, PKI } from '../../support/cli.ts';
import { verifyWithCertificate } from '../../support/verify.ts';
import { startConnectProxy, type ConnectProxy } from '../../support/connect-proxy.ts';
import { PIN, SOFTHSM_MODULE } from '../../support/softhsm.ts';
import { startSocksServer, type SocksServer } from '../../support/socks-server.ts';
import { LINK } from './files.ts';
import { startService, type AnswerName, type SeenRequest } from './service.ts';

/** A command line that both programs run. In arguments and environment `{pki}`, `{files}`, `{port}` and so on stand for {@link World} and the run's own ports. */
export interface Line {
  /** What it shows. */
  readonly name: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What AWS_SHARED_CREDENTIALS_FILE holds; null: it names a file that is not there. Left out: it names none. */
  readonly file?: string | null;
  /** What the service answers; default `good`. */
  readonly answer?: AnswerName;
  /**
   * How the service is there: over plain http, also behind a proxy; over TLS; over TLS with a certificate that has a common
   * name and no other; or over TLS behind a proxy that inspects it, or behind one that speaks SOCKS5. The root of all is
   * `{files}/inspection.pem`.
   */
  readonly way?: 'plain' | 'plain proxy' | 'tls' | 'common name' | 'proxy' | 'socks';
  /** For a signature that differs from run to run: whose it is, and how it is printed. It is verified instead. */
  readonly signature?:
    | { readonly of: string; readonly format: 'json' | 'text' | 'bin'; readonly digest: string }
    | undefined;
  /** In what the two differ, and why they may. They must differ then, and in nothing else. */
  readonly differs?: Difference | undefined;
  /** What version 1.8.0 was seen to do, where the version that is installed does otherwise. */
  readonly instead?: Readonly<Partial<Observation>> | undefined;
}

/** By which of the listed differences, and how: only one of the two does what the line says, or both do it otherwise. */
export interface Difference {
  readonly by: DifferenceId;
  readonly in: 'ours refuses' | 'theirs refuses' | readonly Aspect[];
}

/** What a program did. */
export interface Observation {
  /** The statuses of failures differ on purpose: see `exit-status` among the differences. */
  readonly outcome: 'success' | 'failure';
  readonly stdout: string;
  /** What is in the credentials file afterwards. */
  readonly file: string;
  readonly requests: readonly SeenRequest[];
  /** What the proxy was asked to connect to. */
  readonly tunnels: readonly string[];
  /** What it said on standard error when all went well. */
  readonly stderr: string;
  /** What it said when it did not, which is not compared. */
  readonly reason: string;
}
export type Aspect = Exclude<keyof Observation, 'reason'>;
const ASPECTS: readonly Aspect[] = ['outcome', 'stdout', 'file', 'requests', 'tunnels', 'stderr'];

/** What the lines are run in. */
export interface World {
  readonly helper: string;
  /** The folder of {@link makeFiles}. */
  readonly files: string;
  /** Port of an emulator that trusts the development PKI. */
  readonly emulator: number;
  readonly authority: Authority;
  /** The environment in which SoftHSM finds the token `tok`. */
  readonly softhsm: Readonly<Record<string, string>>;
}

/** Runs a line by both: side by side, unless they share a token. */
export async function runBoth(line: Line, world: World): Promise<{ theirs: Observation; ours: Observation }> {
  const theirs = observe(line, world, async (args, env) => await run(world.helper, args, env));
  if (usesToken(line)) await theirs;
  const ours = observe(line, world, async (args, env) => {
    const result = await run(process.execPath, [join(world.files, LINK), ...args], env);
    captureOutput(result.stderr);
    captureSecrets(args, env, result.stdout);
    return result;
  });
  const [one, other] = await Promise.all([theirs, ours]);
  return { theirs: one, ours: other };
}

function usesToken({ args }: Line): boolean {
  return args.includes('{softhsm}');
}

/** What of two observations is not as the line says; empty when all is. */
export function mismatches(
  { differs, instead }: Line,
  { theirs, ours }: { readonly theirs: Observation; readonly ours: Observation },
): string[] {
  const expected = { ...theirs, ...instead };
  const bothSucceed = expected.outcome === 'success' && ours.outcome === 'success';
  const different = ASPECTS.filter(
    (aspect) =>
      (aspect !== 'stderr' || bothSucceed) && JSON.stringify(expected[aspect]) !== JSON.stringify(ours[aspect]),
  );
  const show = (aspect: Aspect): string =>
    `${aspect}\n  theirs ${JSON.stringify(expected[aspect])}\n  ours   ${JSON.stringify(ours[aspect])}${ours.reason === '' ? '' : `\n  since  ${ours.reason}`}`;
  if (differs === undefined) return different.map(show);
  if (typeof differs.in === 'string') {
    const refusing = differs.in === 'ours refuses' ? ours : expected;
    const other = refusing === ours ? expected : ours;
    const asSaid = refusing.outcome === 'failure' && refusing.stdout === '' && other.outcome === 'success';
    return asSaid ? [] : [`not "${differs.in}": ${show('outcome')}`];
  }
  const allowed = differs.in;
  return [
    ...different.filter((aspect) => !allowed.includes(aspect)).map(show),
    ...allowed
      .filter((aspect) => !different.includes(aspect))
      .map((aspect) => `no difference any more in ${show(aspect)}`),
  ];
}

interface Run {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Output is read byte by byte: a signature may be binary. */
async function run(file: string, args: readonly string[], env: Record<string, string>): Promise<Run> {
  return await new Promise((resolve, reject) => {
    const child = execFile(
      file,
      args,
      { env: cleanEnv(env), encoding: 'latin1', timeout: 60_000 },
      (error, stdout, stderr) => {
        if (error !== null && typeof error.code !== 'number')
          reject(new Error(`${file} did not end by itself`, { cause: error }));
        else resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr });
      },
    );
    child.stdin?.end();
  });
}

async function observe(
  line: Line,
  world: World,
  program: (args: readonly string[], env: Record<string, string>) => Promise<Run>,
): Promise<Observation> {
  const { way = 'plain', answer = 'good', signature } = line;
  const names =
    way === 'common name' ? 'localhost' : ['localhost', '127.0.0.1', 'rolesanywhere.us-east-1.amazonaws.com'];
  const tls = way.startsWith('plain') ? undefined : await world.authority.issue(names);
  const service = await startService(answer, world.emulator, tls);
  const proxy = await startProxy(way, service.port, world.authority);
  const places: Readonly<Record<string, string>> = {
    pki: PKI.replace(/\/$/, ''),
    files: world.files,
    port: String(service.port),
    proxy: `127.0.0.1:${proxy?.port ?? 0}`,
    softhsm: SOFTHSM_MODULE,
    pin: PIN,
  };
  const own = line.file === undefined ? undefined : mkdtempSync(join(world.files, 'own-'));
  const file = own === undefined ? undefined : join(own, 'credentials');
  if (file !== undefined && typeof line.file === 'string') writeFileSync(file, line.file, { mode: 0o600 });
  const fill = (text: string): string => text.replaceAll(/\{(\w+)\}/g, (all, name: string) => places[name] ?? all);
  const env = Object.fromEntries(
    Object.entries({
      HOME: '{files}/home',
      ...(file === undefined ? {} : { AWS_SHARED_CREDENTIALS_FILE: file }),
      ...(usesToken(line) ? world.softhsm : {}),
      ...line.env,
    }).map(([name, value]) => [name, fill(value)]),
  );
  try {
    const { status, stdout, stderr } = await program(line.args.map(fill), env);
    const outcome = status === 0 ? 'success' : 'failure';
    return {
      outcome,
      stdout: signature === undefined || stdout === '' ? masked(stdout, answer) : readSignature(stdout, signature),
      file: file !== undefined && existsSync(file) ? readFileSync(file, 'utf8') : '',
      requests: service.requests,
      tunnels: proxy?.targets ?? [],
      stderr: outcome === 'success' ? stderr : '',
      reason: outcome === 'success' ? '' : stderr.slice(0, 400),
    };
  } finally {
    if (own !== undefined) rmSync(own, { recursive: true });
    await Promise.all([service.close(), proxy?.close()]);
  }
}

/** The emulator's credentials are new each time; AWS's helper puts the attributes of a URI in another order each time. */
function masked(stdout: string, answer: AnswerName): string {
  const text = answer === 'emulator' ? stdout.replaceAll(/"([A-Z]\w+)":"[^"]+"/g, '"$1":"..."') : stdout;
  return text.replaceAll(/^URI: pkcs11:.+$/gm, 'URI: pkcs11:...');
}

async function startProxy(
  way: NonNullable<Line['way']>,
  leadTo: number,
  authority: Authority,
): Promise<ConnectProxy | SocksServer | undefined> {
  if (way === 'socks') return await startSocksServer({ leadTo });
  if (way === 'plain proxy') return await startConnectProxy({ leadTo });
  if (way === 'proxy')
    return await startConnectProxy({ leadTo, inspect: async (host) => await authority.issue([host]) });
  return undefined;
}

/** Whether a signature of `sign-string` is one over its fixed text, in words. */
function readSignature(
  stdout: string,
  { of, format, digest }: { readonly of: string; readonly format: string; readonly digest: string },
): string {
  const hex = format === 'json' ? /^"([0-9a-f]+)"$/ : /^([0-9a-f]+)$/;
  const [, digits = ''] = hex.exec(stdout) ?? [];
  const bytes = format === 'bin' ? Buffer.from(stdout, 'latin1') : Buffer.from(digits, 'hex');
  const certificate = new X509Certificate(readFileSync(of.replace('{pki}', PKI)));
  const texts = {
    // Not every Node can read a key of ML-DSA, which goes without the second part.
    'with the key': of.includes('ml-dsa') ? undefined : Buffer.concat([FIXED, keySuffix(certificate.publicKey)]),
    alone: FIXED,
  };
  const isOver = (text: Buffer): boolean =>
    of.includes('ml-dsa')
      ? verifyWithCertificate(certificate.raw, text, bytes)
      : verify(digest, text, certificate.publicKey, bytes);
  const over = Object.entries(texts).find(([, text]) => text !== undefined && isOver(text));
  return over === undefined ? `no signature: ${stdout}` : `${format} of a signature over the text ${over[0]}`;
}

const FIXED = Buffer.from('AWS Roles Anywhere Credential Helper Signing Test1');

/** SHA256("IAM RA" || PUBLIC_KEY): the point of an elliptic curve, or a PKCS#1 RSAPublicKey. */
function keySuffix(key: KeyObject): Buffer {
  const { x = '', y = '' } = key.export({ format: 'jwk' });
  const bytes =
    key.asymmetricKeyType === 'rsa'
      ? key.export({ type: 'pkcs1', format: 'der' })
      : Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  return createHash('sha256').update('IAM RA').update(bytes).digest();
}
