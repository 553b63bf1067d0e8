/** A step-ca of our own on the loopback, with lives as short as a test wants them; and its client. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cleanEnv } from '../../support/cli.ts';
import { certificatePem, privateKeyPem } from '../../../certs-dev/authority.ts';
import { findGoProgram } from '../../support/go-program.ts';
import { makeCa } from './ca.ts';

const run = promisify(execFile);

/** The newest of each that Go's module proxy serves. Without C: with it, they want the headers of smart cards. */
const STEP_CA = {
  module: 'github.com/smallstep/certificates',
  package: 'cmd/step-ca',
  version: 'v0.30.2',
  cgo: false,
} as const;
const STEP = { module: 'github.com/smallstep/cli', package: 'cmd/step', version: 'v0.21.0', cgo: false } as const;

export interface StepPrograms {
  readonly stepCa: string;
  readonly step: string;
}

/** Installs both, which takes minutes the first time; undefined where that cannot be. */
export async function findStep(): Promise<StepPrograms | undefined> {
  const stepCa = await findGoProgram(STEP_CA);
  const step = await findGoProgram(STEP);
  return stepCa === undefined || step === undefined ? undefined : { stepCa, step };
}

export interface StepCa {
  /** Of the API. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** The file of the root certificate. */
  readonly root: string;
  readonly fingerprint: string;
  /** A new certificate and its key, as `step ca certificate` writes them. */
  issue(
    subject: string,
    files: { readonly certificate: string; readonly key: string },
    ...flags: string[]
  ): Promise<void>;
  /** A one-time token for a first certificate. */
  token(subject: string, ...flags: string[]): Promise<string>;
  /** Runs `step`. */
  step(...args: string[]): Promise<string>;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops, and removes everything. */
  close(): Promise<void>;
}

export interface StepCaOptions {
  /** How long certificates live, as Go writes it. Default 24h. */
  readonly life?: string | undefined;
  /** Whether there is an ACME provisioner, `acme`. */
  readonly acme?: boolean | undefined;
  /** Whether an expired certificate can be renewed. */
  readonly afterExpiry?: boolean | undefined;
}

/** Makes a CA, and starts it. */
export async function startStepCa({ stepCa, step }: StepPrograms, options: StepCaOptions = {}): Promise<StepCa> {
  const folder = mkdtempSync(join(tmpdir(), 'ra-step-ca-'));
  const env = cleanEnv({ STEPPATH: folder, HOME: folder });
  const password = join(folder, 'password');
  writeFileSync(password, 'a password of the test\n', { mode: 0o600 });
  const port = await freePort();
  const runStep = async (...args: string[]): Promise<string> => (await run(step, args, { env })).stdout;
  const initial = ['--dns', 'localhost', '--dns', '127.0.0.1', '--address', `127.0.0.1:${port}`];
  const standalone = ['--provisioner', 'admin', '--deployment-type', 'standalone', '--password-file', password];
  await runStep('ca', 'init', '--name', 'Test', ...initial, ...standalone);
  if (options.acme === true) await runStep('ca', 'provisioner', 'add', 'acme', '--type', 'ACME');
  // Authorities that are an hour old: step-ca looks at expired certificates as of a minute before their end.
  const { root: top, intermediate } = await makeCa('Step');
  writeFileSync(join(folder, 'certs/root_ca.crt'), certificatePem(top.certificate));
  writeFileSync(join(folder, 'certs/intermediate_ca.crt'), certificatePem(intermediate.certificate));
  writeFileSync(join(folder, 'secrets/intermediate_ca_key'), privateKeyPem(intermediate.keys), { mode: 0o600 });
  const config = join(folder, 'config/ca.json');
  const settings = JSON.parse(readFileSync(config, 'utf8')) as {
    authority: {
      claims?: object;
      backdate?: string;
      provisioners: { claims?: object; options?: object; forceCN?: boolean }[];
    };
  };
  settings.authority.backdate = '0s';
  settings.authority.claims = {
    minTLSCertDuration: '1s',
    maxTLSCertDuration: '87600h',
    defaultTLSCertDuration: options.life ?? '24h',
    allowRenewalAfterExpiry: options.afterExpiry === true,
  };
  for (const provisioner of settings.authority.provisioners) if (options.acme === true) provisioner.forceCN = true;
  writeFileSync(config, JSON.stringify(settings));

  const root = join(folder, 'certs/root_ca.crt');
  let child: ChildProcess | undefined;
  let said = '';
  const start = async (): Promise<void> => {
    const started = spawn(stepCa, [config, '--password-file', password], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    child = started;
    await new Promise<void>((done, fail) => {
      const heard = (text: string): void => {
        said = (said + text).slice(-100_000);
        if (said.includes('Serving HTTPS on')) done();
      };
      started.stdout.setEncoding('utf8').on('data', heard);
      started.stderr.setEncoding('utf8').on('data', heard);
      started.on('close', () => fail(new Error(`step-ca ended:\n${said}`)));
    });
  };
  const stop = async (): Promise<void> => {
    const running = child;
    child = undefined;
    said = '';
    if (running === undefined || running.exitCode !== null) return;
    await new Promise((done) => {
      running.on('close', done);
      running.kill('SIGTERM');
    });
  };
  await start();
  const url = `https://localhost:${port}`;
  const there = ['--ca-url', url, '--root', root];
  const admin = ['--provisioner', 'admin', '--provisioner-password-file', password];
  return {
    url,
    host: `localhost:${port}`,
    port,
    root,
    fingerprint: (await runStep('certificate', 'fingerprint', root)).trim(),
    async issue(subject, { certificate, key }, ...flags) {
      await runStep('ca', 'certificate', subject, certificate, key, '--force', ...there, ...admin, ...flags);
    },
    token: async (subject, ...flags) => (await runStep('ca', 'token', subject, ...there, ...admin, ...flags)).trim(),
    step: runStep,
    stop,
    start,
    async close() {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
