/** `serve` of AWS's helper and of this program under its name: what they print, and what they answer. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { captureOutput } from '../support/capture.ts';
import { cleanEnv, PKI } from '../support/cli.ts';
import { ARNS, EC } from './lines/words.ts';
import { ROUTES, type Route, type RouteAnswer } from './routes.ts';
import { LINK } from './support/files.ts';
import { findHelper } from './support/helper.ts';
import { startService, type Service } from './support/service.ts';
import { makeWorld } from './support/world.ts';

const helper = await findHelper();

/** One of the two, while it serves. */
interface Server {
  readonly port: number;
  readonly child: ChildProcess;
  readonly service: Service;
  stdout: string;
  stderr: string;
}

const STARTED = /Local server started on port: (\d+)\n/;

/** Starts a program and waits for the line that scripts wait for. */
async function serve(file: string, args: readonly string[], service: Service, isOurs: boolean): Promise<Server> {
  const child = spawn(file, args, { env: cleanEnv({ TZ: 'UTC' }), stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (text) => (said.stdout += String(text)));
  const port = await new Promise<number>((resolve, reject) => {
    child.stderr.on('data', (text) => {
      said.stderr += String(text);
      if (isOurs) captureOutput(String(text));
      const [, found] = STARTED.exec(said.stderr) ?? [];
      if (found !== undefined) resolve(Number(found));
    });
    child.once('exit', (status) => reject(new Error(`it ended with ${status}:\n${said.stderr}`)));
    child.once('error', reject);
  });
  return Object.assign(said, { port, child, service });
}

/** What a server printed, without what is its own. */
function words({ port, stdout, stderr }: Server): unknown {
  return {
    stdout,
    stderr: stderr.replaceAll(String(port), 'PORT').replaceAll(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /gm, 'TIME '),
  };
}

async function ask(server: Server, { method = 'GET', path, headers = {} }: Route): Promise<RouteAnswer> {
  const fill = (text: string): string => text.replace('{port}', String(server.port));
  const needsToken = JSON.stringify(headers).includes('{token}');
  const token = needsToken
    ? (await send(server, 'PUT', '/latest/api/token', { 'X-Aws-Ec2-Metadata-Token-Ttl-Seconds': '60' })).body
    : '';
  const filled = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, fill(String(value)).replace('{token}', token)]),
  );
  const answer = await send(server, method, path, filled);
  return { ...answer, type: answer.type.replace(/;.*/, ''), body: readable(path, answer) };
}

/** A token is random; credentials are the same in any order of members, at any moment. */
function readable(path: string, { status, body }: RouteAnswer): string {
  if (status === 200 && path.startsWith('/latest/api/token')) return body.length > 30 ? 'a token' : body;
  if (status !== 200 || !body.startsWith('{')) return body;
  const members = JSON.parse(body) as Record<string, unknown>;
  const names = Object.keys(members).toSorted((a, b) => a.localeCompare(b));
  return JSON.stringify(names.map((name) => (name === 'LastUpdated' ? [name] : [name, members[name]])));
}

async function send(
  { port }: Server,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<RouteAnswer> {
  const outgoing = request({ host: '127.0.0.1', port, method, path, headers, agent: false });
  outgoing.end();
  const [incoming] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage];
  let body = '';
  for await (const chunk of incoming) body += String(chunk);
  return { status: incoming.statusCode ?? 0, body, type: incoming.headers['content-type'] ?? '' };
}

describe.skipIf(helper === undefined)("serve of AWS's helper and of this program", () => {
  let world: Awaited<ReturnType<typeof makeWorld>>;
  let theirs: Server;
  let ours: Server;

  beforeAll(async () => {
    world = await makeWorld(helper ?? '', false);
    const line = [...ARNS, ...EC].map((word) => word.replace('{pki}/', PKI));
    const start = async (file: string, ...before: string[]): Promise<Server> => {
      const service = await startService('good', world.emulator);
      const args = [...before, 'serve', '--port', '0', ...line, '--endpoint', `http://127.0.0.1:${service.port}`];
      return await serve(file, args, service, before.length > 0);
    };
    theirs = await start(world.helper);
    ours = await start(process.execPath, join(world.files, LINK));
  }, 60_000);
  afterAll(async () => {
    for (const { child, service } of [theirs, ours]) {
      child.kill();
      await once(child, 'exit');
      await service.close();
    }
    await world.end();
  });

  it('print the same lines on standard error, and nothing on standard output', () => {
    expect(words(ours)).toEqual(words(theirs));
  });

  it('ask the service for the same', () => {
    expect(ours.service.requests).toEqual(theirs.service.requests);
  });

  it.each(ROUTES.map((route) => [route.name, route] as const))('%s', async (_name, route) => {
    const [expected, answer] = [await ask(theirs, route), await ask(ours, route)];
    const members = Object.keys(expected) as (keyof RouteAnswer)[];
    const different = members.filter((member) => expected[member] !== answer[member]);
    expect({ different, theirs: expected, ours: answer }).toMatchObject({ different: route.differs?.in ?? [] });
  });
});
