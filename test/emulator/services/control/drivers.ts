/** Ways to call the control plane: AWS's own clients, and requests signed by hand. */
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Sha256 } from '@aws-crypto/sha256-js';
import * as sdk from '@aws-sdk/client-rolesanywhere';
import { SignatureV4 } from '@smithy/signature-v4';
import { cleanEnv } from '../../../support/cli.ts';

/** The built-in world's user. */
export const ADMIN = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};

export type Json = Record<string, unknown>;

export interface Driver {
  /** The operations that this client knows. */
  readonly operations: readonly string[];
  /** @throws Error with the service's code in its message */
  call(operation: string, input: Json): Promise<Json>;
  close(): void;
}

/** The AWS SDK for JavaScript. */
export function sdkDriver(url: string): Driver {
  const client = new sdk.RolesAnywhereClient({
    endpoint: url,
    region: 'us-east-1',
    credentials: ADMIN,
    maxAttempts: 1,
  });
  const commands = new Map(
    Object.entries(sdk).flatMap(([name, value]) => {
      const [, operation] = /^([A-Z]\w+)Command$/.exec(name) ?? [];
      return operation === undefined ? [] : [[operation, value as new (input: Json) => never] as const];
    }),
  );
  return {
    operations: [...commands.keys()],
    call: async (operation, input) => ({ ...(await client.send(new (commands.get(operation)!)(input))) }),
    close: () => client.destroy(),
  };
}

/** An AWS CLI, version 1 or 2: its own driver, in the Python that its first line names. */
export function cliDriver(aws: string, url: string, dir: string): Driver {
  const [, python] = /^#!(\S+)/.exec(readFileSync(aws, 'utf8')) ?? [];
  const env = cleanEnv({
    HOME: dir,
    AWS_ACCESS_KEY_ID: ADMIN.accessKeyId,
    AWS_SECRET_ACCESS_KEY: ADMIN.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_MAX_ATTEMPTS: '1',
    AWS_PAGER: '',
  });
  const child = spawn(python!, [join(import.meta.dirname, 'aws-cli-driver.py')], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const run = async (args: string[]): Promise<{ status: number; stdout: string; stderr: string }> => {
    child.stdin.write(`${JSON.stringify(args)}\n`);
    const { value } = await lines.next();
    return JSON.parse(String(value)) as { status: number; stdout: string; stderr: string };
  };
  return {
    operations: cliOperations(aws, env),
    async call(operation, { crlData, ...input }) {
      const args = ['--endpoint-url', url, '--region', 'us-east-1', '--output', 'json', '--no-paginate'];
      args.push('rolesanywhere', kebab(operation), '--cli-input-json', JSON.stringify(input));
      if (crlData instanceof Uint8Array) {
        const file = join(dir, 'crl.pem');
        writeFileSync(file, crlData);
        args.push('--crl-data', `fileb://${file}`);
      }
      const { status, stdout, stderr } = await run(args);
      if (status !== 0) throw new Error(stderr);
      return stdout.trim() === '' ? {} : (JSON.parse(stdout) as Json);
    },
    close: () => child.stdin.end(),
  };
}

/** The list that the CLI prints when it is asked for what is not there. */
function cliOperations(aws: string, env: Record<string, string>): string[] {
  try {
    execFileSync(aws, ['rolesanywhere', 'nothing'], { env, stdio: 'pipe' });
    return [];
  } catch (error) {
    const [, list = ''] = String((error as { stderr: Buffer }).stderr).split('valid choices are:');
    const names = list.match(/[a-z]+(?:-[a-z]+)+/g) ?? [];
    return names.map((name) => name.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase()));
  }
}

function kebab(operation: string): string {
  return operation.replaceAll(/(?<!^)[A-Z]/g, '-$&').toLowerCase();
}

export interface SignedReply {
  status: number;
  type: string | undefined;
  body: Json;
}

/** Sends one request, signed by the SDK's signer. */
export async function signedCall(
  url: string,
  {
    method,
    path,
    query = {},
    body,
  }: { method: string; path: string; query?: Record<string, string | string[]>; body?: unknown },
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } = ADMIN,
  { region = 'us-east-1', now = new Date() }: { region?: string; now?: Date } = {},
): Promise<SignedReply> {
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  const { host, hostname, port } = new URL(url);
  const signer = new SignatureV4({ service: 'rolesanywhere', region, credentials, sha256: Sha256 });
  const headers = { host, ...(text === '' ? {} : { 'content-type': 'application/json' }) };
  const unsigned = { method, protocol: 'http:', hostname, port: Number(port), path, query, headers, body: text };
  const signed = await signer.sign(unsigned, { signingDate: now });
  const search = Object.entries(query).flatMap(([name, values]) =>
    [values].flat().map((value) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`),
  );
  return await new Promise((resolve, reject) => {
    const target = search.length === 0 ? path : `${path}?${search.join('&')}`;
    const request = httpRequest(`${url}${target}`, { method, headers: signed.headers, agent: false }, (response) => {
      let answer = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
      response.on('end', () => {
        const type = response.headers['x-amzn-errortype'];
        resolve({ status: response.statusCode ?? 0, type: type?.toString(), body: JSON.parse(answer) as Json });
      });
    });
    request.on('error', reject).end(text);
  });
}
